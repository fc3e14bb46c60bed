"""What is of a wrong type is refused by every public function: the error says what came and what is expected."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import metaglot
from metaglot import Adapted, MetaglotError
from metaglot.adaptation import Model

TEXTS, LABELS = ["a late parcel", "no parcel", "an invoice", "a refund"], ["post", "post", "money", "money"]
NAN = float("nan")


class Anything:
    """An object of a class that nobody knows."""


def frame() -> Any:
    return pytest.importorskip("pandas").DataFrame({"text": TEXTS})


WRONG: Mapping[str, Callable[[], Any]] = {
    "none": lambda: None,
    "number": lambda: 5,
    "fraction": lambda: 2.5,
    "nan": lambda: NAN,
    "truth": lambda: True,
    "bytes": lambda: b"a text",
    "text": lambda: "\0",
    "list of lists": lambda: [["a", "b"]] * 4,
    "list of none": lambda: [None] * 4,
    "set": lambda: {"a", "b"},
    "mapping": lambda: {"a": 1},
    "array": lambda: np.zeros((2, 3, 4)),
    "frame": frame,
    "object": Anything,
    "function": lambda: len,
}


class Call(NamedTuple):
    """A public function, what it is rightly given, and for each argument the kinds of WRONG that it takes."""

    of: Callable[..., Any]
    given: Mapping[str, Any]
    takes: Mapping[str, str]


def calls(model: Model, adapted: Adapted, folder: Path) -> dict[str, Call]:
    texts = {"texts": TEXTS}
    many = {"texts": "text", "pairs": "none"}  # one text is a text, of which "\0" is one
    lists = {"texts": "", "pairs": "none"}
    features = {"features": adapted.embed(TEXTS)}
    examples = {**texts, "labels": LABELS}
    return {
        "load": Call(metaglot.load, {"name": "builtin:tiny"}, dict.fromkeys(("name", "device", "precision"), "")),
        "Model.adapt": Call(
            model.adapt,
            {**examples, "pairs": TEXTS, "effort": "instant"},
            {**lists, "labels": "", "task": "none", "effort": "none", "seed": "number", "names": "truth"}
            | {"seconds": "none, number, fraction", "reads": "none"},
        ),
        "Model.zero_shot": Call(
            model.zero_shot, {"labels": ["post", "money"]}, {"labels": "set none", "names": "none", "task": "none"}
        ),
        "Model.embed": Call(model.embed, texts, lists),
        "Model.cut": Call(model.cut, texts, lists),
        "Model.effort": Call(model.effort, {"name": "fast"}, {"name": ""}),
        "Adapted.predict": Call(
            adapted.predict,
            texts,
            {**many, "unknown": "none, number, fraction, truth, text", "max_new_tokens": "none", "decoding": "none"},
        ),
        "Adapted.predict_proba": Call(adapted.predict_proba, texts, many),
        "Adapted.predictions": Call(
            adapted.predictions, texts, {**lists, "max_new_tokens": "none", "decoding": "none"}
        ),
        "Adapted.score": Call(adapted.score, {**texts, "targets": LABELS}, {**lists, "targets": ""}),
        "Adapted.predictions_of_features": Call(adapted.predictions_of_features, features, {"features": ""}),
        "Adapted.embed": Call(adapted.embed, texts, lists),
        "Adapted.in_scope": Call(adapted.in_scope, texts, lists),
        "Adapted.explain": Call(
            adapted.explain, {"text": TEXTS[0]}, {"text": "text", "pair": "none", "count": "number"}
        ),
        "Adapted.explain_all": Call(adapted.explain_all, texts, {**lists, "count": "number"}),
        "Adapted.explain_features": Call(adapted.explain_features, features, {"features": "", "count": "number"}),
        "Adapted.in_scope_of_features": Call(adapted.in_scope_of_features, features, {"features": ""}),
        "Adapted.proba_of_features": Call(adapted.proba_of_features, features, {"features": ""}),
        "Adapted.add_examples": Call(adapted.add_examples, examples, {**lists, "labels": ""}),
        "Adapted.without": Call(adapted.without, {"rows": [0]}, {"rows": ""}),
        "Adapted.relabelled": Call(adapted.relabelled, {"labels": {0: "money"}}, {"labels": ""}),
        "Adapted.save": Call(
            adapted.save, {"folder": folder / "new"}, {"folder": "", "keep_examples": "none, truth", "force": "truth"}
        ),
        "Adapted.load": Call(Adapted.load, {"folder": folder / "saved"}, {"folder": "", "encoder": "none"}),
    }


WITHIN = {
    *("base", "fingerprint"),  # without arguments
}


@pytest.fixture(scope="module")
def every(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    folder = tmp_path_factory.mktemp("wrong")
    adapted = tiny.adapt(TEXTS, LABELS, effort="instant")
    adapted.save(folder / "saved", keep_examples=True)
    return calls(tiny, adapted, folder)


def names_of(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isroutine) if not name.startswith("_")}


def test_every_public_function_and_argument_is_tried(every: dict[str, Call]):
    functions = {name for name in metaglot.__all__ if inspect.isfunction(getattr(metaglot, name))}
    public = functions - {"adapt_until"}  # tests/hardening/test_documented_arguments.py
    for kind in (Model, Adapted):
        public |= {f"{kind.__name__}.{name}" for name in names_of(kind) - WITHIN}
    assert public == set(every)
    for name, call in every.items():
        assert set(call.takes) == set(inspect.signature(call.of).parameters), name


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_type_is_refused_with_what_came_and_what_is_expected(every: dict[str, Call], wrong: str):
    tried = 0
    for name, call in every.items():
        for argument, takes in call.takes.items():
            if wrong in takes.split(", "):
                continue
            tried += 1
            with pytest.raises(MetaglotError) as raised:
                call.of(**{**call.given, argument: WRONG[wrong]()})
            assert len(str(raised.value)) < 600, f"{name}({argument}={wrong})"
    assert tried > 30


def test_nothing_is_left_where_a_save_is_refused(every: dict[str, Call]):
    call = every["Adapted.save"]
    with pytest.raises(MetaglotError, match=r"force: expected True or False, got 'yes' \(str\)"):
        call.of(**call.given, force="yes")
    assert not call.given["folder"].exists()


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("Model.adapt", {"seed": 1.5}, r"seed: expected a whole number, got 1.5 \(float\)"),
        ("Model.adapt", {"effort": 3}, "unknown effort 3; choose from instant, fast, thorough, auto, as-trained"),
        ("Model.adapt", {"names": {"post": 1}}, "names: expected words for the label 'post', got 1"),
        ("Adapted.without", {"rows": 0}, r"rows: expected a list of numbers of examples, as \[0, 3\], got 0"),
        ("Adapted.relabelled", {"labels": {0: None}}, "label number 1 is missing"),
        ("Adapted.explain", {"text": TEXTS}, "text: expected one string, got "),
        ("Adapted.load", {"folder": b"saved"}, "folder: expected the path of a folder as text or a path, got b'saved'"),
        ("Adapted.proba_of_features", {"features": np.zeros((2, 3))}, r"expected an array \[n, 128\].*got an array"),
    ],
)
def test_the_message(every: dict[str, Call], name: str, wrong: dict[str, Any], message: str):
    call = every[name]
    with pytest.raises(MetaglotError, match=message):
        call.of(**{**call.given, **wrong})


def test_numbers_of_numpy_and_paths_are_what_they_are(every: dict[str, Call]):
    given = every["Model.adapt"].given
    seeds = [every["Model.adapt"].of(**{**given, "seed": seed}).fit.seed for seed in (np.int64(3), 3)]
    assert seeds == [3, 3]
    loaded = every["Adapted.load"].of(str(every["Adapted.load"].given["folder"]))
    assert loaded.without(np.array([0])).counts == loaded.without([0]).counts == (2, 1)

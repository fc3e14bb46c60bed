"""The arms of text_tasks.py, as changes to one recipe: the same model, text, episodes and CPU minutes; rates: RATES."""

from collections.abc import Mapping
from typing import Any

from metaglot.config import load_recipe, packaged_recipes

LABELLED = [
    {"path": "arsc", "group_by": ["domain"]},
    *("clinc150", "debian-sections-en", "huffpost41", "mr", "reuters31", "searchsnippets8", "snips", "sst5", "subj"),
    {"path": "fewrel-val", "group_by": ["domain"]},
    {"path": "masakhanews", "languages": ["eng"]},
]
EPISODES = {"ways": [2, 6], "shots": [1, 6], "queries": 4, "max_support": 24, "max_query": 24}
PLAIN = {"kind": "plain", "batch": 16}
DECODER = load_recipe(packaged_recipes()["scratch-decoder"]).model.model_dump(mode="json")["scratch"]
"""11 million parameters, from random weights."""
AVERAGED = "-averaged"  # what an arm is called whose body is averaged, half and half, with the base
WARM = "warm"  # the language-model head alone, the body frozen: what arms with the plain objective go on from


def smlmt(words: str, **more: object) -> dict[str, Any]:
    every = {"every": 100} if words == "curriculum" else {}
    return {"kind": "smlmt", "words": words, **every, **more}


ARMS: Mapping[str, list[dict[str, Any]]] = {
    "untouched": [],
    "mlm": [PLAIN],
    "smlmt-uniform": [smlmt("uniform")],
    "smlmt-log": [smlmt("log-frequency")],
    "smlmt-clusters": [smlmt("clusters")],
    "smlmt-curriculum": [smlmt("curriculum")],
    "smlmt-mlm": [smlmt("log-frequency", weight=0.7), {**PLAIN, "weight": 0.3}],
    "smlmt-removed": [smlmt("log-frequency", hide="remove")],
    "domains": [{"kind": "domains"}, {"kind": "documents"}],
    "self-supervised": [
        smlmt("log-frequency", weight=0.4),
        smlmt("log-frequency", weight=0.2, hide="remove"),
        {"kind": "documents", "weight": 0.2},
        {"kind": "domains", "weight": 0.1},
        {"kind": "pairs", "weight": 0.1},
    ],
    "labelled": [{"kind": "supervised"}],
    "hybrid": [{"kind": "supervised", "weight": 0.6}, smlmt("log-frequency", weight=0.25), {**PLAIN, "weight": 0.15}],
    "scratch-plain": [PLAIN],
    "scratch-smlmt": [{**PLAIN, "weight": 0.8}, smlmt("log-frequency", weight=0.2)],
    "scratch-hybrid": [
        {**PLAIN, "weight": 0.7},
        smlmt("log-frequency", weight=0.15),
        {"kind": "supervised", "weight": 0.15},
    ],
}
"""The tasks of each arm."""


RATES = {arm: 3e-5 for arm in ARMS if arm.startswith("smlmt")}
"""The others have 1e-4.  On dev (builtin:tiny, seed 0) 3e-5 after 5 CPU-minutes is above 1e-4 after 10 for SMLMT, and
below it for MLM."""


def recipe_of(arm: str, *, model: str, seed: int, minutes: float, length: int) -> dict[str, Any]:
    """Return the recipe of an arm, or of `warm`, as plain values."""
    tasks = [PLAIN] if arm == WARM else ARMS[arm]
    kinds = {task["kind"] for task in tasks}
    labelled = {"data": {"root": "$METAGLOT_DATA/train", "train": LABELLED}} if "supervised" in kinds else {}
    scratch = from_scratch(arm)
    return {
        "name": f"{arm}-{seed}",
        "seed": seed,
        "threads": 1,
        "model": {"max_length": length, **({"scratch": DECODER} if scratch else {"name": model})},
        "text": {"root": "$METAGLOT_DATA/text", "corpora": ["books"], "length": length},
        "tasks": tasks,
        **labelled,
        "episodes": EPISODES,
        "algorithm": {"name": "joint" if kinds == {"plain"} else "protonet"},
        "training": {
            "steps": 1_000_000,  # the budget ends it
            "meta_batch": 4,
            "lr": 1e-3 if scratch or arm == WARM else RATES.get(arm, 1e-4),
            "warmup": 40,
            "schedule": "constant",
            "save_every": 50,
            "freeze": ["*"] if arm == WARM else [],
        },
        "validation": {"every": 50, "batches": 8},
        "budget": {"cpu_minutes": minutes},
    }


def plain_name(arm: str) -> str:
    """Return the arm that is trained for an arm that may be averaged."""
    return arm.removesuffix(AVERAGED)


def from_scratch(arm: str) -> bool:
    """Whether an arm makes a decoder of random weights."""
    return arm.startswith("scratch-")


def needs_warm(arm: str) -> bool:
    """Whether an arm trains the language-model head of a base that has none, or one that was used otherwise."""
    return not from_scratch(arm) and any(task["kind"] == "plain" for task in ARMS[arm])

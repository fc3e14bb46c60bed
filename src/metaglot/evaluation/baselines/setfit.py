"""SetFit: the encoder fine-tuned on pairs of texts (same class or not), then logistic regression on its features.

Tunstall et al. 2022, https://arxiv.org/abs/2209.11055, by the authors' library with its defaults, on our backbone:
pairs by oversampling (every pair at least once, as many of like as of unlike class), one epoch in batches of 16,
cosine loss, AdamW at 2e-5 with a tenth of the steps as warm-up, fp32, and scikit-learn's regression with C = 1.  The
number of steps grows with the square of the support set: 8 shots of 6 classes are 123, 16 shots of 20 classes 6,080.

Needs the extra: pip install 'metaglot[setfit]'.
"""

import importlib.util
import json
import random
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.linear_model import LogisticRegression

from metaglot.adaptation import Encoder
from metaglot.data.examples import Examples, Inputs
from metaglot.data.sentence import POOLINGS
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.method import FittedFunction, class_tasks_only, label_numbers
from metaglot.evaluation.baselines.start import Start
from metaglot.families.family import AnyFamily
from metaglot.models.tail import tail_of
from metaglot.models.turns import turn
from metaglot.seeds import seeded


def begin(start: Start) -> "SetFit":
    """Return the baseline."""
    return setfit(start.backbone.encoder)


def setfit(start: Encoder) -> "SetFit":
    """Return the baseline on `start`, the untouched backbone, loaded as a sentence transformer.

    Raises MetaglotError where the library is not installed.
    """
    if importlib.util.find_spec("setfit") is None:
        raise MetaglotError(
            "the baseline setfit needs a library that is not installed: pip install 'metaglot[setfit]', or leave "
            "setfit out"
        )
    return SetFit(start, sentence_transformer(start))


@dataclass(frozen=True)
class SetFit:
    """SetFit on `body`, a sentence transformer that is copied for each fit."""

    start: Encoder
    body: Any
    name: str = "setfit"

    @property
    def model(self) -> str:
        """The backbone's name."""
        return self.start.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices: the versions, since the defaults are theirs."""
        versions = {name: version(name) for name in ("setfit", "sentence-transformers")}
        return {**versions, "weights": self.start.fingerprint()}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason where a task is not of classes."""
        return class_tasks_only(family, "its pairs are texts of one class or of two")

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> FittedFunction:
        """Return the body and head trained on the support set, with the default arguments of the library."""
        del shot
        from datasets import Dataset
        from transformers.trainer_callback import ProgressCallback

        library = cast("Any", import_module("setfit"))  # an extra; by name, for this module is called the same
        _, numbers = label_numbers(support.targets)
        rows = {"text": self.join_pairs(support.inputs), "label": [int(number) for number in numbers]}
        with tempfile.TemporaryDirectory() as folder, _seeded(seed, self.start) as short_seed:
            model = library.SetFitModel(deepcopy(self.body), LogisticRegression())
            quiet_options: dict[str, Any] = {"report_to": "none", "save_strategy": "no", "logging_strategy": "no"}
            arguments = library.TrainingArguments(
                output_dir=folder, seed=short_seed, show_progress_bar=False, **quiet_options
            )
            trainer = library.Trainer(model, arguments, Dataset.from_dict(rows))
            trainer.st_trainer.remove_callback(ProgressCallback)
            trainer.train()

        def values(inputs: Inputs) -> np.ndarray:
            return np.asarray(model.predict_proba(self.join_pairs(inputs), as_numpy=True, show_progress_bar=False))

        return FittedFunction(family, family.schema(support.targets), values)

    def join_pairs(self, inputs: Inputs) -> list[str]:
        """Return one text for each pair, joined by the tokenizer's separator, since SetFit takes no pairs."""
        separator = self.start.backbone.tokenizer.sep_token or "\n"
        return [text if pair is None else f"{text} {separator} {pair}" for text, pair in inputs.rows()]


def sentence_transformer(start: Encoder) -> Any:
    """Return the backbone as a sentence transformer: the same weights, pooling, normalisation and length."""
    from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]  # an extra

    learner = start.backbone.learner
    module_kinds = ["Transformer", "Pooling", *(["Normalize"] if learner.normalise else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (kind, path) in enumerate(zip(module_kinds, paths, strict=False))
    ]
    if tail_of(learner.module) is not None:
        raise MetaglotError(f"{start.name}: the baseline setfit takes no model with Dense layers; leave setfit out")
    pooling_names = {our_name: name for name, our_name in POOLINGS.items()}
    modes = [pooling_names[name] for name in learner.pooling.split("+")]
    pooling = {"embedding_dimension": learner.hidden_size // len(modes), "pooling_mode": modes}
    with tempfile.TemporaryDirectory() as folder:
        cast("Any", learner.module).base_model.save_pretrained(folder)
        start.backbone.tokenizer.save_pretrained(folder)
        for path in paths[1:]:
            (Path(folder) / path).mkdir()
        (Path(folder) / "1_Pooling" / "config.json").write_text(json.dumps(pooling), "utf-8")
        (Path(folder) / "modules.json").write_text(json.dumps(modules), "utf-8")
        body = SentenceTransformer(folder, device=str(learner.device))
    body.max_seq_length = start.max_length
    return body


@contextmanager
def _seeded(seed: int, start: Encoder) -> Generator[int]:
    """Yield a seed of 32 bits; the library seeds the global generators, whose states are restored afterwards.

    Turns come before the lock of the generators, as everywhere, so that no two threads wait for each other.  The states
    are read under the lock, so that no thread restores a state while another thread draws.
    """
    backbone = start.backbone
    with turn(backbone.learner.module), turn(backbone.tokenizer), seeded(seed, backbone.learner.device):
        states = random.getstate(), np.random.get_state()
        try:
            yield seed % 2**32
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])

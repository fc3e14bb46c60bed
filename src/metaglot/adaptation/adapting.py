"""What is asked of `Model.adapt` becomes a fit: they are checked, and what is not said is chosen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from metaglot.adaptation.arguments import check_seconds
from metaglot.adaptation.auto import fit_auto
from metaglot.adaptation.auto_writing import fit_auto_writing
from metaglot.adaptation.checks import check_examples, check_task
from metaglot.adaptation.choice import SECONDS
from metaglot.adaptation.effort import AUTO, BY_WORDS, WORDS, AsTrained, Effort, check_effort, check_suits
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples
from metaglot.adaptation.load import writer_of
from metaglot.adaptation.pair_choice import check_reads, reader_of, usual_reader
from metaglot.adaptation.support import Names
from metaglot.data.arguments import check_whole, check_words
from metaglot.data.texts import Texts
from metaglot.errors import MetaglotError


class Asked(NamedTuple):
    """How an adaptation is to be made, as a user says it: nothing is checked yet, and None is for us to choose."""

    effort: str | Effort | AsTrained | None = None
    seed: int = 0
    names: Names = True
    seconds: float | None = None
    reads: PairChoice | None = None

    def checked(self, *, pairs: bool) -> "Asked":
        """Return what is asked in its one form; raise MetaglotError for what is of another type or has no use."""
        effort = None if self.effort is None else check_effort(self.effort)
        seed, seconds = check_whole("seed", self.seed), check_seconds("seconds", self.seconds)
        check_words("names", self.names, switch=True)
        if self.reads is not None:
            check_reads(self.reads)
            if not pairs:
                raise MetaglotError(
                    f"reads={self.reads!r} has no use without second texts; give `pairs`, or leave reads out"
                )
        return self._replace(effort=effort, seed=seed, seconds=seconds)


def fit_asked(
    encoder: Encoder, texts: Texts, labels: Sequence[Any], pairs: Sequence[str] | None, task: str | None, asked: Asked
) -> Fit:
    """Return the fit to the examples of a user; raise MetaglotError as `Model.adapt` says."""
    family, labels = check_task(task, labels, texts)
    examples = check_examples(family, texts, labels, pairs)
    effort, seed, names, seconds, reads = asked.checked(pairs=examples.inputs.pairs is not None)
    if effort is None:
        encoder, effort = usual_reader(encoder, family, examples, reads=reads)
    if family.writes is not None and effort not in (WORDS, BY_WORDS):
        encoder = writer_of(encoder)
    if effort == AUTO and family.writes is not None:
        return fit_auto_writing(encoder, family, family.writes, examples, seed=seed, seconds=_budget(seconds))
    if effort == AUTO:
        reader = reader_of(encoder, family, examples, reads=reads)
        return fit_auto(reader, family, examples, seed=seed, names=names, seconds=_budget(seconds))
    chosen = encoder.effort(effort, family) if isinstance(effort, str) else effort
    check_suits(chosen, family)
    return fit_examples(encoder, family, examples, chosen, seed=seed, names=names, reads=reads)


def _budget(seconds: float | None) -> float:
    return SECONDS if seconds is None else seconds

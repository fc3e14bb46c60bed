"""What `metaglot predict` computes: a prediction for each text, in blocks; texts from standard input as they come."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    import numpy as np

    from metaglot.adaptation import Adapted, Encoder, Explanation
    from metaglot.families.family import TokenTools

BLOCK = 256  # texts between two movements of the bar; a multiple of the texts of a batch
READ = 1 << 16  # bytes at most that are read from standard input at once


class Prediction(NamedTuple):
    """What is predicted of a text; nothing of a blank one."""

    blank: bool = True
    label: Any = None  # as JSON: a class, a list of labels, or a number
    shown: str = ""  # the label as tables have it
    probability: float | list[float] | None = None  # of the label, or of each of several; None for a number
    spread: dict[str, float] | None = None  # the probability of each label
    in_scope: float | None = None  # the probability that it is of one of the classes, where that is asked
    why: "Explanation | None" = None


class Question(NamedTuple):
    """What is asked of an adaptation."""

    adapted: "Adapted"
    unknown: str | None  # the label of texts of none of the classes
    explain: bool

    @property
    def probable(self) -> bool:
        """Whether labels have probabilities beside them, as numbers have not, and spans have their own."""
        return self.adapted.fit.family.probable and self.adapted.fit.family.tokens is None

    def predictions(self, inputs: Inputs, advance: Callable[[int], None] = lambda _: None) -> list[Prediction]:
        """Return one prediction a text; `advance` gets the number of further texts that were read."""
        from metaglot.data.empty import empty_rows

        blank = set(empty_rows(inputs.texts, inputs.pairs))
        read = inputs.at(i for i in range(len(inputs)) if i not in blank)
        tools = self.adapted.fit.family.tokens
        if tools is not None:
            found = self._by_token(tools, read, advance)
        else:
            found = iter(self._of_features(self._features(read, advance)))
        return [Prediction() if i in blank else next(found) for i in range(len(inputs))]

    def _by_token(
        self, tools: "TokenTools[Any]", inputs: Inputs, advance: Callable[[int], None]
    ) -> Iterator[Prediction]:
        """Yield what is predicted where a text has many units, whose values are of no text."""
        for at in range(0, len(inputs), BLOCK):
            some = inputs.at(range(at, min(at + BLOCK, len(inputs))))
            for target, (text, second) in zip(
                self.adapted.predictions(some.texts, some.pairs).targets, some.rows(), strict=True
            ):
                yield Prediction(False, *tools.beside(target, text if second is None else second))
            advance(len(some))

    def _features(self, inputs: Inputs, advance: Callable[[int], None]) -> "np.ndarray":
        import numpy as np

        # As within `embed`, so that blocks have the batches of the whole.
        order = np.argsort(inputs.lengths(), kind="stable")
        features = np.zeros((len(inputs), self.adapted.fit.encoder.backbone.learner.hidden_size), np.float32)
        for at in range(0, len(order), BLOCK):
            rows = [int(i) for i in order[at : at + BLOCK]]
            some = inputs.at(rows)
            features[rows] = self.adapted.embed(some.texts, some.pairs)
            advance(len(rows))
        return features

    def _of_features(self, features: "np.ndarray") -> list[Prediction]:
        adapted, family = self.adapted, self.adapted.fit.family
        known = None if self.unknown is None else adapted.in_scope_of_features(features)
        reasons = adapted.explain_features(features) if self.explain else None
        outputs, values, targets = adapted.predictions_of_features(features)
        found: list[Prediction] = []
        for i, (row, target) in enumerate(zip(values, targets, strict=True)):
            chance = None if known is None else float(known[i])
            spread = {name: round(float(p), 6) for name, p in zip(outputs, row, strict=True)}
            label, shown, sure = family.plain(target), family.shown(target), self._sure(target, row, spread)
            if chance is not None and chance < 0.5:
                label, shown, sure = str(self.unknown), str(self.unknown), 1 - chance
            why = None if reasons is None else reasons[i]
            found.append(Prediction(False, label, shown, sure, spread if family.probable else None, chance, why))
        return found

    def _sure(self, target: Any, row: "np.ndarray", spread: Mapping[str, float]) -> float | list[float] | None:
        """Return the probability of a class, or of each of several labels; None of a number."""
        family = self.adapted.fit.family
        if family.exclusive:
            return float(row.max())
        return [spread[name] for name in family.plain(target)] if family.probable else None


def watched(encoder: "Encoder", lines: Iterable[list[str]], say: Callable[[str], None]) -> Iterator[list[str]]:
    """Yield the lines as they come; `say` gets one note where the model was not made for the first lines.

    It is looked again each time that the lines have doubled, so that each is looked at about twice.
    """
    from metaglot.adaptation.scripts import TEXTS, language_note

    seen: list[str] = []
    due = 1  # lines at which it is looked
    for texts in lines:
        if due <= TEXTS:
            seen += [text for text in texts if text.strip()][: TEXTS - len(seen)]
        if due <= len(seen):
            note = language_note(encoder, seen)
            if note:
                say(note)
            due = TEXTS + 1 if note or len(seen) == TEXTS else min(TEXTS, 2 * len(seen))
        yield texts


def lines_as_they_come() -> Iterator[list[str]]:
    """Yield the lines on standard input, blank ones too, as many at a time as are there when they are asked for.

    Raises MetaglotError for what is not UTF-8, and at the end where no line had a text.
    """
    number, some, begun = 0, False, [b""]
    stream = cast("io.BufferedReader", sys.stdin.buffer)
    while data := stream.read1(READ):  # what is there, and waits only where nothing is
        first, *rest = data.split(b"\n")
        begun.append(first)
        if not rest:
            continue
        lines = [b"".join(begun), *rest[:-1]]
        begun = [rest[-1]]
        yield (texts := _decoded(lines, number))
        number, some = number + len(lines), some or any(map(str.strip, texts))
    if last := b"".join(begun):
        yield (texts := _decoded([last], number))
        some = some or bool(texts[0].strip())
    if not some:
        raise MetaglotError("standard input: no texts; write one a line")


def _decoded(lines: Sequence[bytes], before: int) -> list[str]:
    texts: list[str] = []
    for number, line in enumerate(lines, start=before + 1):
        try:
            texts.append(line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            raise MetaglotError(
                f"standard input, line {number}: not UTF-8 ({error}); convert it, for example with iconv"
            ) from error
    return texts

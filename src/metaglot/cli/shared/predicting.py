"""The predictions of `metaglot predict`: one for each text, in blocks; lines of standard input are answered at once."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from metaglot.choices import FAMILIES
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    import numpy as np

    from metaglot.adaptation import Adapted, Encoder, Explanation
    from metaglot.decoding import Decoding
    from metaglot.families.token_tools import TokenTools

BLOCK = 256  # texts between two movements of the bar; a multiple of the texts of a batch
FEW = 64  # texts between two movements where texts are written
READ_BYTES = 1 << 16  # bytes at most that are read from standard input at once


class Writing(NamedTuple):
    """What is known of a text that a model wrote."""

    likelihood: float  # its log-probability, in nats
    tokens: int
    speed: float  # tokens a second, of all texts that were written with it


class Prediction(NamedTuple):
    """The prediction for a text; a blank text has none."""

    blank: bool = True
    label: Any = None  # as JSON: a class, a list of labels, or a number
    text: str = ""  # the label as one text
    probability: float | list[float] | None = None  # of the label, or of each of several labels; None for a number
    probabilities: dict[str, float] | None = None  # the probability of each label
    in_scope: float | None = None  # the probability that the text is of one of the classes, with --unknown
    explanation: "Explanation | None" = None
    writing: "Writing | None" = None


class Question(NamedTuple):
    """An adaptation, and the options of its predictions."""

    adapted: "Adapted"
    unknown: str | None  # the label of texts of none of the classes
    explain: bool
    decoding: "Decoding | None" = None  # of texts that are written

    @property
    def writes(self) -> bool:
        """Whether predictions are texts that are written, each with one probability."""
        return self.adapted.fit.family.writes is not None

    @property
    def probable(self) -> bool:
        """Whether labels have probabilities beside them, as numbers have not, and spans have their own."""
        return self.adapted.fit.family.probable and self.adapted.fit.family.tokens is None

    def shown_text(self, text: str, second: str | None) -> str:
        """Return the text that a prediction is printed beside: of a pair, the one that has predicted spans."""
        kind = FAMILIES.kinds.get(self.adapted.fit.family.name)
        return second if second is not None and kind is not None and kind.cells == "spans" else text

    def predictions(self, inputs: Inputs, advance: Callable[[int], None] = lambda _: None) -> list[Prediction]:
        """Return one prediction a text; `advance` gets the number of further texts that were read."""
        from metaglot.data.texts import empty_rows

        blank = set(empty_rows(inputs.texts, inputs.pairs))
        to_read = inputs.at(number for number in range(len(inputs)) if number not in blank)
        tools = self.adapted.fit.family.tokens
        if self.writes:
            predictions = self._written(to_read, advance)
        elif tools is None:
            predictions = iter(self._predictions_of(self._features(to_read, advance)))
        else:
            predictions = self._predictions_by_token(tools, to_read, advance)
        return [Prediction() if number in blank else next(predictions) for number in range(len(inputs))]

    def _predictions_by_token(
        self, tools: "TokenTools[Any]", inputs: Inputs, advance: Callable[[int], None]
    ) -> Iterator[Prediction]:
        """Yield one prediction a text for a kind whose texts have many units; it has no values of a whole text."""
        for start in range(0, len(inputs), BLOCK):
            block = inputs.at(range(start, min(start + BLOCK, len(inputs))))
            targets = self.adapted.predictions(block.texts, block.pairs).targets
            for target, (text, second) in zip(targets, block.rows(), strict=True):
                yield Prediction(False, *tools.beside(target, text if second is None else second))
            advance(len(block))

    def _written(self, inputs: Inputs, advance: Callable[[int], None]) -> Iterator[Prediction]:
        """Yield one text that is written for each source."""
        for start in range(0, len(inputs), FEW):
            block = inputs.at(range(start, min(start + FEW, len(inputs))))
            found = self.adapted.fit.write(block, decoding=self.decoding, done=advance)
            facts: list[Writing | None] = [None] * len(block)
            if found.likelihoods is not None and found.tokens is not None:
                speed = sum(found.tokens) / max(found.seconds, 1e-9)
                pairs = zip(found.likelihoods, found.tokens, strict=True)
                facts = [Writing(likelihood, tokens, speed) for likelihood, tokens in pairs]
            for text, chance, fact in zip(found.texts, found.chances, facts, strict=True):
                yield Prediction(False, text, text, round(float(chance), 6), writing=fact)

    def _features(self, inputs: Inputs, advance: Callable[[int], None]) -> "np.ndarray":
        import numpy as np

        # The order of `embed`, so that the batches are the same as for all texts at once.
        order = np.argsort(inputs.lengths(), kind="stable")
        features = np.zeros((len(inputs), self.adapted.fit.encoder.width), np.float32)
        for start in range(0, len(order), BLOCK):
            rows = [int(number) for number in order[start : start + BLOCK]]
            block = inputs.at(rows)
            features[rows] = self.adapted.embed(block.texts, block.pairs)
            advance(len(rows))
        return features

    def _predictions_of(self, features: "np.ndarray") -> list[Prediction]:
        adapted, family = self.adapted, self.adapted.fit.family
        scope_probabilities = None if self.unknown is None else adapted.in_scope_of_features(features)
        reasons = adapted.explain_features(features) if self.explain else None
        outputs, values, targets = adapted.predictions_of_features(features)
        predictions: list[Prediction] = []
        for number, (row, target) in enumerate(zip(values, targets, strict=True)):
            in_scope = None if scope_probabilities is None else float(scope_probabilities[number])
            probabilities = {name: round(float(value), 6) for name, value in zip(outputs, row, strict=True)}
            label, text, probability = (
                family.plain(target),
                family.shown(target),
                self._probability_of(target, row, probabilities),
            )
            if in_scope is not None and in_scope < 0.5:
                label, text, probability = str(self.unknown), str(self.unknown), 1 - in_scope
            explanation = None if reasons is None else reasons[number]
            predictions.append(
                Prediction(
                    False, label, text, probability, probabilities if family.probable else None, in_scope, explanation
                )
            )
        return predictions

    def _probability_of(
        self, target: Any, row: "np.ndarray", probabilities: Mapping[str, float]
    ) -> float | list[float] | None:
        """Return the probability of a class, or of each of several labels; None for a number."""
        family = self.adapted.fit.family
        if family.exclusive:
            return float(row.max())
        return [probabilities[name] for name in family.plain(target)] if family.probable else None


def with_language_note(
    encoder: "Encoder", lines: Iterable[list[str]], say: Callable[[str], None]
) -> Iterator[list[str]]:
    """Yield the lines as they come; `say` gets one note where the model was not made for the first lines.

    The check is repeated whenever the number of lines has doubled, so that each line is checked about twice.
    """
    from metaglot.adaptation.scripts import TEXTS, language_note

    read_texts: list[str] = []
    next_count = 1  # lines before the next check
    for texts in lines:
        if next_count <= TEXTS:
            read_texts += [text for text in texts if text.strip()][: TEXTS - len(read_texts)]
        if next_count <= len(read_texts):
            note = language_note(encoder, read_texts)
            if note:
                say(note)
            next_count = TEXTS + 1 if note or len(read_texts) == TEXTS else min(TEXTS, 2 * len(read_texts))
        yield texts


def standard_input_lines() -> Iterator[list[str]]:
    """Yield the lines on standard input, blank ones too: at each call all the lines that have come since the last.

    Raises MetaglotError for text that is not UTF-8, and at the end where no line had a text.
    """
    number, has_text, fragments = 0, False, [b""]
    stream = cast("io.BufferedReader", sys.stdin.buffer)
    while data := stream.read1(READ_BYTES):  # waits only where there is nothing to read
        first, *rest = data.split(b"\n")
        fragments.append(first)
        if not rest:
            continue
        lines = [b"".join(fragments), *rest[:-1]]
        fragments = [rest[-1]]
        yield (texts := _decode(lines, number))
        number, has_text = number + len(lines), has_text or any(map(str.strip, texts))
    if last := b"".join(fragments):
        yield (texts := _decode([last], number))
        has_text = has_text or bool(texts[0].strip())
    if not has_text:
        raise MetaglotError("standard input: no texts; write one a line")


def _decode(lines: Sequence[bytes], count: int) -> list[str]:
    texts: list[str] = []
    for number, line in enumerate(lines, start=count + 1):
        try:
            texts.append(line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r"))
        except UnicodeDecodeError as error:
            raise MetaglotError(
                f"standard input, line {number}: not UTF-8 ({error}); convert it, for example with iconv"
            ) from error
    return texts

"""A look at questions with answers: how many passages have an answer, how long answers are, and which stand often."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean, median

from metaglot.data.answers import LONGEST, Answer, answer_in
from metaglot.data.labels import Label, label_text
from metaglot.data.target_facts import Facts, Grid
from metaglot.data.words import words

SHOWN = 10  # answers in a table
LONG = 60  # characters of an answer that is shown
FEW = 2  # questions without an answer that abstaining is learnt from


def answer_facts(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
    """Return the facts; raise MetaglotError for a cell that holds no answer."""
    texts = [None if cell is None else label_text(cell) for cell in cells]
    answers = [answer_in(cell, name(row)) for row, cell in enumerate(texts)]
    known = [answer for answer in answers if answer is not None]
    there = [answer for answer in known if answer]
    lengths = [len(words(answer.text)) for answer in there] or [0]
    without = len(known) - len(there)
    several = sum(bool(answer.also) for answer in there)
    return Facts(
        answers,
        [
            (
                "questions",
                f"{len(known):,}, of which {without:,} have no answer ({100 * without / max(1, len(known)):.1f} %)",
            ),
            (
                "length of answers",
                f"{mean(lengths):.1f} words on average, median {median(lengths):g}, {max(lengths):,} at most",
            ),
            ("with several right answers", f"{several:,}"),
            ("not known", f"{len(answers) - len(known):,}"),
        ],
        {
            "questions": {"n": len(known), "unanswerable": without, "unknown": len(answers) - len(known)},
            "answers": {"mean_words": mean(lengths), "max_words": max(lengths), "with_several": several},
        },
        [Grid("Answers", ("answer", "questions"), _frequent(there))],
        [*_notes(there, without), *_long(lengths)],
        "with unlike answers",
    )


def _frequent(answers: Sequence[Answer]) -> tuple[tuple[str, ...], ...]:
    """Return the answers that several questions have, the most frequent first."""
    counts = Counter(answer.text for answer in answers)
    return tuple((text[:LONG], f"{count:,}") for text, count in counts.most_common(SHOWN) if count > 1)


def _long(lengths: Sequence[int]) -> list[str]:
    """Return a note on answers that are longer than what is given."""
    long = sum(length > LONGEST for length in lengths)
    way = "leave them out, or shorten them to the part that matters"
    return (
        [f"{long} answers have more than {LONGEST} words; one that is given has so many tokens at most: {way}"]
        if long
        else []
    )


def _notes(answers: Sequence[Answer], without: int) -> list[str]:
    if answers and not without:
        return ["each question has an answer, so that nothing tells when a passage has none"]
    if without and not answers:
        return ["no question has an answer, so that there is nothing to learn"]
    return (
        [f"only {without} question has no answer; a few more tell when a passage has none"] if 0 < without < FEW else []
    )

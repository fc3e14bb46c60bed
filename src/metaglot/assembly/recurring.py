"""Raw text of a recipe as sources of questions with answers: a task for each domain."""

from typing import Any, cast

import numpy as np
import pyarrow as pa

from metaglot.assembly.labelled import targets_for, with_windows
from metaglot.assembly.text import TextSource
from metaglot.config.tasks import RecurringSpans as Settings
from metaglot.data.answer_columns import ANSWERING
from metaglot.data.answers import as_cell
from metaglot.data.corpus import codes_of
from metaglot.data.labels import ANSWERS, with_notes
from metaglot.data.store import tokenise
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.seeds import generator
from metaglot.tasks import Selection, Source, sources_of
from metaglot.tasks.recurring import Passage, RecurringSpans, passages_of

NAME = "recurring-spans"
PASSAGE = 8  # tokens of a passage, at least
LEAST = 10  # questions of a domain that is a task


def recurring_sources(text: TextSource, settings: Settings, *, seed: int) -> list[Source]:
    """Return the questions of each domain, or of all text where domains have too few; a function of the seed.

    Raises MetaglotError where the text has fewer than LEAST questions.
    """
    backbone, max_length = text.backbone, text.recipe.model.max_length
    room = max_length - int(backbone.tokenizer.num_special_tokens_to_add(pair=True)) - PASSAGE
    table = _short_enough(_questions(text, settings, seed), backbone.tokenizer, min(max_length // 2, room))
    if len(table) < LEAST:
        raise MetaglotError(
            f"the text has {len(table)} spans of words that recur in a passage, and {LEAST} are needed; give more "
            "text, or longer passages (length), or a larger share of single words (rare)"
        )
    text.progress.say(f"made {len(table):,} questions of spans that recur")
    examples = tokenise(table, backbone.tokenizer, name=NAME, max_length=max_length, prompt=backbone.prompt)
    targets = targets_for(table, family_called(ANSWERING), backbone, max_length=max_length, source=NAME)
    counts = np.unique(table["domain"].drop_null().to_numpy(), return_counts=True)[1]
    by = ("domain",) if (counts >= LEAST).any() else ()
    sources = sources_of(examples, Selection(group_by=by, min_per_class=LEAST), targets)
    return with_windows(sources, table, backbone, max_length=max_length)


def _questions(text: TextSource, settings: Settings, seed: int) -> pa.Table:
    """Return the questions as a table that `read_table` might have read."""
    raw = text.text.train.table
    groups, domains = codes_of(raw["domain"])
    options = RecurringSpans(
        gap=settings.gap,
        longest=settings.longest,
        each=settings.each,
        rare=settings.rare,
        common=settings.common,
        unanswerable=settings.unanswerable,
    )
    every = passages_of(
        cast("list[str]", raw["text"].to_pylist()),
        raw["document"].to_pylist(),
        groups.tolist(),
        length=settings.length,
    )
    made = list(options.questions(_drawn(every, settings.passages, seed), seed=seed))
    table = pa.table(
        {
            "text": pa.array([one.question for one in made], pa.string()),
            "text_pair": pa.array([one.passage for one in made], pa.string()),
            "label": pa.array([as_cell(one.answer) for one in made], pa.string()),
            "domain": pa.array([domains[one.group] if one.group >= 0 else None for one in made], pa.string()),
            "row": pa.array([one.row for one in made], pa.int64()),
        }
    )
    return with_notes(table, (), ANSWERS)


def _short_enough(table: pa.Table, tokenizer: Any, most: int) -> pa.Table:
    """Return the questions of at most so many tokens, which leave room for a passage."""
    texts = cast("list[str]", table["text"].to_pylist())
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    return table.filter(pa.array([len(one) <= most for one in ids], pa.bool_()))


def _drawn(passages: list[Passage], most: int, seed: int) -> list[Passage]:
    """Return at most so many passages, in their order."""
    if len(passages) <= most:
        return passages
    chosen = generator(seed, "passages").permutation(len(passages))[:most]
    return [passages[i] for i in np.sort(chosen).tolist()]

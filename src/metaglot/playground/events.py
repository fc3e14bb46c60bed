"""What happens when something is clicked: each function returns updates of components, and errors as messages."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import gradio as gr

from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.playground import html
from metaglot.playground.desk import Desk
from metaglot.playground.forms import cell_of, filled, target_of
from metaglot.playground.layout import PICKS, Parts, code_of, named
from metaglot.playground.pictures import map_of
from metaglot.playground.samples import sample
from metaglot.playground.sessions import Work
from metaglot.playground.table import Labelled, Table, examples_of, pasted, uploaded
from metaglot.playground.views import Part, Shown, cells_of_task, expected_of, labels_of, notes_of, shown
from metaglot.playground.words import LANGUAGES, language_of, say

LOG = logging.getLogger("metaglot.playground")
TICK = 0.15  # seconds between two movements of the bar
Updates = dict[Any, Any]
"""Components with their updates."""


def message_of(error: Exception, language: str) -> str:
    """Return what people read of an error: our own message, or that the fault is ours."""
    if isinstance(error, MetaglotError):
        return html.error(str(error), language)
    LOG.error("a fault in the playground", exc_info=error)
    return html.error(say("fault", language, kind=type(error).__name__), language)


def owner_of(request: gr.Request | None) -> str:
    """Return who asks: the name behind the token of a server, or nobody in particular."""
    return str(getattr(request, "username", None) or "")


@dataclass(frozen=True)
class Events:
    """What the components of a page do; the work is done at the desk."""

    desk: Desk
    parts: Parts

    def greet(self, request: gr.Request) -> Updates:
        """Return the page in the language of the browser."""
        language = language_of(str(request.headers.get("accept-language", "")))
        switch = next(name for name, code in LANGUAGES.items() if code == language)
        words = named(self.parts, self.desk.model.name, language) if language != "en" else {}
        return {**words, self.parts.language: gr.update(value=switch)}

    def translate(self, switch: str, key: str, request: gr.Request) -> Updates:
        """Return the page in another language; what was learnt is told anew."""
        language = LANGUAGES[switch]
        words = named(self.parts, self.desk.model.name, language)
        try:
            work = self.desk.sessions.of(key, owner_of(request))
        except MetaglotError:
            return {**words, self.parts.message: "", self.parts.reply: ""}
        return merged(words, self.told(work, language), self._cleared(), self._fields(work, language))

    def show(self, name: str, switch: str) -> tuple[Updates, list[tuple[str, str]]]:
        """Return a ready-made set in the table, and the questions that go with it."""
        chosen = sample(name, LANGUAGES[switch])
        updates = {self.parts.table: _data(chosen.table), self.parts.message: "", self.parts.kind: ""}
        return updates, list(chosen.questions)

    def take(self, read: Callable[[], Table], switch: str) -> Updates:
        """Return a table that was pasted or uploaded."""
        try:
            return {self.parts.table: _data(read()), self.parts.message: ""}
        except Exception as error:
            return {self.parts.message: message_of(error, LANGUAGES[switch])}

    def paste(self, text: str, kind: str, switch: str) -> Updates:
        """Return what was pasted, in the table."""
        return self.take(lambda: pasted(text, kind or None), switch)

    def upload(self, path: str, kind: str, switch: str) -> Updates:
        """Return what was uploaded, in the table."""
        return self.take(lambda: uploaded(path, kind or None), switch)

    def learn(
        self, frame: Any, kind: str, effort: str, key: str, switch: str, request: gr.Request
    ) -> Iterator[tuple[Updates, str, bool]]:
        """Yield the bar while the examples are learnt, then what was learnt; with the key, and whether it is done."""
        language = LANGUAGES[switch]
        try:
            table = table_of(frame)
            labelled = examples_of(table, kind or None)
            future, guess = self.desk.learn(labelled, table.headers, effort), self.desk.estimate(labelled, effort)
            for bar in _watched(future, len(labelled.examples), guess, language):
                yield {self.parts.message: bar, self.parts.learn: gr.update(interactive=False)}, key, False
            work = future.result()
            key = self.desk.sessions.keep(work, owner_of(request), key)
            yield merged(self.told(work, language), self._cleared(), self._fields(work, language)), key, True
        except Exception as error:
            failed: Updates = {self.parts.learn: gr.update(interactive=True), self.parts.maps: ""}
            yield {**failed, self.parts.message: message_of(error, language)}, key, False

    def told(self, work: Work, language: str) -> Updates:
        """Return what was learnt, and the pictures."""
        adapted = work.adapted
        summary = html.summary(adapted.fit.count, work.seconds, expected_of(adapted), notes_of(adapted), language)
        if adapted.fit.family.exclusive is not None and expected_of(adapted) is None:
            summary += f'<p class="mg-note">{say("no_expect", language)}</p>'
        return {
            self.parts.message: summary,
            self.parts.maps: html.maps(map_of(adapted), language),
            self.parts.learn: gr.update(interactive=True),
            self.parts.kept: "",
            self.parts.trying: gr.update(visible=True),
        }

    def ask(self, text: str, second: str, key: str, switch: str, request: gr.Request) -> Updates:
        """Return the prediction for a text."""
        language = LANGUAGES[switch]
        try:
            work = self.desk.sessions.of(key, owner_of(request))
            return self._answered(work, text, second, language)
        except Exception as error:
            return {**self._cleared(), self.parts.reply: message_of(error, language)}

    def correct(
        self, cell: Any, asked: tuple[str, str], frame: Any, key: str, switch: str, request: gr.Request
    ) -> Iterator[Updates]:
        """Yield the bar while a correction is learnt, then the prediction that it makes; the table gets its row."""
        language = LANGUAGES[switch]
        try:
            owner = owner_of(request)
            work = self.desk.sessions.of(key, owner)
            row = filled(work.header, asked, json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else cell)
            text, second, target = target_of(work.header, row, work.adapted.fit.family)
            examples = Examples(Inputs.of([text], None if second is None else [second]), (target,))
            labelled = Labelled(work.adapted.fit.family.name, examples)
            future = self.desk.add(work, labelled)
            guess = max(0.4, work.seconds if not work.adapted.effort.closed_form else 0.0)
            for bar in _watched(future, work.adapted.fit.count + 1, guess, language):
                yield {self.parts.reply: bar}
            more = future.result()
            self.desk.sessions.keep(more, owner, key)
            note = f"<p><strong>{say('corrected', language, count=more.adapted.fit.count)}</strong></p>"
            answered = self._answered(more, *asked, language, note)
            yield {**self.told(more, language), **answered, self.parts.table: _with_row(frame, work.header, row)}
        except Exception as error:
            yield {self.parts.reply: message_of(error, language)}

    def pack(self, key: str, switch: str, request: gr.Request) -> Updates:
        """Return the adapted model as a file."""
        try:
            work = self.desk.sessions.of(key, owner_of(request))
            return {self.parts.file: gr.update(value=str(self.desk.packed(work.adapted)))}
        except Exception as error:
            return {self.parts.message: message_of(error, LANGUAGES[switch]), self.parts.file: gr.update(value=None)}

    def keep(self, key: str, switch: str, request: gr.Request) -> Updates:
        """Return the name of the task that what was learnt becomes on the server."""
        language = LANGUAGES[switch]
        try:
            work = self.desk.sessions.of(key, owner_of(request))
            assert self.desk.keep is not None, "a page without a server"
            return {self.parts.kept: html.kept(self.desk.keep(work, owner_of(request)), language)}
        except Exception as error:
            return {self.parts.kept: message_of(error, language)}

    def _answered(self, work: Work, text: str, second: str, language: str, note: str = "") -> Updates:
        found = shown(work.adapted, text, second or None)
        content = second if work.adapted.fit.paired and second else text
        answer: Updates = {
            self.parts.reply: note + html.prediction(found, language),
            self.parts.marked: gr.update(value=_marked(found, language), visible=bool(found.parts)),
            self.parts.code: code_of(text, second if work.adapted.fit.paired else None, language),
        }
        return merged(self._cleared(), answer, self._correctors(work, found, content))

    def _correctors(self, work: Work, found: Shown, content: str) -> Updates:
        """Return the field in which a prediction is corrected: a click where there are labels to choose from."""
        family, labels = work.adapted.fit.family, list(labels_of(work.adapted))
        if family.exclusive is not None:
            return {self.parts.right: gr.update(choices=labels, value=None, visible=True), **self._mending("")}
        if cells_of_task(work.adapted) == "several":
            value = [label for label in labels if label in found.target]
            chosen = gr.update(choices=labels, value=value, visible=True)
            return {self.parts.several: chosen, self.parts.mend_do: gr.update(visible=True)}
        return self._mending(cell_of(work.header, found.target, content, family))

    def _mending(self, value: str) -> Updates:
        return {self.parts.mend: gr.update(value=value, visible=True), self.parts.mend_do: gr.update(visible=True)}

    def _fields(self, work: Work, language: str) -> Updates:
        """Return the fields of a question, as the kind of task has them."""
        paired = bool(work.adapted.fit.paired)
        word = say("question" if paired else "text", language)
        new_class = "wrong_other" if work.adapted.fit.family.exclusive is not None else "wrong_text"
        return {
            self.parts.text: gr.update(label=word),
            self.parts.second: gr.update(visible=paired),
            self.parts.mend: gr.update(label=say(new_class, language), visible=False),
        }

    def _cleared(self) -> Updates:
        """Return the answer of a question emptied."""
        fields = (self.parts.marked, self.parts.right, self.parts.several, self.parts.mend_do)
        hidden: Updates = {part: gr.update(visible=False) for part in fields}
        return {**hidden, self.parts.reply: "", self.parts.mend: gr.update(visible=False, value="")}


def merged(*several: Updates) -> Updates:
    """Return the updates of each component as one; what comes later counts."""
    whole: Updates = {}
    for updates in several:
        for part, update in updates.items():
            both = isinstance(update, dict) and isinstance(whole.get(part), dict)
            whole[part] = {**whole[part], **update} if both else update
    return whole


def picks_of(parts: Parts, questions: Sequence[Sequence[str]]) -> Updates:
    """Return the buttons of questions to click."""
    texts = [one[0] for one in questions][:PICKS]
    shown_texts = [*texts, *[""] * (PICKS - len(texts))]
    return {part: gr.update(value=one, visible=bool(one)) for part, one in zip(parts.picks, shown_texts, strict=True)}


def table_of(frame: Any) -> Table:
    """Return the table in the page, without rows that are empty."""
    rows = [tuple("" if cell is None or cell != cell else str(cell) for cell in row) for row in frame.values.tolist()]
    return Table(tuple(map(str, frame.columns)), tuple(row for row in rows if any(cell.strip() for cell in row)))


def _data(table: Table) -> dict[str, Any]:
    return {"headers": list(table.headers), "data": [list(row) for row in table.rows]}


def _with_row(frame: Any, header: tuple[str, ...], row: tuple[str, ...]) -> Any:
    """Return the table with one more row; as it is where its columns are others by now."""
    table = table_of(frame)
    return _data(Table(header, (*table.rows, row))) if table.headers == header else gr.skip()


def _watched(future: "Future[Work]", count: int, guess: float, language: str) -> Iterator[str]:
    """Yield the bar until the work is done."""
    begin = time.monotonic()
    while not future.done():
        if not future.running():
            begin = time.monotonic()
            yield f"<p>{say('busy', language)}</p>"
        else:
            yield html.progress(count, time.monotonic() - begin, guess, language)
        time.sleep(TICK)


def _marked(found: Shown, language: str) -> list[tuple[str, str | None]]:
    """Return the pieces of a text as gr.HighlightedText takes them, with probabilities beside the labels."""
    return [(part.text, _label(part, language)) for part in found.parts]


def _label(part: Part, language: str) -> str | None:
    if part.label is None or part.probability is None:
        return part.label
    return f"{part.label or say('answer', language)} {part.probability:.2f}"

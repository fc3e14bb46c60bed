"""The page: examples, learning, questions and the model to take along, as Blocks of Gradio.

https://www.gradio.app/docs/gradio/blocks
"""

import os
import tempfile

# Both are read when gradio is imported: nothing is sent anywhere, and uploads lie where no other user reads them.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="metaglot-page-")

import atexit
import shutil
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.blocks import Block

from metaglot.playground.desk import Desk
from metaglot.playground.events import Events, picks_of
from metaglot.playground.layout import Parts, laid_out

atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
EMPTY = {"headers": ["text", "label"], "data": [["", ""]] * 3}
FETCH = "() => { const a = document.querySelector('#mg-file'); (a.querySelector('a') || a).click(); }"
mount = gr.mount_gradio_app
QUIET: dict[str, Any] = {"api_visibility": "private"}
HIDDEN: dict[str, Any] = {**QUIET, "show_progress": "hidden"}


def blocks(desk: Desk) -> gr.Blocks:
    """Return the page over a desk, to be launched or mounted in an application."""
    with gr.Blocks(title="metaglot", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        parts = laid_out(desk.model.name, keeps=desk.keep is not None)
        states = gr.State(""), gr.State([]), gr.State(("", "")), gr.State(False)
        wires = Wires(Events(desk, parts), parts, _components(parts), *states)
        page.load(wires.events.greet, None, wires.whole, **QUIET)
        wires.examples()
        wires.learning()
        wires.questions_asked()
        wires.corrections()
    page.queue(max_size=64, default_concurrency_limit=16)
    return page


@dataclass(frozen=True)
class Wires:
    """What is connected with what: the components, and what the page remembers of a visitor."""

    events: Events
    parts: Parts
    whole: list[Any]  # all components
    key: gr.State  # of the visitor's work
    questions: gr.State  # to click, of the set in the table
    asked: gr.State  # the text and second text of the last prediction
    fresh: gr.State  # whether what was learnt last is to be asked at once

    @property
    def inputs(self) -> list[Any]:
        """What a question is made of."""
        return [self.parts.text, self.parts.second, self.key, self.parts.language]

    @property
    def outputs(self) -> list[Any]:
        """All that an event may change."""
        return [*self.whole, self.key, self.asked, self.fresh]

    def examples(self) -> None:
        """Connect what fills the table."""
        parts, filled = self.parts, [self.parts.table, self.parts.message, self.questions]

        def show(name: str, switch: str) -> Any:
            updates, new = self.events.show(name, switch)
            return {**updates, self.questions: new}

        def paste(text: str, kind: str, switch: str) -> Any:
            return {**self.events.paste(text, kind, switch), self.questions: []}

        def upload(path: str, kind: str, switch: str) -> Any:
            return {**self.events.upload(path, kind, switch), self.questions: []}

        for name, button in parts.samples.items():
            button.click(partial(show, name), parts.language, [*filled, parts.kind], **QUIET)
        parts.paste_do.click(paste, [parts.paste, parts.kind, parts.language], filled, **QUIET)
        parts.upload.upload(upload, [parts.upload, parts.kind, parts.language], filled, **QUIET)
        parts.clear.click(lambda: (EMPTY, "", []), None, filled, **QUIET)

    def learning(self) -> None:
        """Connect learning; the first question is asked at once."""
        parts = self.parts

        def learn(frame: Any, kind: str, effort: str, held: str, switch: str, request: gr.Request) -> Any:
            for updates, new, done in self.events.learn(frame, kind, effort, held, switch, request):
                yield {**updates, self.key: new, self.fresh: done}

        def first(new: list[tuple[str, str]]) -> Any:
            updates: dict[Any, Any] = picks_of(parts, new)
            return {**updates, **({parts.text: new[0][0], parts.second: new[0][1]} if new else {})}

        def begin(done: bool, text: str, second: str, held: str, switch: str, request: gr.Request) -> Any:
            return self._ask(text, second, held, switch, request) if done and text else {parts.reply: ""}

        inputs = [parts.table, parts.kind, parts.effort, self.key, parts.language]
        learnt = parts.learn.click(learn, inputs, self.outputs, trigger_mode="once", **HIDDEN)
        learnt = learnt.then(first, self.questions, [*parts.picks, parts.text, parts.second], **HIDDEN)
        learnt.then(begin, [self.fresh, *self.inputs], self.outputs, **HIDDEN)
        switched = parts.language.input(self.events.translate, [parts.language, self.key], self.whole, **HIDDEN)
        switched.then(begin, [self.fresh, *self.inputs], self.outputs, **HIDDEN)

    def questions_asked(self) -> None:
        """Connect questions: those that are written, and those to click."""
        parts = self.parts

        def pick(number: int, new: list[tuple[str, str]]) -> Any:
            return tuple(new[number]) if number < len(new) else ("", "")

        for trigger in (parts.ask.click, parts.text.submit):
            trigger(self._ask, self.inputs, self.outputs, **HIDDEN)
        for number, button in enumerate(parts.picks):
            chosen = button.click(partial(pick, number), self.questions, [parts.text, parts.second], **HIDDEN)
            chosen.then(self._ask, self.inputs, self.outputs, **HIDDEN)

    def corrections(self) -> None:
        """Connect corrections, by a click or in writing, and what is taken along or kept."""
        parts, correct = self.parts, self.events.correct

        def mend(
            cell: str, several: list[str], at: tuple[str, str], frame: Any, held: str, switch: str, request: gr.Request
        ) -> Any:
            yield from correct(cell or several, at, frame, held, switch, request)

        more = [self.asked, parts.table, self.key, parts.language]
        parts.right.input(correct, [parts.right, *more], self.whole, **HIDDEN)
        for trigger in (parts.mend_do.click, parts.mend.submit):
            trigger(mend, [parts.mend, parts.several, *more], self.whole, **HIDDEN)
        packed = parts.download.click(
            self.events.pack, [self.key, parts.language], [parts.file, parts.message], **QUIET
        )
        packed.success(None, None, None, js=FETCH, **QUIET)
        parts.keep.click(
            self.events.keep,
            [self.key, parts.language],
            [parts.kept],
            trigger_mode="once",
            show_progress="hidden",
            **QUIET,
        )

    def _ask(self, text: str, second: str, held: str, switch: str, request: gr.Request) -> Any:
        return {**self.events.ask(text, second, held, switch, request), self.asked: (text, second)}


def _components(parts: Parts) -> list[Any]:
    """Return every component of the page."""
    flat = [
        one
        for value in vars(parts).values()
        for one in (value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value])
    ]
    return [one for one in flat if isinstance(one, Block)]

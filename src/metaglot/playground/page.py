"""The page: examples, learning, questions and the model to take along, as Blocks of Gradio.

https://www.gradio.app/docs/gradio/blocks
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported: nothing is sent anywhere

from functools import partial
from typing import Any

import gradio as gr
from gradio.blocks import Block

from metaglot.playground.desk import Desk
from metaglot.playground.events import Events, picks_of
from metaglot.playground.layout import Parts, laid_out

EMPTY = {"headers": ["text", "label"], "data": [["", ""]] * 3}
FETCH = "() => { const a = document.querySelector('#mg-file'); (a.querySelector('a') || a).click(); }"
mount = gr.mount_gradio_app
QUIET: dict[str, Any] = {"api_visibility": "private"}


def blocks(desk: Desk) -> gr.Blocks:
    """Return the page over a desk, to be launched or mounted in an application."""
    with gr.Blocks(title="metaglot", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        parts = laid_out(desk.model.name)
        key, questions, asked = gr.State(""), gr.State([]), gr.State(("", ""))
        events = Events(desk, parts)
        whole = _components(parts)
        page.load(events.greet, None, whole, **QUIET)
        parts.language.input(events.translate, [parts.language, key], whole, **QUIET)
        _examples(events, questions)
        _asking(events, key, questions, asked, whole)
    page.queue(max_size=64, default_concurrency_limit=16)
    return page


def _examples(events: Events, questions: gr.State) -> None:
    """Connect what fills the table."""
    parts = events.parts

    def show(name: str, switch: str) -> Any:
        updates, new = events.show(name, switch)
        return {**updates, questions: new}

    filled = [parts.table, parts.message]
    for name, button in parts.samples.items():
        button.click(partial(show, name), parts.language, [*filled, parts.kind, questions], **QUIET)
    parts.paste_do.click(events.paste, [parts.paste, parts.kind, parts.language], filled, **QUIET)
    parts.upload.upload(events.upload, [parts.upload, parts.kind, parts.language], filled, **QUIET)
    parts.clear.click(lambda: (EMPTY, []), None, [parts.table, questions], **QUIET)


def _asking(events: Events, key: gr.State, questions: gr.State, asked: gr.State, whole: list[Any]) -> None:
    """Connect learning, questions, corrections and the download."""
    parts = events.parts

    def learn(frame: Any, kind: str, effort: str, held: str, switch: str, request: gr.Request) -> Any:
        for updates, new in events.learn(frame, kind, effort, held, switch, request):
            yield {**updates, key: new}

    def first(new: list[tuple[str, str]]) -> Any:
        updates: dict[Any, Any] = picks_of(parts, new)
        return {**updates, **({parts.text: new[0][0], parts.second: new[0][1]} if new else {})}

    def ask(text: str, second: str, held: str, switch: str, request: gr.Request) -> Any:
        return {**events.ask(text, second, held, switch, request), asked: (text, second)}

    outputs = [*whole, key, asked]
    inputs = [parts.text, parts.second, key, parts.language]
    learnt = [parts.table, parts.kind, parts.effort, key, parts.language]
    hidden: dict[str, Any] = {**QUIET, "show_progress": "hidden"}

    def begin(text: str, second: str, held: str, switch: str, request: gr.Request) -> Any:
        return ask(text, second, held, switch, request) if text and held else {parts.reply: ""}

    done = parts.learn.click(learn, learnt, outputs, trigger_mode="once", **hidden)
    asking = done.then(first, questions, [*parts.picks, parts.text, parts.second], **hidden)
    asking.then(begin, inputs, outputs, **hidden)
    for trigger in (parts.ask.click, parts.text.submit):
        trigger(ask, inputs, outputs, **hidden)
    for number, pick in enumerate(parts.picks):
        chosen = pick.click(
            lambda new, n=number: tuple(new[n]) if n < len(new) else ("", ""), questions, inputs[:2], **hidden
        )
        chosen.then(ask, inputs, outputs, **hidden)
    more = [asked, parts.table, key, parts.language]
    parts.right.input(events.correct, [parts.right, *more], whole, **hidden)
    _mending(events, more, whole, hidden)
    packed = parts.download.click(events.pack, [key, parts.language], [parts.file, parts.message], **QUIET)
    packed.success(None, None, None, js=FETCH, **QUIET)


def _mending(events: Events, more: list[Any], whole: list[Any], hidden: dict[str, Any]) -> None:
    """Connect corrections that are written, or chosen from several labels."""
    parts = events.parts

    def mended(
        cell: str, several: list[str], at: tuple[str, str], frame: Any, held: str, switch: str, request: gr.Request
    ) -> Any:
        yield from events.correct(cell or several, at, frame, held, switch, request)

    inputs = [parts.mend, parts.several, *more]
    parts.mend_do.click(mended, inputs, whole, **hidden)
    parts.mend.submit(mended, inputs, whole, **hidden)


def _components(parts: Parts) -> list[Any]:
    """Return every component of the page."""
    flat = [
        one
        for value in vars(parts).values()
        for one in (value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value])
    ]
    return [one for one in flat if isinstance(one, Block)]

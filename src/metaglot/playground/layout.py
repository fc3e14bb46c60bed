"""The components of the page, from top to bottom, and what each is called in a language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from metaglot.choices import FAMILIES
from metaglot.playground import html
from metaglot.playground.desk import EFFORTS
from metaglot.playground.samples import ORDER
from metaglot.playground.words import LANGUAGES, say

PICKS = 4  # questions to click
CODE = 'import metaglot as mg\nmodel = mg.load("my-model")  # {comment}\nprint(model.predict({text}))'


@dataclass(frozen=True)
class Parts:
    """The components that events read and write."""

    top: gr.HTML
    language: gr.Radio
    heads: tuple[gr.HTML, ...]  # of the four steps
    samples: Mapping[str, gr.Button]
    table: gr.Dataframe
    own: gr.Accordion
    paste: gr.Textbox
    paste_do: gr.Button
    upload: gr.UploadButton
    clear: gr.Button
    kind: gr.Dropdown
    effort: gr.Radio
    learn: gr.Button
    message: gr.HTML
    maps: gr.HTML
    trying: gr.Column
    text: gr.Textbox
    second: gr.Textbox
    ask: gr.Button
    picks: tuple[gr.Button, ...]
    reply: gr.HTML
    marked: gr.HighlightedText
    right: gr.Radio
    several: gr.CheckboxGroup
    mend: gr.Textbox
    mend_do: gr.Button
    download: gr.Button
    file: gr.DownloadButton
    keep: gr.Button
    kept: gr.HTML
    code: gr.Code


def laid_out(name: str, *, keeps: bool = False) -> Parts:
    """Return the components, laid out in the Blocks that are open; `name` is that of the model.

    `keeps`: there is a button to keep what was learnt as a task of the server.
    """
    with gr.Row(elem_id="mg-top"):
        top = gr.HTML(html.top(name, "en"), min_width=200, padding=False)
        names = list(LANGUAGES)
        language = gr.Radio(names, value=names[0], show_label=False, container=False, min_width=190, scale=0)
    first, examples = _head(1), _examples()
    second, learning = _head(2), _learning()
    with gr.Column(visible=False) as trying:
        third, asking = _head(3), {**_asking(), **_mending()}
        fourth, keeping = _head(4), _keeping(keeps=keeps)
    heads = (first, second, third, fourth)
    return Parts(top=top, language=language, heads=heads, trying=trying, **examples, **learning, **asking, **keeping)


def _examples() -> dict[str, Any]:
    """Return the components of the first step: ready examples, the table, and other ways into it."""
    with gr.Row():
        samples = {one: gr.Button(say(one, "en"), size="md", min_width=140, elem_id=f"mg-{one}") for one in ORDER}
    table = gr.Dataframe(
        {"headers": ["text", "label"], "data": [["", ""]] * 3},
        label=say("table", "en"),
        interactive=True,
        wrap=True,
        max_height=330,
        elem_id="mg-table",
        buttons=[],
    )
    with gr.Accordion(say("own", "en"), open=False) as own:
        paste = gr.Textbox(label=say("paste", "en"), placeholder=say("paste_hint", "en"), lines=4, elem_id="mg-paste")
        with gr.Row():
            paste_do = gr.Button(say("paste_do", "en"), min_width=140)
            upload = gr.UploadButton(say("upload", "en"), min_width=200, elem_id="mg-upload")
            clear = gr.Button(say("clear", "en"), min_width=120)
        kind = gr.Dropdown(kinds("en"), value="", label=say("kind", "en"))
    ways = {"paste": paste, "paste_do": paste_do, "upload": upload, "clear": clear, "kind": kind}
    return {"samples": samples, "table": table, "own": own, **ways}


def _learning() -> dict[str, Any]:
    """Return the components of the second step: how much work, the button, and what came of it."""
    return {
        "effort": gr.Radio(efforts("en"), value="instant", label=say("effort", "en"), elem_id="mg-effort"),
        "learn": gr.Button(say("learn", "en"), variant="primary", size="lg", elem_id="mg-learn"),
        "message": gr.HTML(elem_id="mg-message", padding=False),
        "maps": gr.HTML(elem_id="mg-maps", padding=False),
    }


def _asking() -> dict[str, Any]:
    """Return the components of the third step that ask and answer: a text, questions to click, the reply."""
    with gr.Row():
        text = gr.Textbox(label=say("text", "en"), lines=2, scale=4, min_width=240, elem_id="mg-text")
        second = gr.Textbox(label=say("second", "en"), lines=2, scale=4, min_width=240, visible=False)
    ask = gr.Button(say("ask", "en"), variant="primary", elem_id="mg-ask")
    with gr.Row():
        picks = tuple(gr.Button("", size="sm", visible=False, min_width=200) for _ in range(PICKS))
    reply = gr.HTML(elem_id="mg-reply", padding=False)
    marked = gr.HighlightedText(label=say("marked", "en"), show_legend=True, visible=False, elem_id="mg-marked")
    return {"text": text, "second": second, "ask": ask, "picks": picks, "reply": reply, "marked": marked}


def _mending() -> dict[str, Any]:
    """Return the components of the third step that correct a reply: labels to choose, or a text."""
    right = gr.Radio([], label=say("wrong", "en"), visible=False, elem_id="mg-right")
    several = gr.CheckboxGroup([], label=say("wrong", "en"), visible=False)
    with gr.Row():
        mend = gr.Textbox(label=say("wrong_text", "en"), visible=False, scale=4, min_width=240, elem_id="mg-mend")
        mend_do = gr.Button(say("wrong_do", "en"), visible=False, min_width=120, elem_id="mg-mend-do")
    return {"right": right, "several": several, "mend": mend, "mend_do": mend_do}


def _keeping(*, keeps: bool) -> dict[str, Any]:
    """Return the components of the fourth step: the download, a task of the server, and code."""
    return {
        "download": gr.Button(say("download", "en"), elem_id="mg-download"),
        "file": gr.DownloadButton("zip", elem_id="mg-file", visible=True),
        "keep": gr.Button(say("keep", "en"), elem_id="mg-keep", visible=keeps),
        "kept": gr.HTML(elem_id="mg-kept", padding=False),
        "code": gr.Code(language="python", interactive=False, label="Python", wrap_lines=True, elem_id="mg-code"),
    }


def named(parts: Parts, name: str, language: str) -> dict[Any, Any]:
    """Return an update of each component that has words."""
    updates: dict[Any, Any] = {
        part: gr.update(value=html.step(number, language)) for number, part in enumerate(parts.heads, 1)
    }
    updates[parts.top] = gr.update(value=html.top(name, language))
    updates |= {part: gr.update(value=say(key, language)) for key, part in _buttons(parts).items()}
    updates |= {part: gr.update(label=say(key, language)) for key, part in _labels(parts).items()}
    updates[parts.upload] = gr.update(label=say("upload", language))
    updates[parts.several] = gr.update(label=say("wrong", language))
    updates[parts.paste] = gr.update(label=say("paste", language), placeholder=say("paste_hint", language))
    updates[parts.kind] = gr.update(label=say("kind", language), choices=kinds(language))
    updates[parts.effort] = gr.update(label=say("effort", language), choices=efforts(language))
    return updates


def kinds(language: str) -> list[tuple[str, str]]:
    """Return the kinds of tasks to choose from: found from the labels, or one by name."""
    known = [(f"{name} ({kind.words})" if kind.words else name, name) for name, kind in FAMILIES.kinds.items()]
    return [(say("kind_auto", language), ""), *known]


def efforts(language: str) -> list[tuple[str, str]]:
    """Return the efforts to choose from."""
    return [(say(one, language), one) for one in EFFORTS]


def code_of(text: str, second: str | None, language: str) -> str:
    """Return three lines of Python that use the downloaded model on a text, or a pair of texts."""
    content = repr(text) if second is None else f"({text!r}, {second!r})"
    return CODE.format(comment=say("comment", language), text=content)


def _head(number: int) -> gr.HTML:
    return gr.HTML(html.step(number, "en"), padding=False)


def _buttons(parts: Parts) -> dict[str, Any]:
    single = {"paste_do": parts.paste_do, "clear": parts.clear, "learn": parts.learn, "ask": parts.ask}
    return {**parts.samples, **single, "wrong_do": parts.mend_do, "download": parts.download, "keep": parts.keep}


def _labels(parts: Parts) -> dict[str, Any]:
    fields = {"table": parts.table, "own": parts.own, "text": parts.text, "second": parts.second}
    return {**fields, "marked": parts.marked, "wrong": parts.right, "wrong_text": parts.mend}

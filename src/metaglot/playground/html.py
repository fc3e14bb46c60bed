"""Pieces of the page as HTML; every text that comes from people is escaped."""

from collections.abc import Sequence
from html import escape
from math import exp

from metaglot.adaptation import Evidence, Expected
from metaglot.playground.pictures import Map, drawn
from metaglot.playground.views import Shown
from metaglot.playground.words import say


def step(number: int, language: str) -> str:
    """Return the heading of a step, with what there is to do."""
    title, hint = (escape(say(f"{key}_{number}", language)) for key in ("step", "help"))
    return f'<h2 class="mg-step"><b>{number}</b>{title}</h2><p class="mg-note">{hint}</p>'


def top(name: str, language: str) -> str:
    """Return the title of the page."""
    title, lead, model = (say(key, language, name=name) for key in ("title", "lead", "model"))
    note = f'<p class="mg-note">{escape(model)}</p>'
    return f'<h1 class="mg-title">{escape(title)}</h1><p class="mg-lead">{escape(lead)}</p>{note}'


def error(message: str, language: str) -> str:
    """Return a message about what did not work."""
    head = escape(say("error", language))
    return f'<div class="mg-error" role="alert"><strong>{head}.</strong> {escape(message)}</div>'


def progress(count: int, seconds: float, estimate: float, language: str) -> str:
    """Return a bar that fills towards its end as the seconds near the estimate, and never says that it is done."""
    share = min(0.97, 1 - exp(-1.6 * seconds / max(estimate, 0.1)))
    words = escape(say("learning", language, count=count, seconds=seconds))
    bar = f'<div class="mg-track"><div class="mg-fill" style="width:{100 * share:.0f}%"></div></div>'
    return f'<div role="progressbar" aria-valuenow="{100 * share:.0f}">{words}{bar}</div>'


def summary(count: int, seconds: float, found: Expected | None, notes: Sequence[str], language: str) -> str:
    """Return what was learnt, and how good it is likely to be; `found` is None where nobody can tell."""
    parts = [f"<p><strong>{escape(say('learnt', language, count=count, seconds=seconds))}</strong></p>"]
    parts += [] if found is None else [expectation(found, language)]
    head = escape(say("note", language))
    parts += [f'<div class="mg-warn"><strong>{head}:</strong> {escape(note)}</div>' for note in notes]
    return "".join(parts)


def expectation(found: Expected, language: str) -> str:
    """Return the accuracy to expect, with its interval, and what more examples would bring."""
    low, high, at = 100 * found.low, 100 * found.high, 100 * found.accuracy
    words = say("interval", language, accuracy=at, low=low, high=high)
    k = round(found.per_class)
    more = say("doubled", language, k=k, more=2 * k, points=100 * found.doubled)
    return (
        f'<p class="mg-head">{escape(say("expect", language))}: {escape(words)}</p><div class="mg-track">'
        f'<div class="mg-span" style="left:{low:.0f}%;width:{high - low:.0f}%"></div>'
        f'<div class="mg-dot" style="left:calc({at:.0f}% - 4px)"></div></div><p class="mg-note">{escape(more)}</p>'
    )


def maps(known: Map | None, language: str) -> str:
    """Return the pictures before and after; nothing where texts are no points."""
    if known is None:
        return ""
    note = say("map_note", language)
    both = [(known.before, say("before", language)), (known.after, say("after", language))]
    pictures = "".join(f"<div>{drawn(places, known, title=title, description=note)}</div>" for places, title in both)
    return f'<div class="mg-maps">{pictures}</div><p class="mg-note">{escape(note)}</p>'


def kept(task: str, language: str) -> str:
    """Return under which name the server has what was learnt, and how it is asked."""
    words = escape(say("kept", language, task=task))
    return f"<p>{words}<br><code>POST /v1/tasks/{escape(task)}/predict</code></p>"


def prediction(one: Shown, language: str) -> str:
    """Return what is predicted, the probabilities, and the examples that decided."""
    decided = say("none_but", language, label=one.decided) if one.outside else one.decided
    parts = [f'<p class="mg-note">{escape(say("decided", language))}</p><p class="mg-said">{escape(decided)}</p>']
    if one.bars:
        rows = "".join(_bar(bar.name, bar.share) for bar in one.bars)
        parts.append(f'<div class="mg-bars">{rows}</div>')
    if one.in_scope is not None:
        parts.append(f'<p class="mg-note">{escape(say("in_scope", language, share=100 * one.in_scope))}</p>')
    if one.reasons:
        label = one.bars[0].name if one.bars else one.decided
        because = say("because", language, label=label, instead=one.instead)
        rows = "".join(_reason(reason, language) for reason in one.reasons)
        parts.append(f'<p class="mg-head">{escape(because)}</p><ul class="mg-why">{rows}</ul>')
    return "".join(parts)


def _bar(name: str, share: float) -> str:
    track = f'<div class="mg-track"><div class="mg-fill" style="width:{100 * share:.1f}%"></div></div>'
    return f'<span class="name">{escape(name)}</span>{track}<span class="share">{100 * share:.0f} %</span>'


def _reason(reason: Evidence, language: str) -> str:
    text = say("by_name", language) if reason.number is None else reason.text
    side = "label against" if reason.weight < 0 else "label"
    sign = f"{say('against', language)} " if reason.weight < 0 else ""
    return f'<li>{escape(text)}<span class="{side}">{escape(sign + reason.label)} ({reason.weight:+.2f})</span></li>'

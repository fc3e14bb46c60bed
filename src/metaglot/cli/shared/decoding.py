"""The options of the command line that say how texts are written."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from metaglot.choices import FAMILIES
from metaglot.cli.shared.options import Beams, DrawSeed, MaxNewTokens, Sample, Stop, Temperature, TopP
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError


def with_decoding(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of `parse_decoding` in place of its parameter `decoding`."""
    asked = signature(parse_decoding).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        decoding = parse_decoding(**{name: given.pop(name) for name in asked})
        command(**given, decoding=decoding)

    parameters: list[Parameter] = []
    for one in signature(command).parameters.values():
        parameters += asked.values() if one.name == "decoding" else [one]
    run.__dict__["__signature__"] = signature(command).replace(parameters=parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def parse_decoding(
    *,
    max_new_tokens: MaxNewTokens = None,
    beams: Beams = None,
    sample: Sample = False,
    temperature: Temperature = None,
    top_p: TopP = None,
    seed: DrawSeed = None,
    stop: Stop = None,
) -> Decoding | None:
    """Return how texts are written, None where no option is given.

    Raises MetaglotError for a value that an option cannot have, and for options that do not go together.
    """
    given = {"max_new_tokens": max_new_tokens, "beams": beams, "temperature": temperature, "top_p": top_p, "seed": seed}
    given = {name: value for name, value in given.items() if value is not None}
    for name in ("temperature", "top_p", "seed"):
        if name in given and not sample:
            raise MetaglotError(
                f"{_option(name)} has no use without --sample, which draws tokens; add it, or drop both"
            )
    if sample and (beams or 1) > 1:
        raise MetaglotError("--sample has no use beside --beams, which looks for the likeliest text; drop one of them")
    if not given and not sample and not stop:
        return None
    drawn = {"seed": 0} if sample else {}
    try:
        return Decoding(**{**drawn, **given}, stop=tuple(map(_unescaped, stop or ())))  # pyright: ignore[reportArgumentType]
    except MetaglotError as error:
        name, _, rest = str(error).removeprefix("decoding: ").partition(" ")
        raise MetaglotError(f"{_option(name)} {rest}" if name in (*given, "stop") else str(error)) from error


def check_writes(folder: Path, task: str, decoding: Decoding | None) -> None:
    """Raise MetaglotError for options of writing beside a task that writes no texts."""
    if decoding is None or (task in FAMILIES and FAMILIES.kinds[task].writes):
        return
    usual = Decoding()
    names = [name for name in vars(usual) if getattr(decoding, name) != getattr(usual, name)]
    option = "--sample" if "seed" in names else _option((names or ["beams"])[0])  # --beams 1 is as usual
    raise MetaglotError(f"{option} has no use: {folder} is a task of {task}, which writes no texts")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _unescaped(text: str) -> str:
    """Return a string with the line breaks and tabs that shells have no letters for."""
    return text.replace("\\n", "\n").replace("\\t", "\t")

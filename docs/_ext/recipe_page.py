"""The reference of recipes: every key with type, default and comment, read from the settings' source."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

FIELD = re.compile(r"^    (?P<name>[a-z_]+): (?P<type>[^=#]+?)(?: = (?P<default>[^#]+?))?(?:\s+# (?P<note>.*))?$")
BOUND = re.compile(r"\b(ge|gt|le|lt)=([\d.]+)")
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}

HEAD = """# Recipe keys

A recipe is YAML; any key can be overridden on the command line (`training.steps=50`). Unknown keys, ill-typed values
and keys that stand twice are errors. [How to write one](../howto/recipes.md).
"""


def recipe_page(recipe: type[BaseModel]) -> str:
    """Return a section for the recipe and one for each group of settings in it, as Markdown."""
    sections = [("", recipe), *((f"{name}.", model) for name, model in groups(recipe))]
    return HEAD + "".join(_section(prefix, model) for prefix, model in sections)


def groups(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the settings within settings, with the dotted key that leads there; kinds of one key in turn."""
    for name, field in model.model_fields.items():
        inner = _models_in(field.annotation)
        for one in inner:
            key = f"{prefix}{name}" if len(inner) == 1 else f"{prefix}{name}: {one.model_fields['kind'].default}"
            yield key, one
            if len(inner) == 1:
                yield from groups(one, f"{prefix}{name}.")


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in getattr(annotation, "__args__", ()) for one in _models_in(part)]


def _section(prefix: str, model: type[BaseModel]) -> str:
    title = f"`{prefix.removesuffix('.')}`" if prefix else "The recipe"
    rows = "".join(_row(prefix, match) for match in _fields(model))
    said = inspect.cleandoc(model.__doc__ or "")
    return f"\n## {title}\n\n{said}\n\n| key | type | default | |\n|---|---|---|---|\n{rows}"


def _fields(model: type[BaseModel]) -> Iterator[re.Match[str]]:
    bases = [base for base in reversed(model.__mro__) if issubclass(base, BaseModel) and base is not BaseModel]
    found = (FIELD.match(line) for base in bases for line in inspect.getsource(base).splitlines())
    return (match for match in found if match and match["name"] in model.model_fields)


def _row(prefix: str, field: re.Match[str]) -> str:
    given = (field["default"] or "").strip()
    default = re.sub(r"^Field\((?:default=)?(.*)\)$", r"\1", given)
    bounds = ", ".join(f"{SIGNS[kind]} {limit}" for kind, limit in BOUND.findall(default))
    default = re.sub(r",?\s*\b(?:ge|gt|le|lt|strict|min_length)=[^,)]+", "", default).strip(", ")
    shown = "" if default.endswith("Settings()") else f"`{default}`" if default else "required"
    note = "; ".join(part for part in (bounds, field["note"]) if part)
    return f"| `{prefix}{field['name']}` | `{_escaped(field['type'])}` | {_escaped(shown)} | {_escaped(note)} |\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


def write(app: Any) -> None:
    """Write reference/recipe.md, unless it says the same already."""
    from metaglot.config import Recipe

    file = Path(app.srcdir) / "reference" / "recipe.md"
    page = recipe_page(Recipe)
    if not file.is_file() or file.read_text("utf-8") != page:
        file.write_text(page, "utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the page before the list of pages is made."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

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
    """Yield the settings within settings, with the dotted key that leads there."""
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            yield prefix + name, inner
            yield from groups(inner, f"{prefix}{name}.")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((one for one in found if one is not None), None)


def _section(prefix: str, model: type[BaseModel]) -> str:
    title = f"`{prefix.removesuffix('.')}`" if prefix else "The recipe"
    rows = "".join(_row(prefix, match) for match in _fields(model))
    said = inspect.cleandoc(model.__doc__ or "")
    return f"\n## {title}\n\n{said}\n\n| key | type | default | |\n|---|---|---|---|\n{rows}"


def _fields(model: type[BaseModel]) -> Iterator[re.Match[str]]:
    found = (FIELD.match(line) for line in inspect.getsource(model).splitlines())
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

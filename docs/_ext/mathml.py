"""Formulas as MathML, made by docutils' own converter while the pages are built."""

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger


def inline(translator: Any, node: nodes.math) -> None:
    """Write one formula within a line."""
    translator.body.append(_formula(translator, node, block=False))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula."""
    formula = _formula(translator, node, block=True)
    translator.body.append(f'<div class="math" style="overflow: auto hidden; padding: 0.4em 0">{formula}</div>')
    raise nodes.SkipNode


def _formula(translator: Any, node: nodes.math | nodes.math_block, *, block: bool) -> str:
    try:
        return tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        getLogger(__name__).warning("%s in %r", error, node.astext(), location=node)
        return translator.encode(node.astext())


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

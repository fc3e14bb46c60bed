"""Lists and objects in the cells of a file: as JSON, as Python or as numpy writes them.

pandas writes what a cell holds by `str`: a list as `['a', 'b']`, a set as `{'a', 'b'}`, and an array, which is what a
list of Parquet becomes, as `['a' 'b']`, without commas, or within an object as `array(['a', 'b'], dtype=object)`.
Python reads `'a' 'b'` as the one string `'ab'`, so that commas are put in before it is asked.
https://numpy.org/doc/stable/reference/generated/numpy.array2string.html
"""

import ast
import json
import re

BEGINNINGS = ("[", "{", "(", "set(", "frozenset(")
_PIECES = re.compile(  # a string without an end is one piece, so that no letter is read twice
    r"""\s+|'(?:\\.|[^'\\])*(?:'|\\?\Z)|"(?:\\.|[^"\\])*(?:"|\\?\Z)|[^\s'",:\[\](){}]+|.""", re.DOTALL
)
_NO_LITERAL = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)


def literal(text: str) -> object:
    """Return the list, the set or the object that a text is; the text itself where it is none.

    A list that numpy cut short has the item `...`, which is no string and no number.
    """
    if not text.lstrip().startswith(BEGINNINGS):
        return text
    for read in (json.loads, _of_python):
        try:
            value: object = read(text)
        except _NO_LITERAL:
            continue
        return value if isinstance(value, list | dict | set | frozenset | tuple) else text
    return text


def _of_python(text: str) -> object:
    """Return the value that Python or numpy wrote; raise ValueError or SyntaxError for what is none."""
    tree = ast.parse(_with_commas(text.strip()), mode="eval")
    return ast.literal_eval(_Plain().visit(tree.body))


def _with_commas(text: str) -> str:
    """Return a text with a comma between values that white space alone parts."""
    pieces: list[str] = []
    before, apart = "", False
    for piece in _PIECES.findall(text):
        if piece.isspace():
            apart = True
            continue
        if apart:
            pieces.append(", " if _ends_value(before) and _begins_value(piece) else " ")
        pieces.append(piece)
        before, apart = piece, False
    return "".join(pieces)


def _ends_value(piece: str) -> bool:
    return bool(piece) and piece not in ",:([{"


def _begins_value(piece: str) -> bool:
    return piece not in ",:)]}"


class _Plain(ast.NodeTransformer):
    """Arrays as their lists, and frozen sets as sets."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Return the list of `array([…], dtype=…)` and the set of `frozenset({…})`; any other call as it is."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if len(node.args) == 1 and name in ("array", "frozenset"):
            return self.visit(node.args[0])
        return ast.Call(ast.Name("set", ast.Load()), [], []) if name == "frozenset" and not node.args else node

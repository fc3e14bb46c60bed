"""A table of characters as the `Precompiled` normalizer of the tokenizers library reads it: a double-array trie.

    bytes of the trie (uint32), the trie (uint32 each), the texts, each ended by a zero byte

A unit of the trie holds the byte that leads to it (bits 0-7), whether a key ends there (bit 8), and from bit 10 on how
far its children are: with s the place of a unit and o that number, the child of byte c stands at (s ^ o) ^ c, and the
value of a key that ends there at s ^ o, with bit 31 set.  A child is known by its byte alone, so no two units may have
their children from the same place on.

The format is that of darts-clone (https://github.com/s-yata/darts-clone), as SentencePiece writes it.
"""

import struct
from collections import deque
from collections.abc import Mapping

LEAF, VALUE = 1 << 8, 1 << 31
PAGE = 256  # a text may ask for any byte: the array ends with a whole page
_Node = dict[int, "_Node | int"]  # byte -> what follows; 0 -> the value of the key that ends here


def charsmap(table: Mapping[str, str]) -> bytes:
    """Return the table {character: what stands in its place} in the format above."""
    texts = bytearray()
    root: _Node = {}
    for key, text in table.items():
        node = root
        for byte in key.encode():
            below = node.setdefault(byte, {})
            assert not isinstance(below, int), "no key holds the character zero"
            node = below
        node[0] = len(texts)
        texts += text.encode() + b"\0"
    units = _units(root)
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + bytes(texts)


def _units(root: _Node) -> list[int]:
    """Return the units of a trie, each family of children at the first place that is free for all of them."""
    placed: dict[int, int] = {0: 0}  # place -> unit
    bases: set[int] = set()
    waiting: deque[tuple[int, _Node]] = deque([(0, root)])
    start = 1
    while waiting:
        place, node = waiting.popleft()
        base = start
        while base in bases or any(base ^ byte in placed for byte in node):
            base += 1
        start = max(start, base - PAGE)  # gaps further back stay
        bases.add(base)
        placed[place] |= (place ^ base) << 10
        for byte, below in node.items():
            if isinstance(below, int):
                placed[place] |= LEAF
                placed[base] = below | VALUE
            else:
                placed[base ^ byte] = byte
                waiting.append((base ^ byte, below))
    size = (max(*placed, *bases) // PAGE + 1) * PAGE
    return [placed.get(place, 0) for place in range(size)]

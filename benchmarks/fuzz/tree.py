"""Mutations of files that are trees of named, sized parts, as MP4 (boxes) and Matroska (elements) are.

Parts are repeated, left out, moved, renamed and nested, their sizes lie and their numbers change, while all the rest
stays well formed: so the damage reaches code that damaged bytes never get to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from benchmarks.fuzz.bytewise import MAX_BYTES, interesting

DEEPEST = 2_000


@dataclass(frozen=True)
class Node:
    """One part: a leaf has content, a branch children, and both may have what comes before the children.

    A node without a name is bytes between the parts, written as they are.
    """

    name: bytes
    content: bytes = b""
    children: tuple[Node, ...] | None = None
    size_bytes: int = 0
    """The width of the size as it was written; 0: what it takes."""
    stated_size: int | None = None
    """The size that is written instead of the true one."""


Forest = tuple[Node, ...]
Path = tuple[int, ...]
Field = tuple[int, int]
"""Where in a leaf's content a number is: offset and bytes."""


@dataclass(frozen=True)
class Format:
    """How a format writes a node, and where in its content the numbers are that matter."""

    write: Callable[[Node], bytes]
    fields: Callable[[Node], Sequence[Field]]


def paths(forest: Forest, above: Path = ()) -> Iterator[Path]:
    """Yield where every named node is: the index at each level."""
    for index, node in enumerate(forest):
        if node.name:
            yield (*above, index)
            yield from paths(node.children or (), (*above, index))


def at(forest: Forest, path: Path) -> Node:
    """Return the node at a path."""
    node = forest[path[0]]
    return at(node.children or (), path[1:]) if path[1:] else node


def put(forest: Forest, path: Path, nodes: Forest) -> Forest:
    """Return the forest with the node at a path replaced by any number of others."""
    index, below = path[0], path[1:]
    if below:
        node = forest[index]
        nodes = (replace(node, children=put(node.children or (), below, nodes)),)
    return (*forest[:index], *nodes, *forest[index + 1 :])


def written(forest: Forest, form: Format) -> bytes:
    """Return the file."""
    return b"".join(map(form.write, forest))


def mutate(forest: Forest, form: Format, random: Random) -> bytes:
    """Return the file after one to three mutations; the nodes' numbers change most often."""
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(paths(forest))
        if places:
            operation = random.choice(OPERATIONS)
            forest = operation(forest, _place(forest, places, random), form, random)
    return written(forest, form)[:MAX_BYTES]


def _place(forest: Forest, places: Sequence[Path], random: Random) -> Path:
    """Choose a kind of node, then one of that kind: a file has one header and hundreds of blocks."""
    names = sorted({at(forest, path).name for path in places})
    name = random.choice(names)
    return random.choice([path for path in places if at(forest, path).name == name])


def renumber(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Put interesting integers into one to three of a node's fields."""
    node = at(forest, path)
    fields = form.fields(node)
    content = bytearray(node.content)
    for _ in range(random.choice((1, 1, 2, 3)) if fields else 0):
        offset, size = random.choice(fields)
        content[offset : offset + size] = interesting(random, size)
    return put(forest, path, (replace(node, content=bytes(content)),))


def lie(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """State another size than the true one: none, too little, too much, far too much."""
    node = at(forest, path)
    true = len(form.write(node))
    sizes = (0, 1, 7, 8, true // 2, true - 1, true + 1, 2 * true, (1 << 31) - 1, (1 << 32) - 1, (1 << 63) - 1)
    return put(forest, path, (replace(node, stated_size=random.choice(sizes)),))


def duplicate(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Write a node several times; a track up to a thousand times."""
    node = at(forest, path)
    most = max(MAX_BYTES // len(form.write(node)) // 2, 1)
    return put(forest, path, (node,) * min(random.choice((2, 3, 20, 1000)), most))


def remove(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Leave a node out."""
    return put(forest, path, ())


def shuffle(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Write a node's children in another order."""
    node = at(forest, path)
    children = list(node.children or ())
    random.shuffle(children)
    return put(forest, path, (replace(node, children=tuple(children) if node.children else node.children),))


def rename(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Give a node the name of another."""
    names = sorted({at(forest, other).name for other in paths(forest)})
    return put(forest, path, (replace(at(forest, path), name=random.choice(names)),))


def graft(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Write a node once more, before another, anywhere."""
    place = random.choice(list(paths(forest)))
    return put(forest, place, (at(forest, path), at(forest, place)))


def nest(forest: Forest, path: Path, form: Format, random: Random) -> Forest:
    """Put a node into itself, many times over."""
    node = at(forest, path)
    inner = form.write(node)
    for _ in range(random.choice((1, 3, 20, DEEPEST))):
        inner = form.write(Node(node.name, node.content[:8] + inner))
    return put(forest, path, (Node(b"", inner),))


OPERATIONS = (renumber, renumber, renumber, renumber, lie, duplicate, remove, shuffle, rename, graft, nest)

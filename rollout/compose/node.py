"""A value with the place where it was written: what the loader works on, from text to model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from rollout.errors import FileError, FileErrors

RESET, OVERRIDE, BAD = "reset", "override", "bad"
"""Tags of a node: `!reset` and `!override` as written; BAD for one that has been reported."""

MAX_ERRORS = 50
_SHOWN = 60


class Mark(NamedTuple):
    """A place in a file; `line` and `column` count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0


class Node(Struct, frozen=True):
    """`value` is a scalar (str, int, float, bool, None), `dict[str, Node]` or `list[Node]`."""

    value: Any
    mark: Mark
    key: Mark | None = None
    """Where its key stands, for a value in a mapping."""
    tag: str = ""

    def of(self, value: Any) -> Node:
        """Another value at the same place."""
        return Node(value, self.mark, self.key, self.tag)

    def bad(self) -> Node:
        return Node(None, self.mark, self.key, BAD)

    @property
    def at_key(self) -> Mark:
        return self.key or self.mark

    @property
    def entries(self) -> dict[str, Node]:
        """Its entries, none where it is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Its items, none where it is no list."""
        return self.value if isinstance(self.value, list) else []

    def find(self, *keys: str) -> Node | None:
        """The node below these keys; None where there is none, or one already reported as bad."""
        node = self
        for key in keys:
            found = node.value.get(key) if isinstance(node.value, dict) else None
            if found is None:
                return None
            node = found
        return None if node.tag == BAD else node

    def get(self, *keys: str, default: Any = None) -> Any:
        """The scalar below these keys."""
        node = self.find(*keys)
        return default if node is None or node.value is None else node.value

    def entries_at(self, *keys: str) -> dict[str, Node]:
        node = self.find(*keys)
        return {} if node is None else node.entries

    def items_at(self, *keys: str) -> list[Node]:
        node = self.find(*keys)
        return [] if node is None else node.items

    def strings(self, *keys: str) -> tuple[str, ...]:
        """The list of scalars below these keys."""
        return tuple(each.value for each in self.items_at(*keys) if each.tag != BAD)

    def texts(self, *keys: str) -> dict[str, Any]:
        """The mapping of scalars below these keys, sorted."""
        return {key: each.value for key, each in sorted(self.entries_at(*keys).items())}


class Report:
    """Collects what is wrong with a project's files, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self.errors: list[FileError] = []
        self.warnings: list[str] = []
        self.partial = False
        """What is read now is one part of a project: what it lacks, another one may say."""

    def error(self, mark: Mark, key: str, message: str, hint: str = "") -> None:
        """Whatever of the file is in the texts reaches no terminal raw."""
        self.errors.append(
            FileError(
                printable(message),
                file=mark.file,
                line=mark.line,
                column=mark.column,
                key=printable(key),
                hint=printable(hint),
            )
        )

    def warn(self, text: str) -> None:
        text = printable(text)
        if text not in self.warnings:
            self.warnings.append(text)

    def check(self) -> None:
        """Raise everything reported so far, file by file, line by line."""
        if not self.errors:
            return
        rank = {error.file: at for at, error in reversed(list(enumerate(self.errors)))}
        found = sorted(self.errors, key=lambda e: (rank[e.file], e.line, e.column))
        unique = list({str(error): error for error in found}.values())[:MAX_ERRORS]
        raise unique[0] if len(unique) == 1 else FileErrors(unique)


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or nothing."""
    import difflib  # noqa: PLC0415  lazy: only for an error

    near = difflib.get_close_matches(word[:_SHOWN], known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def shown(value: Any) -> str:
    """A value as it may stand in an error text: short, printable, in quotes."""
    text = value if isinstance(value, str) else str(value)
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f'"{printable(short)}"'


def printable(text: str) -> str:
    """Control characters and the like as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def join(path: str, key: str) -> str:
    """A key path, one step longer."""
    step = key if len(key) <= _SHOWN else shown(key)
    return f"{path}.{step}" if path else step


def size(node: Node) -> int:
    """How many values there are, in all."""
    return 1 + sum(map(size, node.entries.values())) + sum(map(size, node.items))


def same(one: Node, other: Node) -> bool:
    """Whether they say the same, wherever they stand."""
    if isinstance(one.value, dict) and isinstance(other.value, dict):
        keys = one.value.keys()
        return keys == other.value.keys() and all(same(one.value[k], other.value[k]) for k in keys)
    if isinstance(one.value, list) and isinstance(other.value, list):
        equal = len(one.value) == len(other.value)
        return equal and all(map(same, one.value, other.value))
    return bool(one.value == other.value)


def cycle(edges: Mapping[str, Sequence[str]]) -> list[str]:
    """A cycle of a graph as a path that ends where it begins; empty where there is none."""
    done: set[str] = set()
    for start in sorted(edges):
        trail: dict[str, Iterator[str]] = {}
        at: str | None = start
        while at is not None:
            if at not in trail:
                trail[at] = iter(edges.get(at, ())) if at not in done else iter(())
            following = next(trail[at], None)
            if following is None:
                done.add(at)
                trail.pop(at)
                at = next(reversed(trail), None)
            elif following in trail:
                path = list(trail)
                return [*path[path.index(following) :], following]
            else:
                at = following
    return []

"""Compose text → nodes that know file, line and column.

The parser's events are read one by one, so that depth and size are bounded before anything is
built: an alias counts as often as it is used, which makes an alias bomb an error like any other.
A key that stands twice is refused, as Compose does; `<<` merges, nearer keys win.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import yaml

from rollout.compose.node import OVERRIDE, RESET, Mark, Node, shown
from rollout.compose.scalars import Scalar, resolve
from rollout.errors import FileError

MAX_DEPTH = 64

_CORE = "tag:yaml.org,2002:"
_OURS = {"!reset": RESET, "!override": OVERRIDE}
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    _CORE + "int": (int,),
    _CORE + "float": (int, float),
    _CORE + "bool": (bool,),
    _CORE + "null": (type(None),),
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str, file: str, limit: int) -> tuple[list[Node], int]:
    """The documents of a file that are not empty, usually one, and how many values they hold.

    More than `limit` values are an error.  Raises FileError.
    """
    try:
        builder = _Builder(text, file, limit)
        return list(builder.documents()), builder.count
    except yaml.YAMLError as error:
        raise _syntax_error(error, file) from None
    except (ValueError, OverflowError) as error:
        raise FileError(f"is not YAML: {error}", file=file) from None


def _syntax_error(error: yaml.YAMLError, file: str) -> FileError:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "bad syntax"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context = getattr(error, "context", None)
    message = f"is not YAML: {problem}" + (f" {context}" if context else "")
    if mark is None:
        return FileError(message, file=file)
    return FileError(message, file=file, line=mark.line + 1, column=mark.column + 1)


class _Builder:
    def __init__(self, text: str, file: str, limit: int) -> None:
        self.file = file
        self.limit = limit
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.open: set[str] = set()
        self.count = 0

    def documents(self) -> Iterator[Node]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                node = self.node(next(self.events), 0, None)
                if node.value is not None:
                    yield node

    def node(self, event: Any, depth: int, key: Mark | None) -> Node:
        mark = self.mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, mark, key)
        if depth > MAX_DEPTH:
            raise self.error(mark, f"is nested more than {MAX_DEPTH} levels deep")
        start, anchor = self.count, event.anchor
        if anchor:
            self.open.add(anchor)
        self.take(1, mark)
        node = Node(self.value(event, depth, mark), mark, key, _OURS.get(event.tag or "", ""))
        if anchor:
            self.open.discard(anchor)
            self.anchors[anchor] = (node, self.count - start)
        return node

    def value(self, event: Any, depth: int, mark: Mark) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, mark)
        plain_tag = _CORE + ("map" if isinstance(event, yaml.MappingStartEvent) else "seq")
        if event.tag not in (None, "!", plain_tag, *_OURS):
            raise self.error(mark, f"has the unknown tag {shown(event.tag)}")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(depth)
        return self.sequence(depth)

    def alias(self, event: Any, mark: Mark, key: Mark | None) -> Node:
        name = event.anchor
        if name in self.open:
            raise self.error(mark, f"the anchor {shown(name)} contains itself")
        if name not in self.anchors:
            raise self.error(mark, f"there is no anchor {shown(name)}")
        target, size = self.anchors[name]
        self.take(size, mark)
        return Node(target.value, target.mark, key, target.tag)

    def sequence(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1, None))
        return items

    def mapping(self, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: Node | None = None
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            at = self.mark(event)
            is_merge = _is_merge(event)
            name = "<<" if is_merge else self.key(event, at, depth)
            before = merged if is_merge else entries.get(name)
            if before is not None:
                line = before.at_key.line
                raise self.error(at, f"mapping key {shown(name)} already defined at line {line}")
            node = self.node(next(self.events), depth + 1, at)
            if is_merge:
                merged = node
            else:
                entries[name] = node
        if merged is not None:
            self.merge(entries, merged)
        return entries

    def merge(self, entries: dict[str, Node], merged: Node) -> None:
        for source in merged.items if isinstance(merged.value, list) else [merged]:
            if not isinstance(source.value, dict):
                raise self.error(merged.at_key, "<< needs a mapping, or a list of mappings")
            self.take(len(source.value), merged.at_key)
            for key, node in source.value.items():
                entries.setdefault(key, node)

    def key(self, event: Any, at: Mark, depth: int) -> str:
        node = self.node(event, depth + 1, None)
        if not isinstance(node.value, str):
            what = "a list or mapping" if isinstance(node.value, dict | list) else "not text"
            raise self.error(at, f"a key here is {what}: write it in quotes")
        return node.value

    def scalar(self, event: Any, mark: Mark) -> Scalar:
        text, tag = event.value, event.tag
        if "\0" in text:
            raise self.error(mark, "contains a NUL character")
        if not text.isascii():
            self.encodable(text, mark)
        if tag in (None, *_OURS):
            plain = event.implicit[0] or _is_plain(event)
            return self.finite(resolve(text), mark) if plain else str(text)
        if tag in ("!", _CORE + "str"):
            return str(text)
        value = resolve(text)
        kinds = _SCALAR_TAGS.get(tag)
        if kinds is None:
            raise self.error(mark, f"has the unknown tag {shown(tag)}")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.error(mark, f"{shown(text)} is not a {tag.removeprefix(_CORE)}")
        return value

    def finite(self, value: Scalar, mark: Mark) -> Scalar:
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error(mark, "is not a number: write it in quotes if text is meant")
        return value

    def encodable(self, text: str, mark: Mark) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.error(mark, "contains a character that is not Unicode") from None

    def take(self, count: int, mark: Mark) -> None:
        self.count += count
        if self.count > self.limit:
            raise self.error(mark, f"has more than {self.limit} values, aliases counted as used")

    def mark(self, event: Any) -> Mark:
        at = event.start_mark
        return Mark(self.file, at.line + 1, at.column + 1)

    def error(self, mark: Mark, message: str) -> FileError:
        return FileError(message, file=mark.file, line=mark.line, column=mark.column)


def _is_plain(event: Any) -> bool:
    """Unquoted, with a tag of ours before it (`!reset null`)."""
    return event.tag is not None and event.style in (None, "")


def _is_merge(event: Any) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return event.tag == _CORE + "merge" or (event.tag is None and event.implicit[0])

"""Kinds of nodes: how each part of a Compose file is checked, merged and printed.

One table (schema.py) is built from these and says everything about a key: which values it takes,
how its short form becomes the long one, what a second file does to it, and where it is printed.

    One       a scalar
    Many      a list; `single` also takes a lone value, `expand` turns one short item into several
    Fields    a mapping with known keys
    Keyed     a mapping with keys of the user's choice; may be written as a list
    Either    a scalar or a mapping, printed as it was written
    Free      anything: extensions

Merging (`base` from the earlier file, `over` from the later one): scalars are replaced, mappings
go key by key, lists are appended, an item with the same identity replaces the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from rollout.compose.node import BAD, OVERRIDE, RESET, Node, Report, join, shown, suggest
from rollout.compose.order import Map, ordered
from rollout.compose.values import BadValueError, Parse

Rewrite = Callable[[Node, str, Report], Node]
"""Short form → long form, before the long form is checked.  May raise BadValueError."""

OUR_EXTENSION = "x-rollout"
_ALONE = (BAD, RESET)
LEAVE_OUT = object()
"""What `show` returns for something that Compose does not print."""


class Kind(Protocol):
    def normal(self, node: Node, path: str, report: Report) -> Node:
        """The canonical form.  What is wrong goes to the report, and a bad node stands there."""
        ...

    def merge(self, base: Node, over: Node) -> Node: ...

    def show(self, node: Node) -> Any:
        """As plain data in Compose's order, or LEAVE_OUT."""
        ...


def refuse(report: Report, node: Node, path: str, message: str, hint: str = "") -> Node:
    report.error(node.mark, path, message, hint)
    return node.bad()


class One:
    def __init__(self, parse: Parse, *, keep: bool = False, zero: str = "") -> None:
        self.parse = parse
        self.keep = keep
        """Print it even where it is zero or empty."""
        self.zero = zero
        """What counts as zero."""

    def normal(self, node: Node, path: str, report: Report) -> Node:
        if isinstance(node.value, dict | list):
            return refuse(report, node, path, "must be a single value")
        try:
            return node.of(self.parse(node.value))
        except BadValueError as wrong:
            return refuse(report, node, path, wrong.message, wrong.hint)

    def merge(self, base: Node, over: Node) -> Node:  # noqa: ARG002  the interface
        return over

    def show(self, node: Node) -> Any:
        empty = not node.value or node.value == self.zero
        return LEAVE_OUT if empty and not self.keep else node.value


class Free:
    def normal(self, node: Node, path: str, report: Report) -> Node:  # noqa: ARG002
        return node

    def merge(self, base: Node, over: Node) -> Node:
        if isinstance(base.value, dict) and isinstance(over.value, dict):
            return over.of(merged_entries(base.value, over.value, lambda _: self))
        if isinstance(base.value, list) and isinstance(over.value, list):
            return over.of([*base.value, *over.value])
        return over

    def show(self, node: Node) -> Any:
        if isinstance(node.value, dict):
            return Map({key: self.show(each) for key, each in node.value.items()})
        return [self.show(each) for each in node.items] if node.items else node.value


class Many:
    def __init__(
        self,
        item: Kind,
        *,
        single: bool = False,
        split: Callable[[str], list[str]] | None = None,
        expand: Callable[[Node, str, Report], list[Node]] | None = None,
        from_map: Callable[[dict[str, Node]], list[Node]] | None = None,
        identity: Callable[[Node], Hashable] | None = None,
        ordered: bool = False,
        replace: bool = False,
        unique: bool = False,
        keep: bool = False,
        nullable: bool = False,
    ) -> None:
        self.item = item
        self.single = single
        self.split = split
        self.expand = expand
        self.from_map = from_map
        self.identity = identity
        self.ordered = ordered
        """Print it sorted."""
        self.replace = replace
        self.unique = unique
        """An item that stands twice is an error."""
        self.keep = keep
        self.nullable = nullable

    def normal(self, node: Node, path: str, report: Report) -> Node:
        if node.value is None and self.nullable:
            return node
        try:
            items = self.listed(node)
        except BadValueError as wrong:
            return refuse(report, node, path, wrong.message, wrong.hint)
        found: list[Node] = []
        for number, item in enumerate(items):
            if item.tag == RESET:
                continue  # nothing of a list is taken away, as in Compose
            at = f"{path}[{number}]"
            expands = self.expand and item.tag != BAD
            long = self.expand(item, at, report) if self.expand and expands else [item]
            found.extend(sound(self.item, each, at, report) for each in long)
        if self.unique:
            self.report_twice(found, path, report)
        return node.of(self.distinct(found))

    def report_twice(self, items: list[Node], path: str, report: Report) -> None:
        seen: set[str] = set()
        for number, item in enumerate(items):
            if item.tag != BAD and str(item.value) in seen:
                what = f"{shown(item.value)} stands here already"
                report.error(item.mark, f"{path}[{number}]", what, "leave one out")
            seen.add(str(item.value))

    def listed(self, node: Node) -> list[Node]:
        if isinstance(node.value, list):
            return node.value
        if isinstance(node.value, dict) and self.from_map:
            return self.from_map(node.value)
        if isinstance(node.value, str) and self.split:
            return [node.of(word) for word in self.split(node.value)]
        if self.single and isinstance(node.value, str):
            return [node]
        raise BadValueError(
            "must be a string or a list" if self.single or self.split else "must be a list"
        )

    def distinct(self, items: list[Node]) -> list[Node]:
        """Of items with the same identity the last one, where the first one stood."""
        if self.identity is None:
            return items
        found: dict[Hashable, Node] = {}
        for number, item in enumerate(items):
            found[number if item.tag == BAD else self.identity(item)] = item
        return list(found.values())

    def merge(self, base: Node, over: Node) -> Node:
        if self.replace or over.value is None:
            return over if self.replace else base
        return over.of(self.distinct([*base.items, *over.items]))

    def show(self, node: Node) -> Any:
        found = [each for each in map(self.item.show, node.items) if each is not LEAVE_OUT]
        if self.ordered:
            found.sort()
        return found if found or (self.keep and node.value is not None) else LEAVE_OUT


class Fields:
    def __init__(
        self,
        table: Mapping[str, Kind],
        *,
        required: tuple[str, ...] = (),
        short: Rewrite | None = None,
        merge: Callable[[Node, Node], bool] | None = None,
        nullable: bool = False,
        keep: bool = True,
        extensions: bool = True,
    ) -> None:
        self.table = table
        self.required = required
        self.short = short
        self.merges = merge
        """Whether two are merged at all; if not, the later one stands alone."""
        self.nullable = nullable
        self.keep = keep
        self.extensions: Mapping[str, Kind] | None = {} if extensions else None

    def normal(self, node: Node, path: str, report: Report) -> Node:
        if node.value is None and self.nullable:
            return node
        if self.short and (node := self.rewritten(node, path, report)).tag == BAD:
            return node
        if not isinstance(node.value, dict):
            return refuse(report, node, path, "must be a mapping")
        for name in () if report.partial else self.required:
            if name not in node.value:
                report.error(node.mark, path, f"{name} is missing")
        return node.of(
            {key: self.field(key, each, path, report) for key, each in node.value.items()}
        )

    def rewritten(self, node: Node, path: str, report: Report) -> Node:
        assert self.short is not None
        try:
            return self.short(node, path, report)
        except BadValueError as wrong:
            return refuse(report, node, path, wrong.message, wrong.hint)

    def field(self, key: str, node: Node, path: str, report: Report) -> Node:
        at = join(path, key)
        kind = self.kind(key)
        if kind is None:
            report.error(node.at_key, at, "unknown key", suggest(key, self.table))
            return node.bad()
        if kind is FREE and key == OUR_EXTENSION:
            return refuse(report, node, at, "stands in the wrong place", "put it under a service")
        return sound(kind, node, at, report)

    def kind(self, key: str) -> Kind | None:
        if key in self.table:
            return self.table[key]
        return FREE if self.extensions is not None and key.startswith("x-") else None

    def merge(self, base: Node, over: Node) -> Node:
        if over.value is None and self.nullable:
            return base
        if base.value is None or (self.merges and not self.merges(base, over)):
            return over
        return over.of(merged_entries(base.entries, over.entries, lambda k: self.kind(k) or FREE))

    def show(self, node: Node) -> Any:
        if node.value is None:
            return None
        known = [key for key in self.table if key in node.value]
        extra = ordered(key for key in node.value if key not in self.table)
        printed = {key: (self.kind(key) or FREE).show(node.value[key]) for key in known + extra}
        found = {key: value for key, value in printed.items() if value is not LEAVE_OUT}
        return found if found or self.keep else LEAVE_OUT


class Section(Fields):
    """One that may be left without a value, and then is not printed."""

    def __init__(self, table: Mapping[str, Kind]) -> None:
        super().__init__(table, nullable=True)

    def show(self, node: Node) -> Any:
        return LEAVE_OUT if node.value is None else super().show(node)


class Keyed:
    def __init__(
        self,
        item: Kind,
        *,
        from_list: Callable[[str], tuple[str, Any]] | None = None,
        known: Callable[[str], str] | None = None,
        unique: bool = False,
        keep: bool = False,
        nullable: bool = False,
    ) -> None:
        self.item = item
        self.unique = unique
        """In the list form, a key that stands twice is an error."""
        self.from_list = from_list
        """An item of the list form → key and value."""
        self.known = known
        """Key → why it cannot be one; empty where it can."""
        self.keep = keep
        self.nullable = nullable

    def normal(self, node: Node, path: str, report: Report) -> Node:
        if node.value is None and self.nullable:
            return node
        if "" in node.entries:
            report.error(node.entries[""].at_key, path, "a key is empty")
        entries = self.mapped(node, path, report)
        if entries is None:
            may = "a mapping or a list" if self.from_list else "a mapping"
            return refuse(report, node, path, f"must be {may}")
        return node.of({k: self.entry(k, each, path, report) for k, each in entries.items()})

    def mapped(self, node: Node, path: str, report: Report) -> dict[str, Node] | None:
        if isinstance(node.value, dict):
            return node.value
        if not isinstance(node.value, list) or self.from_list is None:
            return None
        entries: dict[str, Node] = {}
        for number, item in enumerate(node.value):
            if item.tag == BAD:
                continue
            if not isinstance(item.value, str):
                report.error(item.mark, f"{path}[{number}]", "must be a string")
                continue
            key, value = self.from_list(item.value)
            if self.unique and key in entries:
                report.error(item.mark, f"{path}[{number}]", f"{shown(key)} stands here already")
            entries[key] = Node(value, item.mark)
        return entries

    def entry(self, key: str, node: Node, path: str, report: Report) -> Node:
        at = join(path, key)
        if self.known and (why := self.known(key)):
            report.error(node.at_key, at, why)
            return node.bad()
        return sound(self.item, node, at, report)

    def merge(self, base: Node, over: Node) -> Node:
        texts = self.from_list is not None and isinstance(self.item, One)
        return over.of(merged_entries(base.entries, over.entries, lambda _: self.item, texts=texts))

    def show(self, node: Node) -> Any:
        if node.value is None and self.nullable:
            return LEAVE_OUT
        printed = {key: self.item.show(each) for key, each in node.entries.items()}
        found = Map({key: None if each is LEAVE_OUT else each for key, each in printed.items()})
        return found if found or self.keep else LEAVE_OUT


class Either:
    def __init__(self, single: Kind, mapping: Kind) -> None:
        self.single = single
        self.mapping = mapping

    def kind(self, node: Node) -> Kind:
        return self.mapping if isinstance(node.value, dict) else self.single

    def normal(self, node: Node, path: str, report: Report) -> Node:
        return self.kind(node).normal(node, path, report)

    def merge(self, base: Node, over: Node) -> Node:
        return self.kind(over).merge(base, over) if self.kind(base) is self.kind(over) else over

    def show(self, node: Node) -> Any:
        return self.kind(node).show(node)


FREE: Kind = Free()


def sound(kind: Kind, node: Node, path: str, report: Report) -> Node:
    """What stands below a key or in a list, in normal form.

    In a file that others are merged with, a key without a value leaves what another one says.
    """
    if node.tag in _ALONE or (node.value is None and node.key is not None and report.partial):
        return node
    return kind.normal(node, path, report)


def merged_entries(
    base: dict[str, Node],
    over: dict[str, Node],
    kind: Callable[[str], Kind],
    *,
    texts: bool = False,
) -> dict[str, Node]:
    """Key by key; an extension, `!reset` and `!override` replace what the earlier file says.

    In a mapping of texts, whatever is written counts.  Elsewhere a key without a value leaves
    what is there, but for a command.  What is reset stays until the tree is settled, for it may
    have more to take away.
    """
    entries = dict(base)
    for key, node in over.items():
        before = entries.get(key)
        alone = texts or node.tag in (*_ALONE, OVERRIDE) or key.startswith("x-")
        if before is None or before.tag in _ALONE or alone:
            entries[key] = node
        elif node.value is None:
            entries[key] = node if getattr(kind(key), "replace", False) else before
        elif before.value is None:
            entries[key] = node
        else:
            entries[key] = kind(key).merge(before, node)
    return entries


def settled(node: Node) -> Node:
    """Without what `!reset` took away."""
    if isinstance(node.value, dict):
        kept = {k: settled(each) for k, each in node.value.items() if each.tag != RESET}
        return node.of(kept)
    if isinstance(node.value, list):
        return node.of([settled(each) for each in node.value if each.tag != RESET])
    return node

"""Relative paths of a file, made whole: they start at the folder of the project, or of the file
that a service is inherited or included from.

A path that is whole already stays as it is written, so resolving twice does no harm.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from rollout.compose.node import BAD, Node

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:")


class Paths(Struct, frozen=True):
    """Where relative paths start."""

    folder: Path
    home: str = "/root"
    """What `~` stands for."""

    def whole(self, written: str) -> str:
        if written.startswith("~") and self.home:
            return posixpath.normpath(f"{self.home}/{written[1:]}")
        if not written or written.startswith("/") or _WINDOWS.match(written):
            return written
        return posixpath.normpath(f"{self.folder}/{written}")

    def context(self, written: str) -> str:
        """What is built from: a folder, or something that the builder fetches."""
        return written if "://" in written or written.startswith(_REMOTE) else self.whole(written)


def resolve(root: Node, paths: Paths) -> Node:
    """A project with whole paths."""
    whole = _text(paths.whole)
    tree = _at(root, "services", _all(lambda service: resolve_service(service, paths)))
    tree = _at(tree, "volumes", _all(lambda volume: _device(volume, paths)))
    for kind in ("configs", "secrets"):
        tree = _at(tree, kind, _all(lambda each: _at(each, "file", whole)))
    return tree


def resolve_service(service: Node, paths: Paths) -> Node:
    whole, context = _text(paths.whole), _text(paths.context)

    def build(node: Node) -> Node:
        node = _at(_at(node, "context", context), "additional_contexts", _all(context))
        return _at(node, "ssh", _all(whole))

    def volume(node: Node) -> Node:
        return _at(node, "source", whole) if node.get("type") == "bind" else node

    service = _at(service, "build", build)
    service = _at(service, "volumes", _all(volume))
    service = _at(service, "env_file", _all(lambda file: _at(file, "path", whole)))
    service = _at(service, "label_file", _all(whole))
    watch = _all(lambda each: _at(each, "path", whole))
    return _at(service, "develop", lambda node: _at(node, "watch", watch))


def _device(volume: Node, paths: Paths) -> Node:
    """A local volume that is a bind mount in disguise."""
    if volume.get("driver") != "local" or volume.get("driver_opts", "o") != "bind":
        return volume
    return _at(volume, "driver_opts", lambda node: _at(node, "device", _text(paths.whole)))


def _text(change: Callable[[str], str]) -> Callable[[Node], Node]:
    return lambda node: node.of(change(node.value)) if isinstance(node.value, str) else node


def _at(node: Node, key: str, change: Callable[[Node], Node]) -> Node:
    """The node with what stands under the key changed, where there is something."""
    below = node.entries.get(key)
    if below is None or below.tag == BAD:
        return node
    changed = change(below)
    return node if changed is below else node.of({**node.entries, key: changed})


def _all(change: Callable[[Node], Node]) -> Callable[[Node], Node]:
    """The same change to every entry or item."""

    def changed(node: Node) -> Node:
        found: Any = node.value
        if isinstance(found, dict):
            return node.of({key: _good(each, change) for key, each in found.items()})
        return node.of([_good(each, change) for each in found]) if node.items else node

    return changed


def _good(node: Node, change: Callable[[Node], Node]) -> Node:
    return node if node.tag == BAD else change(node)

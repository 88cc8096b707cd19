"""Imports go one way only: each package may import what stands to its right, never back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "rollout"

MAY_IMPORT = {
    "errors": set(),
    "model": {"errors"},
    "log": {"errors"},
    "compose": {"model", "errors"},
    "decide": {"model"},
    "engine": {"model", "errors"},
    "ledger": {"engine.protocol", "model", "errors"},
    "controller": {"ledger", "decide", "engine.protocol", "model", "errors"},
    "views": {"model", "errors"},
    "cli": {"compose", "controller", "engine", "ledger", "views", "model", "errors", "log"},
    "__main__": {"cli"},
    "__init__": set(),
}
"""Part of the package → the parts that it may import, beside itself."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name.removeprefix("rollout.") for name in found if name.startswith("rollout.")}


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """A module imports its own part, and the parts to the right of it."""
    part = _part(path)
    allowed = {part, *MAY_IMPORT[part]}

    wrong = {
        name
        for name in _imports(path)
        if not any(name == each or name.startswith(f"{each}.") for each in allowed)
        and name.split(".")[0] in MAY_IMPORT
        and not _is_prefix_of_allowed(name, allowed)
    }

    assert not wrong


def _is_prefix_of_allowed(name: str, allowed: set[str]) -> bool:
    """`from rollout.engine import protocol` names `engine` on the way."""
    return any(each.startswith(f"{name}.") for each in allowed)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_engines_do_not_know_each_other(path: Path) -> None:
    """Each engine stands alone behind the protocol."""
    parts = path.relative_to(PACKAGE).parts
    if parts[0] != "engine" or len(parts) < 3:
        return

    others = {
        name
        for name in _imports(path)
        if name.startswith("engine.") and name.split(".")[1] not in (parts[1], "protocol")
    }

    assert not others


@pytest.mark.parametrize("module", ["docker", "requests", "urllib3"])
def test_the_sdk_is_met_in_one_place(module: str) -> None:
    """Only the Docker engine's own files import the SDK and what it stands on."""
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == module)
        or (
            isinstance(node, ast.Import) and any(a.name.split(".")[0] == module for a in node.names)
        )
    }

    assert all(name.startswith("engine/docker/") for name in importers)


def test_decide_reads_no_clock_and_does_no_io() -> None:
    """The decision imports nothing but the words, and data types."""
    allowed = {"__future__", "collections", "enum", "itertools", "msgspec", "rollout", "typing"}

    found = {
        (node.module or "").split(".")[0]
        if isinstance(node, ast.ImportFrom)
        else node.names[0].name.split(".")[0]
        for path in (PACKAGE / "decide").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert found <= allowed

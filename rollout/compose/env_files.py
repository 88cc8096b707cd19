"""A service's files of variables: `env_file` for its environment, `label_file` for its labels."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path

from rollout.compose.environment import load_env_file
from rollout.compose.node import BAD, Node, Report, join, shown
from rollout.errors import FileError


def from_files(
    files: Node | None, path: str, outside: Mapping[str, str], report: Report
) -> dict[str, Node]:
    """What the files say, later ones over earlier ones; they see those, and what is outside."""
    found: dict[str, Node] = {}
    for number, file in enumerate(files.items if files else ()):
        if file.tag == BAD:
            continue
        known = {**outside, **{key: str(node.value) for key, node in found.items()}}
        variables = _from_file(file, f"{path}[{number}]", known, report)
        found.update({key: Node(value, file.mark) for key, value in variables.items()})
    return found


def from_outside(said: Node, environ: Mapping[str, str], *, listed: bool = False) -> Node:
    """A name without a value takes the one it has outside; `listed`: only one of a list."""
    if not isinstance(said.value, dict):
        return said
    return said.of(
        {
            key: node.of(environ.get(key)) if _is_open(node, listed=listed) else node
            for key, node in said.value.items()
        }
    )


def _is_open(node: Node, *, listed: bool) -> bool:
    return node.value is None and node.tag != BAD and not (listed and node.key)


def _from_file(file: Node, path: str, known: Mapping[str, str], report: Report) -> dict[str, str]:
    where = file.get("path") if isinstance(file.value, dict) else file.value
    form = file.get("format")
    if not isinstance(where, str):
        return {}
    if not file.get("required", default=True) and not os.path.exists(where):  # noqa: PTH110  never raises
        return {}
    if form not in (None, "raw"):
        report.error(file.mark, join(path, "format"), f"{shown(form)} is not known", "use raw")
        return {}
    try:
        return load_env_file(Path(where), known.get, raw=form is not None)
    except FileError as error:
        line = f" line {error.line}" if error.line else ""
        kind = path.rpartition(".")[2].partition("_")[0]
        report.error(file.mark, path, f"{kind} file {where}{line}: {error.message}")
        return {}

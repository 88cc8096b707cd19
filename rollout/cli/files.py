"""The Compose files of a command line → a Stack."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rollout.cli import messages
from rollout.compose.load import Document, load, load_tree
from rollout.model.stack import Stack


def load_stack(
    files: Sequence[str],
    *,
    name: str | None,
    env_files: Sequence[str] = (),
    profiles: Sequence[str] = (),
) -> Stack:
    """Read, merge and check; what is ignored is said on stderr.  Raises FileError, UsageError."""
    stack = load(files, **_surroundings(name, env_files, profiles))
    warn(stack.warnings)
    return stack


def load_document(
    files: Sequence[str],
    *,
    env_files: Sequence[str] = (),
    profiles: Sequence[str] = (),
    names_only: bool = False,
) -> Document:
    """The files as one, whether or not this engine can do it all.  `names_only`: without what is in
    an `env_file`."""
    surroundings = _surroundings(None, env_files, profiles)
    document = load_tree(files, **surroundings, names_only=names_only)
    warn(document.warnings)
    return document


def warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        messages.warn(warning)


def here() -> Path:
    """The folder the command is typed in, by the name it was entered by: the project's name may be
    that of a symbolic link, as in Compose."""
    said = os.environ.get("PWD", "")
    if os.path.isabs(said):  # noqa: PTH117  never raises
        try:
            if os.path.samefile(said, "."):  # noqa: PTH121
                return Path(said)
        except OSError:
            pass
    return Path.cwd()


def _surroundings(
    name: str | None, env_files: Sequence[str], profiles: Sequence[str]
) -> dict[str, Any]:
    return {
        "environ": dict(os.environ),
        "project_name": name,
        "cwd": here(),
        "profiles": tuple(profiles),
        "env_files": tuple(env_files),
        "stdin": sys.stdin,
    }

"""The Compose files of a command line → a Stack.

Where none is named they are found as Compose finds them: COMPOSE_FILE, else `compose.yaml` and its
other names here or in a folder above, with the override file beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from rollout.compose.load import Document, load, load_tree
from rollout.errors import UsageError
from rollout.model.stack import Stack
from rollout.views.text import clean

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


def load_stack(
    files: Sequence[str],
    *,
    name: str | None,
    env_files: Sequence[str] = (),
    profiles: Sequence[str] = (),
) -> Stack:
    """Read, merge and check; what is ignored is said on stderr.  Raises FileError, UsageError."""
    stack = load(_chosen(files), **_surroundings(name, env_files, profiles))
    warn(stack.warnings)
    return stack


def load_document(
    files: Sequence[str], *, env_files: Sequence[str] = (), profiles: Sequence[str] = ()
) -> Document:
    """The files as one, whether or not this engine can do it all."""
    document = load_tree(_chosen(files), **_surroundings(None, env_files, profiles))
    warn(document.warnings)
    return document


def warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        click.echo(f"rollout: {clean(warning)}", err=True)


def find_files(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Where none is named.  Raises UsageError where there is none."""
    if listed := environ.get("COMPOSE_FILE"):
        separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [each for each in listed.split(separator) if each]
    for here in (folder, *folder.parents):
        found = _first(here, _NAMES)
        if found is not None:
            override = _first(here, _OVERRIDES)
            return [str(found), *([str(override)] if override else [])]
    raise UsageError("no Compose file here", hint="name one with -c FILE")


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _chosen(files: Sequence[str]) -> list[str]:
    return list(files) or find_files(Path.cwd(), os.environ)


def _surroundings(
    name: str | None, env_files: Sequence[str], profiles: Sequence[str]
) -> dict[str, Any]:
    return {
        "environ": dict(os.environ),
        "project_name": name,
        "cwd": Path.cwd(),
        "profiles": tuple(profiles),
        "env_files": tuple(env_files),
        "stdin": sys.stdin,
    }

"""The Compose files of a command line → a Stack."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from rollout.compose.load import load
from rollout.model.stack import Stack
from rollout.views.text import clean


def load_stack(
    files: Sequence[str],
    *,
    name: str | None,
    env_files: Sequence[str] = (),
    profiles: Sequence[str] = (),
) -> Stack:
    """Read, merge and check; what is ignored is said on stderr.  Raises FileError, UsageError."""
    stack = load(
        list(files),
        environ=dict(os.environ),
        project_name=name,
        cwd=Path.cwd(),
        profiles=tuple(profiles),
        env_files=tuple(env_files),
        stdin=sys.stdin.read() if "-" in files else None,
    )
    for warning in stack.warnings:
        click.echo(f"rollout: {clean(warning)}", err=True)
    return stack

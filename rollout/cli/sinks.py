"""Which progress view a command gets."""

from __future__ import annotations

import os
import sys

from rollout.compose.settings import progress_of
from rollout.views.progress.lines import Lines
from rollout.views.progress.plain import Plain
from rollout.views.progress.sink import Quiet, Sink


def choose(progress: str, *, quiet: bool, said: str | None = None) -> str:
    """`tty`, `plain`, `json` or `quiet`: auto is tty on a terminal that can be redrawn.

    `said` is what Compose's variables ask for where no flag does; None: those of the environment.
    """
    if quiet:
        return "quiet"
    if progress != "auto":
        return progress
    if asked := progress_of(os.environ) if said is None else said:
        return asked
    return "tty" if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else "plain"


def make(kind: str) -> Sink:
    match kind:
        case "tty":
            from rollout.views.progress.terminal import Terminal  # lazy: rich costs 120 ms

            return Terminal(sys.stdout)
        case "plain":
            return Plain(sys.stdout)
        case "json":
            return Lines(sys.stdout)
        case _:
            return Quiet()

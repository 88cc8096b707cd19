"""Log lines as `docker service logs` prints them: `web.1.abcdef123456@node    | text`."""

from __future__ import annotations

from typing import NamedTuple

from rollout.model.labels import full_name
from rollout.model.task import Task
from rollout.views.text import clean, pad

_LEAST = 4
"""Blanks between the longest usual prefix and the bar."""


class Prefix(NamedTuple):
    """What stands before each line."""

    node: str
    ids: bool = True
    trunc: bool = True
    timestamps: bool = False
    raw: bool = False


def log_text(task: Task, text: str, at: str, prefix: Prefix) -> str:
    """One line of a task, with nothing in it that could steer the terminal.  `at` is its stamp."""
    stamp = f"{clean(at)} " if prefix.timestamps and at else ""
    if prefix.raw:
        return stamp + clean(text)
    name = f"{full_name(task.stack, task.service)}.{task.slot}"
    if prefix.ids:
        name += f".{task.id[:12] if prefix.trunc else task.id}"
    label = clean(f"{name}@{prefix.node}")
    return f"{stamp}{pad(label, len(label) + _LEAST)}| {clean(text)}"

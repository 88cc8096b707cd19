"""How long a task is given to end: its own grace, or the one asked for now where that is longer.

`update --stop-grace-period 30s` is about how tasks end, and the next ones to end are those that run
already.  A shorter grace comes with the tasks that are made with it: one that was started with the
promise of a minute may need it, and a rollback must not cut it short.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from rollout.model.revision import Revision
from rollout.model.task import Task


def with_grace(tasks: Iterable[Task], newest: Revision) -> tuple[Task, ...]:
    """Own 10 s, asked for 30 s: 30 s, and what is being stopped is down 20 s later at the latest.
    The stop signal stays the container's own, as an engine takes no other."""
    wanted_s = newest.spec.task.stop_grace_s
    return tuple(
        _longer(task, wanted_s) if task.stop_grace_s < wanted_s else task for task in tasks
    )


def _longer(task: Task, grace_s: float) -> Task:
    ends_at = task.stop_ends_at
    if ends_at is not None:
        ends_at += grace_s - task.stop_grace_s
    return replace(task, stop_grace_s=grace_s, stop_ends_at=ends_at)

"""Jobs: services whose tasks come to an end, and have then done what they are for.

Exit code 0 is an end well reached

    where others wait for the service to complete,
    where its definition says that nothing restarts what ends well (none, on-failure), and it does
    not take the place of tasks that ran on,
    where it says nothing about restarts, and no task of the service ever ran on past its monitor
    window: taken for a job, since nobody has seen it serve.

Everywhere else it is a failure within the window, as in Swarm, and a reason to restart after it.
What ran on is told by the containers, and by the marks of earlier revisions: one that was complete
with tasks that ran says so for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition, ServiceSpec
from rollout.model.state import Cause, MarkKind
from rollout.model.task import Task

JOB = "job"
"""Reason of the mark of a revision that is complete since all its tasks have ended well."""
ASSUMED = "taken for a job, as its file says nothing about restarts"
_FOUND = (Cause.ADOPTED, Cause.REBUILT)
"""What was not watched by us: the containers tell."""


class Past(Struct, frozen=True):
    """What is known of the service's tasks so far."""

    ran_on: bool = False
    """One of them ran on past its monitor window, of whatever definition."""
    served: bool = False
    """One of another definition than the newest did, until it was stopped for its successor."""


def ends_well(spec: ServiceSpec, past: Past) -> bool:
    """A task of this definition that exits 0 has done what it is for."""
    if spec.completes:
        return True
    return not (spec.restart_said or past.ran_on) if is_assumed(spec) else not past.served


def past_of(
    revisions: Sequence[Revision], tasks: Sequence[Task], window_s: float, now: float
) -> Past:
    newest = revisions[-1]
    if newest.spec.completes:
        return Past(ran_on=True, served=True)
    if is_assumed(newest.spec):
        ran_on = _ran_on_before(revisions) or any(_runs_on(each, window_s, now) for each in tasks)
        return Past(ran_on=ran_on, served=True)
    others = [task for task in tasks if task.digest != newest.digest]
    served = [task for task in others if _runs_on(task, window_s, now)]
    if not served or any(task.alive for task in served):
        return Past(ran_on=bool(served), served=bool(served))
    made: dict[int, list[float]] = defaultdict(list)
    for task in tasks:
        made[task.slot].append(task.created_at)
    stopped = any(
        task.created_at < at <= (task.finished_at or 0.0)
        for task in served
        for at in made[task.slot]
    )
    return Past(ran_on=True, served=stopped)


def is_assumed(spec: ServiceSpec) -> bool:
    """Nothing in the definition says so."""
    return not spec.completes and spec.task.restart.condition is RestartCondition.ANY


def has_ended_well(task: Task) -> bool:
    return (
        task.ended and task.exit_code == 0 and task.unhealthy_since is None and not task.oom_killed
    )


def was_complete_as_job(revision: Revision) -> bool:
    """Its last mark says that all its tasks have ended well."""
    last = revision.marks[-1] if revision.marks else None
    return last is not None and last.kind is MarkKind.COMPLETED and last.reason == JOB


def _ran_on_before(revisions: Iterable[Revision]) -> bool:
    """A revision of the service was complete with tasks that ran."""
    return any(
        mark.kind is MarkKind.COMPLETED and mark.reason != JOB
        for each in revisions
        if each.spec.slots and each.cause not in _FOUND
        for mark in each.marks
    )


def _runs_on(task: Task, window_s: float, now: float) -> bool:
    """It ran on past its monitor window, whatever became of it then."""
    since = task.running_since
    if since is None:
        return False
    until = now if task.alive else task.finished_at
    return until is not None and until - since >= window_s

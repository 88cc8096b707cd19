"""`depends_on`: what a service waits for before anything new of it is started.

It waits while a service that it depends on is on its way, and for one that is to complete as long
as that runs.  Where that one has come to its end otherwise, it was in vain; but for a service that
was complete before, which has lived without a healthy neighbour and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.decide.world import Decision
from rollout.model.revision import Revision
from rollout.model.state import ContainerStatus, MarkKind
from rollout.model.task import Task

HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"

Histories = Mapping[str, tuple[Revision, ...]]
_WORDS = {HEALTHY: "to be healthy", COMPLETED: "to complete"}


def waits_for(
    history: tuple[Revision, ...],
    histories: Histories,
    tasks: Mapping[str, tuple[Task, ...]],
    decided: Mapping[str, Decision],
) -> Iterator[tuple[str, bool]]:
    """What is waited for, in words, and whether it will not come any more.

    `decided`: the decisions about services that were sorted out before this one.
    """
    was_complete = any(m.kind is MarkKind.COMPLETED for each in history for m in each.marks)
    for service, condition in history[-1].spec.depends_on.items():
        if service not in decided:
            continue
        at_rest = decided[service].status.at_rest
        if at_rest and was_complete and condition != COMPLETED:
            continue
        there = tasks[service]
        if condition == COMPLETED and decided[service].status.all_completed:
            continue
        if not _is_met(condition, histories[service][-1], there, at_rest=at_rest):
            runs_on = condition == COMPLETED and any(task.alive for task in there)
            yield f"{service} {_WORDS.get(condition, 'to run')}", at_rest and not runs_on


def _is_met(condition: str, newest: Revision, tasks: tuple[Task, ...], *, at_rest: bool) -> bool:
    """All slots are as they should be; of a service at rest one, of any definition."""
    any_will_do = at_rest and condition != COMPLETED
    good = {
        task.slot
        for task in tasks
        if _is_good(condition, task) and (task.digest == newest.digest or any_will_do)
    }
    wanted = newest.spec.slots
    return len(good) >= (min(wanted, 1) if any_will_do else wanted)


def _is_good(condition: str, task: Task) -> bool:
    if condition == COMPLETED:
        return task.ended and task.exit_code == 0
    if condition == HEALTHY:
        return task.running
    return task.status is ContainerStatus.RUNNING

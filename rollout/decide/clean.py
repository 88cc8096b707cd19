"""What is no longer needed: slots too many, stale Ready tasks, history, old restart policies."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.decide.repair import restart_at
from rollout.decide.slots import Bucket, Slot
from rollout.decide.view import View
from rollout.model.action import Action, Remove, Stop
from rollout.model.spec import RestartCondition
from rollout.model.task import Task

HISTORY = 5
"""Tasks kept per slot, the live one included: Swarm's default."""
ONE_TOO_MANY = "one slot too many"


def scale_down(view: View) -> Iterator[Action]:
    """Slots too many: what is up is stopped, and what never ran goes.  What has ended stays, within
    the history limit, so that it can be looked into; never to be brought back by an engine."""
    for slot in view.extra:
        for task in slot.tasks:
            if task.alive or (task.ended and task.armed):
                yield Stop(task=task, cause=ONE_TOO_MANY)
            elif task.prepared:
                yield Remove(task=task, cause=ONE_TOO_MANY)


def sweep(view: View) -> Iterator[Action]:
    """Ready tasks that nothing asks for any more.

    Kept while the slot has nothing else: what was stopped for them says by their times that it was.
    """
    for slot in view.slots:
        served = slot.new is not None or bool(slot.old) or slot.bucket is Bucket.COMPLETE
        if not served or slot.number in view.batch.in_flux:
            # Also while the old one is being stopped: paused or not, the new one is needed.
            continue
        yield from (Remove(task=task, cause="no longer asked for") for task in slot.stale)
        if slot.ready is None:
            continue
        held = view.run.paused and slot.bucket in (Bucket.DIRTY, Bucket.FAILED)
        if slot.new is not None or slot.bucket is Bucket.COMPLETE or (held and not slot.adrift):
            why = "update paused" if view.run.paused else "no longer asked for"
            yield Remove(task=slot.ready, cause=why)


def retire(view: View) -> Iterator[Action]:
    """What was replaced and has a restart policy: an engine that restarts might bring it back.

    A stop takes the policy away; whoever stopped it died in between, or it had ended by itself.
    """
    for slot in view.slots:
        if slot.new is None and slot.bucket is not Bucket.COMPLETE:
            continue
        for task in slot.tasks:
            if task.ended and task.armed and task not in slot.run:
                yield Stop(task=task, cause="replaced, must not come back")


def reap(view: View) -> Iterator[Action]:
    """Ended tasks beyond the history limit, oldest first.  The run's first task in a slot stays
    until the run is over: it is how the slot is judged.  What never ran pushes nothing out, nor
    does what is on its way out itself: a busy engine shows it for a while."""
    for slot in (*view.slots, *view.extra):
        surplus = sum(1 for task in slot.tasks if not (task.prepared or task.removing))
        surplus -= _limit(view, slot)
        for task in slot.tasks:
            if surplus <= 0:
                break
            if task.ended and not _is_evidence(view, slot, task):
                surplus -= 1
                yield Remove(task=task, cause="history limit")


def _limit(view: View, slot: Slot) -> int:
    """How many tasks of a slot are kept.

    Where there is a `container_name`, only one once the slot has settled: `docker compose up` takes
    the oldest container for the service's, removes the others, and cannot give it the name that the
    task which runs has still.  Until then the earlier ones count for the restart policy.
    """
    task = view.run.target.spec.task
    usual = max(HISTORY, task.restart.max_attempts + 1)
    if not task.container_name or view.is_open or restart_at(view, slot) is not None:
        return usual
    counts = task.restart.condition is not RestartCondition.NONE
    return usual if slot.new is not None and counts and not slot.new.armed else 1


def _is_evidence(view: View, slot: Slot, task: Task) -> bool:
    return task is slot.first and not view.run.finished

"""Outside of batches: new slots, lost tasks, failed ones under their restart policy.

Docker's own restart policy looks after a task once it has passed its monitor window (it is armed
then).  Until then, and for what Docker does not do (a container removed by hand, one that is
unhealthy), these rules make a new task in the slot, as Swarm does: after the restart delay, as
often as the policy allows.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollout.decide.slots import Bucket, Slot
from rollout.decide.update import prepare
from rollout.decide.view import View
from rollout.model.action import Action, Arm, Start
from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition
from rollout.model.task import Task


def fill(view: View) -> Iterator[Action]:
    """Slots with nothing in them: at once, outside parallelism and delay, as Swarm scales up."""
    for slot in view.slots:
        if is_empty(view, slot):
            yield from _renew(view, slot, view.now, "slot is empty")


def is_empty(view: View, slot: Slot) -> bool:
    """Nothing is up in it, and nothing that was begun under another definition will be."""
    return slot.bucket is Bucket.VACANT and not any(
        view.is_busy(("task", task.container_id)) for task in slot.stale
    )


def is_tried(view: View, slot: Slot) -> bool:
    """A task is being made for it, paused or not."""
    return is_empty(view, slot) or restart_at(view, slot) is not None


def restart(view: View) -> Iterator[Action]:
    """Slots whose task ended, under the restart policy of the task that ended."""
    for slot in view.slots:
        due = restart_at(view, slot)
        if due is not None:
            yield from _renew(view, slot, due, "restarted")


def _renew(view: View, slot: Slot, due: float, cause: str) -> Iterator[Action]:
    """Ready at once, started when it is due; handed to Docker first where nobody will watch."""
    revision = _definition(view, slot)
    ready = slot.ready if revision.digest == view.run.digest else None
    ready = ready or _of_digest(slot.stale, revision.digest)
    if ready is None:
        at_once = due <= view.now and not view.unwatched
        yield from prepare(view, slot, revision, cause, start=at_once)
    elif view.unwatched and not ready.armed and _may_restart(revision):
        yield Arm(task=ready, policy=revision.spec.task.restart, cause="nobody will watch it")
    elif view.now >= due:
        yield Start(task=ready, cause=cause)


def restart_at(view: View, slot: Slot) -> float | None:
    """When a slot's ended task is to be replaced by one like it; None: not at all."""
    task = slot.last
    if task is None or slot.new is not None or not _concerns_restart(view, slot):
        return None
    if task.armed and task.started_at is None and view.unwatched:
        # Nobody watches any more, and its last chance could not be started: that is how it ends.
        return None
    revision = _made_by(view, task) or view.run.target
    policy = revision.spec.task.restart
    ended = [each for each in slot.tasks if each.ended and each.digest == task.digest]
    if policy.condition is RestartCondition.NONE:
        return None
    if policy.condition is RestartCondition.ON_FAILURE and not _failed(task):
        return None
    ended_at = task.finished_at or task.created_at
    restarts = task.restarts + _restarts(ended, policy.window_s, ended_at)
    if policy.max_attempts and restarts >= policy.max_attempts:
        return None
    return ended_at + policy.delay_s


def arm(view: View) -> Iterator[Action]:
    """Hand tasks that have passed their window to Docker's restart policy.

    When nobody will watch any longer (paused, failed, told to stop) they are handed over at once.
    """
    at_once = view.unwatched
    for slot in view.slots:
        for task in slot.tasks:
            due = arm_at(view, task)
            if due is not None and (at_once or view.now >= due):
                revision = _made_by(view, task) or view.run.target
                policy = revision.spec.task.restart
                yield Arm(task=task, policy=policy, cause="watched long enough")


def arm_at(view: View, task: Task) -> float | None:
    """When a task has been watched long enough; None where there is nothing to set."""
    if task.armed or not task.running or task.running_since is None:
        return None
    revision = _made_by(view, task) or view.run.target
    if not _may_restart(revision) or not task.digest:
        return None
    return task.running_since + max(view.run.monitor_s, view.run.final_monitor_s)


def _may_restart(revision: Revision) -> bool:
    return revision.spec.task.restart.condition is not RestartCondition.NONE


def _concerns_restart(view: View, slot: Slot) -> bool:
    if slot.bucket is Bucket.LOST:
        return True
    if slot.bucket is Bucket.FAILED:
        # Start-first has kept the old task: the failed new one is not tried again beside it.
        return not slot.old
    return slot.bucket is Bucket.DOWN and view.run.paused


def _definition(view: View, slot: Slot) -> Revision:
    """What a slot outside of the batches gets: what it had; for a new slot what is wanted now.

    While an update is paused, a slot that it has not reached gets the old definition again, where
    Swarm starts the new one that has just failed elsewhere (its recording s29b).
    """
    reached = slot.run or slot.bucket is Bucket.FAILED or not slot.existed
    if view.run.paused and not reached:
        return (_made_by(view, slot.last) if slot.last else None) or view.old_revision()
    if slot.last is not None and slot.last.digest == view.run.digest:
        return _made_by(view, slot.last) or view.run.target
    return view.run.target


def _made_by(view: View, task: Task) -> Revision | None:
    """The revision a task was made for, where it is still recorded and asks for the same."""
    return next(
        (
            revision
            for revision in view.world.revisions
            if revision.number == task.revision and revision.digest == task.digest
        ),
        None,
    )


def _of_digest(tasks: tuple[Task, ...], digest: str) -> Task | None:
    return next((task for task in tasks if task.digest == digest), None)


def _failed(task: Task) -> bool:
    return task.exit_code != 0 or task.unhealthy_since is not None or task.oom_killed


def _restarts(ended: list[Task], window_s: float, now: float) -> int:
    """How often this slot was restarted, within the policy's window where there is one.

    max_attempts 2: one start and two restarts; so the third end finds two restarts.
    """
    starts = sorted(task.started_at or task.created_at for task in ended)[1:]
    return sum(1 for at in starts if not window_s or now - window_s < at)

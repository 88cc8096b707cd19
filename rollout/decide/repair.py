"""Outside of batches: new slots, lost tasks, failed ones under their restart policy.

Docker's own restart policy looks after a task once it has passed its monitor window (it is armed
then).  Until then, and for what Docker does not do (a container removed by hand, one that is
unhealthy), these rules make a new task in the slot, as Swarm does: after the restart delay, as
often as the policy allows.

Docker knows no delay, no window and, where any end is followed by a restart, no limit either.  So
whoever supervises takes a task back as soon as Docker has restarted it once: that was the first
attempt, and all others follow these rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from msgspec.structs import replace

from rollout.decide.batch import proven_at
from rollout.decide.jobs import ends_well, has_ended_well
from rollout.decide.slots import Bucket, Slot
from rollout.decide.update import prepare
from rollout.decide.view import View
from rollout.model.action import Action, Arm, Start
from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition, RestartPolicy
from rollout.model.task import Task


def fill(view: View) -> Iterator[Action]:
    """Slots with nothing in them: at once, outside parallelism and delay, as Swarm scales up."""
    for slot in view.slots:
        if is_empty(view, slot):
            yield from _renew(view, slot, view.now, "slot is empty")


def is_empty(view: View, slot: Slot) -> bool:
    """Nothing is up in it, and nothing that was begun under another definition will be."""
    vacant = view.tends and slot.bucket is Bucket.VACANT
    return vacant and not any(view.is_busy(("task", task.container_id)) for task in slot.stale)


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
        yield Arm(task=ready, policy=_policy(view, revision), cause="nobody will watch it")
    elif view.now >= due:
        yield Start(task=ready, cause=cause)


def restart_at(view: View, slot: Slot) -> float | None:
    """When a slot's ended task is to be replaced by one like it; None: not at all."""
    task = slot.last
    if task is None or slot.new is not None or not _concerns_restart(view, slot):
        return None
    if _before_what_never_ran(view, slot) is not None:
        # That belongs to the update which has just paused: whoever drove it does it.
        return view.now
    if not view.tends:
        return None
    if task.armed and task.started_at is None and view.unwatched:
        # Nobody watches any more, and its last chance could not be started: that is how it ends.
        return None
    revision = _made_by(view, task) or view.run.target
    policy = revision.spec.task.restart
    if policy.condition is RestartCondition.NONE or _is_through(view, task, revision):
        return None
    if policy.condition is RestartCondition.ON_FAILURE and (
        not _failed(task) or (view.unwatched and task.armed and task.exit_code == 0)
    ):
        # Docker, which looks after an armed task where nobody watches, knows exit codes only.
        return None
    ended_at = task.finished_at or task.created_at
    if policy.max_attempts and _restarts(slot, task, policy.window_s) >= policy.max_attempts:
        return None
    return ended_at + policy.delay_s


def arm(view: View) -> Iterator[Action]:
    """Hand tasks that have passed their window to Docker's restart policy.

    When nobody will watch any longer (paused, failed, told to stop) they are handed over at once;
    one beside its predecessor once it may take that one's place: what ends sooner is not to be
    started again beside a task that serves.
    """
    at_once = view.unwatched
    for slot in view.slots:
        if view.now < proven_at(slot, view.run):
            continue
        for task in slot.tasks:
            due = arm_at(view, slot, task)
            if due is not None and (at_once or view.now >= due):
                revision = _made_by(view, task) or view.run.target
                policy = _policy(view, revision)
                yield Arm(task=task, policy=policy, cause="watched long enough")


def arm_at(view: View, slot: Slot, task: Task) -> float | None:
    """When a task has been watched long enough; None where there is nothing to set."""
    if task.armed or not task.running or task.running_since is None:
        return None
    if view.supervised and _was_restarted(slot, task):
        return None
    if view.run.completes and not view.unwatched:
        # Its end is waited for, and an exit code other than 0 is a failure at any time.
        return None
    revision = _made_by(view, task) or view.run.target
    if not _may_restart(revision) or not task.digest:
        return None
    return _watched_at(view, task)


def _was_restarted(slot: Slot, task: Task) -> bool:
    """By Docker, or it is itself what one like it was replaced by."""
    return task.restarts > 0 or any(
        each.ended and each.digest == task.digest and each.created_at < task.created_at
        for each in slot.counted
    )


def disarm(view: View) -> Iterator[Action]:
    """Take back from Docker what does not do well under it, or is still to be seen to: so that its
    next end is its last, and tells when it came."""
    for slot in view.slots:
        for task in slot.tasks:
            if task.alive and task.armed and _is_taken_back(view, slot, task):
                policy = RestartPolicy(condition=RestartCondition.NONE)
                cause = "restarted by Docker" if task.restarts else "not watched long enough"
                yield Arm(task=task, policy=policy, cause=f"{cause}, taken back")


def _is_taken_back(view: View, slot: Slot, task: Task) -> bool:
    if view.supervised and task.restarts:
        return True
    if view.unwatched or task not in slot.run:
        return False
    return task.running_since is None or view.now < _watched_at(view, task)


def _watched_at(view: View, task: Task) -> float:
    return (task.running_since or view.now) + max(view.run.monitor_s, view.run.final_monitor_s)


def _is_through(view: View, task: Task, revision: Revision) -> bool:
    """A job's task that has ended well: never started again, whatever the update."""
    return has_ended_well(task) and ends_well(revision.spec, view.run.past)


def _policy(view: View, revision: Revision) -> RestartPolicy:
    """What Docker is told: of what may be a job, not to start again what ends well."""
    policy = revision.spec.task.restart
    if policy.condition is RestartCondition.ANY and ends_well(revision.spec, view.run.past):
        return replace(policy, condition=RestartCondition.ON_FAILURE)
    return policy


def _may_restart(revision: Revision) -> bool:
    return revision.spec.task.restart.condition is not RestartCondition.NONE


def _concerns_restart(view: View, slot: Slot) -> bool:
    if slot.adrift:
        return False
    if slot.bucket is Bucket.LOST:
        return True
    if slot.bucket is Bucket.FAILED:
        # Start-first has kept the old task: the failed new one is not tried again beside it.
        return all(task.container_id in view.world.bound.adrift for task in slot.old)
    return slot.bucket is Bucket.DOWN and view.run.paused


def _before_what_never_ran(view: View, slot: Slot) -> Revision | None:
    """What a slot had before, where the new task could not even be started and the update is
    paused: the old one served, and goes on serving, whatever restart policy the new one has.  Once:
    an old one that cannot be started either is its own policy's business."""
    if not view.run.paused or slot.bucket is not Bucket.FAILED or slot.old:
        return None
    if any(task.started_at is not None for task in slot.run):
        return None
    failed_at = slot.run[-1].created_at
    others = [task for task in reversed(slot.counted) if task.digest != view.run.digest]
    before = next((task for task in others if task.started_at is not None), None)
    if before is None or any(task.ended and task.created_at > failed_at for task in others):
        return None
    return (_made_by(view, before) if before.digest else None) or _other(view)


def _other(view: View) -> Revision | None:
    old = view.old_revision()
    return old if old.digest != view.run.digest else None


def _definition(view: View, slot: Slot) -> Revision:
    """What a slot outside of the batches gets: what it had; for a new slot what is wanted now.

    While an update is paused, a slot that it has not reached gets the old definition again, where
    Swarm starts the new one that has just failed elsewhere (its recording s29b).
    """
    before = _before_what_never_ran(view, slot)
    if before is not None:
        return before
    reached = slot.run or slot.bucket is Bucket.FAILED or not slot.existed
    if slot.bucket is Bucket.FAILED and slot.last is not None:
        # Start-first has kept the old task, which served to the end.
        reached = slot.last.digest == view.run.digest
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


def _restarts(slot: Slot, last: Task, window_s: float) -> int:
    """How often this slot was restarted with what ended last, within the policy's window where
    there is one.  Another definition in between counts from nothing, as in Swarm.

    max_attempts 2: one start and two restarts; so the third end finds two restarts.
    """
    newest_first = (task for task in reversed(slot.counted) if not task.prepared)
    alike = tuple(takewhile(lambda task: task.digest == last.digest, newest_first))
    since = (last.finished_at or last.created_at) - window_s if window_s else 0.0
    ours = sum(1 for task in alike[:-1] if _first_start(task) > since)
    return ours + sum(_by_docker(task, since) for task in alike)


def _first_start(task: Task) -> float:
    """Where Docker has started it since, that is forgotten, but it was made for it."""
    return task.created_at if task.restarts else task.started_at or task.created_at


def _by_docker(task: Task, since: float) -> int:
    """Of Docker's restarts those that are known to be later: all, the last one, or none."""
    if task.created_at > since:
        return task.restarts
    return min(task.restarts, 1) if (task.started_at or 0.0) > since else 0

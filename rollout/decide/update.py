"""The update itself: make the next batch Ready, begin it when it is its turn, carry it through."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.decide.batch import proven_at
from rollout.decide.failure import retry_at
from rollout.decide.slots import Bucket, Slot
from rollout.decide.view import View
from rollout.decide.world import may_be_bound
from rollout.model.action import Action, Prepare, Start, Stop
from rollout.model.bindings import siblings_of
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction, Order
from rollout.model.state import ContainerStatus
from rollout.model.task import Task


def prepare_next(view: View) -> Iterator[Action]:
    """The next batch is made Ready while this one is waited for."""
    for slot in view.batch.candidates[: view.batch.parallelism]:
        if slot.ready is None:
            yield from prepare(view, slot, view.revision_of(slot.digest), _why(view, slot))


def begin_batch(view: View) -> Iterator[Action]:
    """Once all tasks of the batch are Ready and the delay is over, take the step that shows."""
    chosen = tuple(slot for slot in next_batch(view) if slot.number in view.bindable)
    ready = [slot.ready for slot in chosen if slot.ready is not None]
    if view.now < view.batch.open_at or len(ready) < len(chosen):
        return
    for slot, new in zip(chosen, ready, strict=True):
        cause = _why(view, slot)
        if slot.old and view.run.order is Order.STOP_FIRST:
            yield from (Stop(task=task, cause=cause) for task in slot.old)
        else:
            yield Start(task=new, cause=cause)


def next_batch(view: View) -> tuple[Slot, ...]:
    """The slots to begin next, without those that must be held back."""
    chosen = view.batch.candidates[: view.batch.room]
    held = {slot.number for slot in held_back(view, chosen)}
    return tuple(slot for slot in chosen if slot.number not in held)


def held_back(view: View, chosen: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Slots not to be begun, since a task of this run has failed and they hold the last that runs.

    An operator's choice of parallelism or ratio may take all tasks down at once; `continue`, which
    no number of failures ends, may not.  Swarm goes on until nothing runs (its recordings s06 and
    s13).  A new task counts once it has been watched for `monitor`.
    """
    if not view.failures or view.run.action is not FailureAction.CONTINUE:
        return ()
    if view.run.order is Order.START_FIRST:
        return ()
    ours = {slot.number for slot in chosen}
    others = [task for task in view.running() if task.slot not in ours]
    if any(trusted_at(view, task) <= view.now for task in others):
        return ()
    well = [slot for slot in chosen if any(task.running for task in slot.tasks)]
    return tuple(well[-1:])


def trusted_at(view: View, task: Task) -> float:
    """When a task that runs may be relied on: an old one has been for long."""
    if task.digest != view.run.digest:
        return 0.0
    return view.run.proven_at(task) or view.now + view.run.monitor_s


def carry_through(view: View) -> Iterator[Action]:
    """What was begun is finished: start what was vacated, stop what is replaced."""
    cause = f"replaced by revision {view.run.target.number}"
    for slot in view.slots:
        if view.supervised and view.run.paused:
            yield from (
                Stop(task=task, cause="unhealthy")
                for task in slot.old
                if _is_to_be_stopped(view, task)
            )
        if slot.bucket is Bucket.DIRTY:
            continue
        if slot.bucket is Bucket.VACATED and slot.ready is not None:
            yield Start(task=slot.ready, cause="its predecessor is down")
        elif slot.bucket is Bucket.OVERLAP and view.now >= proven_at(slot, view.run):
            yield from (Stop(task=task, cause=cause) for task in slot.old)
        yield from (Stop(task=task, cause="twice in its slot") for task in slot.surplus)
        if slot.new is None or slot.new.running:
            continue
        if _is_to_be_stopped(view, slot.new):
            yield Stop(task=slot.new, cause="unhealthy")
        elif slot.old and slot.number in view.failed_slots:
            yield Stop(task=slot.new, cause="failed, its predecessor is kept")


def _is_to_be_stopped(view: View, task: Task) -> bool:
    """It is unhealthy, and somebody watches who will replace it.

    Between two of Docker's restarts it counts as unhealthy too, with nothing there to stop.
    """
    given_away = view.unwatched and task.armed
    return task.unhealthy and task.status is ContainerStatus.RUNNING and not given_away


def prepare(
    view: View, slot: Slot, revision: Revision, cause: str, *, start: bool = False
) -> Iterator[Action]:
    bound = view.world.bound
    if not may_be_bound(bound, revision.spec):
        return
    attempt = view.attempt(slot.number, revision.digest)
    if attempt is None or (retry_at(attempt) <= view.now and not view.has_given_up(attempt)):
        after = slot.tasks[-1].id if slot.tasks else ""
        yield Prepare(
            revision=revision,
            slot=slot.number,
            cause=cause,
            after=after,
            start=start,
            siblings={
                name: bound.homes[name]
                for name in sorted(siblings_of(revision.spec.task) & bound.homes.keys())
            },
            existed=slot.existed or view.run.finished or bool(slot.tasks),
        )


def _why(view: View, slot: Slot) -> str:
    target = view.run.target
    if slot.adrift:
        return f"bound anew: {slot.adrift}"
    if slot.bucket is Bucket.DOWN:
        return f"slot is down, revision {target.number}"
    what = "rolled back to" if target.is_rollback else "updated to"
    return f"{what} revision {target.restores or target.number}"

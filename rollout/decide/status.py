"""Where a service is, in words and numbers for people and machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rollout.decide.failure import deadline_of, describe_end
from rollout.decide.jobs import ASSUMED, is_assumed
from rollout.decide.repair import restart_at
from rollout.decide.slots import Bucket, Slot
from rollout.decide.update import next_batch
from rollout.decide.verdict import completion_message
from rollout.decide.view import View
from rollout.model.state import Cause, ContainerStatus, Health, MarkKind, TaskState, UpdateState
from rollout.model.status import GIVES_UP, ServiceStatus, SlotStatus, name_slots
from rollout.model.task import Task, describe_restarts, state_of

_TO_COME = (Bucket.DIRTY, Bucket.DOWN, Bucket.VACANT, Bucket.LOST)
_UPDATED = (Bucket.UPDATED, Bucket.COMPLETE)


def status_of(view: View, *, at_rest: bool) -> ServiceStatus:
    target = view.run.target
    state, message = _update_state(view)
    wait = _waiting(view)
    last = target.marks[-1] if target.marks else None
    done = last is not None and last.kind is MarkKind.COMPLETED
    in_flux = view.batch.in_flux
    return ServiceStatus(
        stack=target.stack,
        service=target.service,
        revision=target,
        state=state,
        message=message,
        started_at=_started_at(view) if state is not None else None,
        completed_at=last.at if last is not None and done and state is not None else None,
        slots=tuple(_slot_status(view, slot) for slot in view.slots),
        batch=tuple(sorted((*in_flux, *view.batch.mates))) if view.replaces else (),
        in_flux=in_flux,
        updated=sum(1 for slot in view.slots if slot.bucket in _UPDATED),
        total=len(view.slots),
        running=len({s.number for s in view.slots for task in s.tasks if _works(view, task)}),
        desired=target.spec.slots,
        completed=sum(1 for slot in view.slots if slot.bucket is Bucket.COMPLETE),
        waiting_for=wait.what,
        until=wait.until,
        because=wait.because,
        then=wait.then,
        restarting=_restarting(view),
        failures=view.failures,
        outcome=last.kind if at_rest and last is not None else None,
        proven_at=max(
            (
                view.run.proven_at(slot.new) or 0.0
                for slot in view.slots
                if slot.new is not None and slot.new.running
            ),
            default=0.0,
        ),
    )


def _works(view: View, task: Task) -> bool:
    """It runs, and not in the namespace of something that is gone."""
    return task.running and task.container_id not in view.world.bound.dead


def _update_state(view: View) -> tuple[UpdateState | None, str]:
    target = view.run.target
    back = target.is_rollback
    last = target.marks[-1] if target.marks else None
    match last.kind if last else None:
        case MarkKind.COMPLETED if last is not None:
            if not last.message:
                return None, ""
            state = UpdateState.ROLLBACK_COMPLETED if back else UpdateState.COMPLETED
            return state, last.message
        case MarkKind.PAUSED if last is not None:
            return UpdateState.ROLLBACK_PAUSED if back else UpdateState.PAUSED, last.message
        case MarkKind.FAILED:
            return None, last.message if last else ""
    if back:
        return UpdateState.ROLLBACK_STARTED, target.message or "manually requested rollback"
    if not completion_message(view):
        return None, ""
    return UpdateState.UPDATING, "update in progress"


def _started_at(view: View) -> float:
    """An automatic rollback is part of the update that failed, as in Swarm."""
    target = view.run.target
    if target.cause is Cause.AUTO_ROLLBACK and len(view.world.revisions) > 1:
        return view.world.revisions[-2].created_at
    return target.created_at


class _Wait(NamedTuple):
    """What is waited for, until when at the latest, why it is not there yet, what happens then."""

    what: str = ""
    until: float | None = None
    because: str = ""
    then: str = ""


def _waiting(view: View) -> _Wait:
    """The one thing that the service waits for now."""
    at_its_end = view.run.finished or (view.run.paused and not view.batch.in_flux)
    if at_its_end and not view.rebinds:
        return _Wait()
    service = view.run.target.service
    if view.waits_for:
        return _Wait(view.waits_for[0])
    if view.world.bound.missing and any(_is_unbound(view, slot) for slot in view.slots):
        return _Wait(next(iter(view.world.bound.missing.values())))
    if at_its_end and not view.batch.in_flux:
        first = next(slot for slot in view.batch.candidates if slot.adrift)
        return _Wait(f"{service}.{first.number} to be bound anew: {first.adrift}")
    starting = [slot for slot in view.slots if slot.bucket is Bucket.STARTING]
    if starting:
        return _waiting_to_run(view, starting)
    if view.batch.in_flux:
        until = max(_killed_at(view), default=None)
        return _Wait(f"{name_slots(service, view.batch.in_flux)} to stop", until, then="killed")
    if view.batch.candidates:
        if view.now < view.batch.open_at:
            return _Wait("delay", view.batch.open_at)
        batch = next_batch(view)
        unready = [slot for slot in batch if slot.ready is None]
        if unready:
            attempt = view.attempt(unready[0].number, view.run.digest)
            return _Wait(
                f"{service}.{unready[0].number} to be ready",
                _ready_deadline(view, unready[0]),
                attempt.error if attempt else "",
                GIVES_UP,
            )
        # For whoever follows, as long as old tasks take to stop.
        names = name_slots(service, [slot.number for slot in batch])
        return _Wait(f"{names} to be replaced" if batch else "")
    if view.run.completes:
        running = [slot.number for slot in view.slots if slot.bucket is Bucket.UPDATED]
        if running:
            return _Wait(f"{name_slots(service, running)} to complete")
    if view.now < view.complete_at and view.members:
        return _Wait("monitor", view.complete_at)
    return _Wait()


def _waiting_to_run(view: View, starting: Sequence[Slot]) -> _Wait:
    tasks = [slot.new for slot in starting if slot.new is not None]
    what = "to become healthy" if any(task.has_healthcheck for task in tasks) else "to run"
    names = name_slots(view.run.target.service, [slot.number for slot in starting])
    ends = [deadline_of(task, view.run) for task in tasks]
    because = next((why for task in tasks if (why := _not_running_because(task))), "")
    until = min((end for end in ends if end is not None), default=None)
    return _Wait(f"{names} {what}", until, because, GIVES_UP)


def _not_running_because(task: Task) -> str:
    known = [describe_restarts(task)] if task.restarts else []
    if task.status is ContainerStatus.PAUSED:
        known.append("paused by docker pause")
    if task.probe:
        known.append(f"last probe: {task.probe}")
    return ", ".join(known)


def _restarting(view: View) -> tuple[int, ...]:
    return tuple(
        slot.number for slot in view.slots if any(task.restarting(view.now) for task in slot.tasks)
    )


def _is_unbound(view: View, slot: Slot) -> bool:
    """It gets a task once what that is to be bound to is there."""
    return slot.number not in view.bindable and slot.bucket in _TO_COME


def _killed_at(view: View) -> Iterator[float]:
    """When the grace of each task that is being stopped is over; only who stops it knows."""
    for slot in view.slots:
        for task in slot.tasks:
            since = view.world.busy.get(("task", task.container_id))
            if since is not None and task.container_id in view.leaving:
                yield since + task.stop_grace_s


def _ready_deadline(view: View, slot: Slot) -> float | None:
    attempt = view.attempt(slot.number, view.run.digest)
    if attempt is None or not view.run.deadline_s:
        return None
    return attempt.first_at + view.run.deadline_s


def _slot_status(view: View, slot: Slot) -> SlotStatus:
    task = _task_that_matters(slot)
    note: str = ""
    until: float | None = None
    eventful = slot.ready is not None or bool(view.world.busy) or bool(view.attempts)
    eventful = eventful or (task is not None and task.restarts > 0)
    why = _adrift(view, task)
    if task is not None and task.running and not eventful:
        # Most slots of a large fleet: there is nothing to say about them.
        state = TaskState.RUNNING
    else:
        state = _slot_state(slot, task)
        note, until = _slot_note(view, slot, task)
    return SlotStatus(
        slot=slot.number,
        state=state,
        updated=slot.bucket in _UPDATED,
        revision=task.revision if task else 0,
        task=task,
        note=note or (f"out of date: {why}" if why else ""),
        adrift=why,
        since=_since(task),
        until=until,
        fresh=task is not None and task.digest == view.run.digest,
        stopping=_stopping(view, slot),
    )


def _stopping(view: View, slot: Slot) -> Task | None:
    for task in slot.tasks:
        ends_at = task.stop_ends_at
        told = ends_at is not None and view.now < ends_at
        if task.alive and (told or task.container_id in view.leaving):
            return task
    return None


def _adrift(view: View, task: Task | None) -> str:
    return "" if task is None else view.world.bound.adrift.get(task.container_id, "")


def _task_that_matters(slot: Slot) -> Task | None:
    if slot.new is not None:
        return slot.new
    if slot.bucket is Bucket.VACATED:
        return slot.ready
    if slot.bucket is Bucket.FAILED:
        return slot.run[-1]
    return slot.old[-1] if slot.old else slot.last or slot.ready


def _slot_state(slot: Slot, task: Task | None) -> TaskState:
    if task is None:
        return TaskState.COMPLETE if slot.bucket is Bucket.COMPLETE else TaskState.NEW
    replaced_at = slot.ready.created_at if slot.ready else None
    return state_of(task, replaced_at=replaced_at)


def _slot_note(view: View, slot: Slot, task: Task | None) -> tuple[str, float | None]:
    attempt = view.attempts.get(slot.number)
    if attempt is not None and slot.ready is None and slot.new is None:
        return attempt.error, None
    if task is None:
        return "", None
    if slot.bucket is Bucket.COMPLETE:
        return ASSUMED if is_assumed(view.run.target.spec) else "", None
    if task.ended:
        due = restart_at(view, slot)
        return describe_end(task), due if due is not None and due > view.now else None
    if slot.bucket is Bucket.STARTING:
        note = "" if task.health is Health.NONE else f"health: {task.health}"
        if because := _not_running_because(task):
            note = because
        return note, deadline_of(task, view.run)
    if task.restarts:
        return describe_restarts(task), None
    if view.world.busy and any(view.is_busy(("task", old.container_id)) for old in slot.old):
        return "stopping", None
    if slot.ready is not None and slot.ready is not task:
        return "replacement ready", None
    return "", None


def _since(task: Task | None) -> float:
    if task is None:
        return 0.0
    if task.ended:
        return task.finished_at or task.created_at
    return task.running_since or task.started_at or task.created_at

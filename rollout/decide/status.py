"""Where a service is, in words and numbers for people and machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.decide.failure import deadline_of, describe_end
from rollout.decide.repair import restart_at
from rollout.decide.slots import Bucket, Slot
from rollout.decide.update import next_batch
from rollout.decide.verdict import completion_message
from rollout.decide.view import View
from rollout.model.state import Cause, Health, MarkKind, TaskState, UpdateState
from rollout.model.status import ServiceStatus, SlotStatus
from rollout.model.task import Task, state_of


def status_of(view: View, *, at_rest: bool) -> ServiceStatus:
    target = view.run.target
    state, message = _update_state(view)
    waiting_for, until = _waiting(view)
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
        updated=sum(1 for slot in view.slots if slot.bucket is Bucket.UPDATED),
        total=len(view.slots),
        running=len({s.number for s in view.slots for task in s.tasks if task.running}),
        desired=target.spec.slots,
        waiting_for=waiting_for,
        until=until,
        failures=view.failures,
        outcome=last.kind if at_rest and last is not None else None,
    )


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


def _waiting(view: View) -> tuple[str, float | None]:
    """The one thing that the service waits for now, and until when at the latest."""
    if view.run.finished or (view.run.paused and not view.batch.in_flux):
        return "", None
    service = view.run.target.service
    if view.waits_for:
        return view.waits_for[0], None
    starting = [slot for slot in view.slots if slot.bucket is Bucket.STARTING]
    if starting:
        healthy = any(slot.new is not None and slot.new.has_healthcheck for slot in starting)
        what = "to become healthy" if healthy else "to run"
        task = starting[0].new
        until = deadline_of(task, view.run) if task else None
        return f"{_names(service, [slot.number for slot in starting])} {what}", until
    if view.batch.in_flux:
        until = max(_killed_at(view), default=None)
        return f"{_names(service, view.batch.in_flux)} to stop", until
    if view.batch.candidates:
        if view.now < view.batch.open_at:
            return "delay", view.batch.open_at
        batch = next_batch(view)
        unready = [slot for slot in batch if slot.ready is None]
        if unready:
            return f"{service}.{unready[0].number} to be ready", _ready_deadline(view, unready[0])
        # For whoever follows, as long as old tasks take to stop.
        names = _names(service, [slot.number for slot in batch])
        return f"{names} to be replaced" if batch else "", None
    if view.now < view.complete_at and view.members:
        return "monitor", view.complete_at
    return "", None


def _names(service: str, slots: Sequence[int]) -> str:
    """Three of them: one who waits wants to know where to look."""
    more = f" and {len(slots) - 3} more" if len(slots) > 3 else ""
    return ", ".join(f"{service}.{slot}" for slot in slots[:3]) + more


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
    eventful = slot.ready is not None or view.world.busy or view.attempts
    if task is not None and task.running and not eventful:
        # Most slots of a large fleet: there is nothing to say about them.
        state = TaskState.RUNNING
    else:
        state = _slot_state(slot, task)
        note, until = _slot_note(view, slot, task)
    return SlotStatus(
        slot=slot.number,
        state=state,
        updated=slot.bucket is Bucket.UPDATED,
        revision=task.revision if task else 0,
        task=task,
        note=note,
        since=_since(task),
        until=until,
    )


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
        return TaskState.NEW
    replaced_at = slot.ready.created_at if slot.ready else None
    return state_of(task, replaced_at=replaced_at)


def _slot_note(view: View, slot: Slot, task: Task | None) -> tuple[str, float | None]:
    attempt = view.attempts.get(slot.number)
    if attempt is not None and slot.ready is None and slot.new is None:
        return attempt.error, None
    if task is None:
        return "", None
    if task.ended:
        due = restart_at(view, slot)
        return describe_end(task), due if due is not None and due > view.now else None
    if slot.bucket is Bucket.STARTING:
        note = "" if task.health is Health.NONE else f"health: {task.health}"
        if task.restarts:
            times = "once" if task.restarts == 1 else f"{task.restarts} times"
            note = f"restarted {times} by Docker"
        return note, deadline_of(task, view.run)
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

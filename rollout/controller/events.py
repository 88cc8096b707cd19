"""What happened between two looks: a pure comparison, so that whoever only follows sees the same
events as whoever drives."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.model.event import ANNOUNCED_WAITS, Event, EventKind
from rollout.model.state import Cause, MarkKind, TaskState
from rollout.model.status import ServiceStatus, SlotStatus, name_slots
from rollout.model.task import Task, describe_restarts
from rollout.model.units import format_duration


def events_between(
    before: dict[str, ServiceStatus], after: dict[str, ServiceStatus], at: float
) -> tuple[Event, ...]:
    """Everything that changed, in the order in which it makes sense to be told."""
    return tuple(
        event
        for service, status in after.items()
        for event in _of_service(before.get(service), status, at)
    )


def _of_service(before: ServiceStatus | None, after: ServiceStatus, at: float) -> Iterator[Event]:
    if before is None or before.revision.number != after.revision.number:
        yield _event(after, at, EventKind.REVISION, text=_revision_text(after))
    old_slots = {slot.slot: slot for slot in before.slots} if before else {}
    old_batch = before.batch if before else ()
    if after.batch and not set(after.batch) <= set(old_batch) and _goes_on(after):
        names = ", ".join(str(slot) for slot in after.batch)
        yield _event(after, at, EventKind.BATCH, text=f"batch: slots {names}")
    if before is not None:
        for slot in after.slots:
            yield from _of_slot(after, old_slots.get(slot.slot), slot, at)
        for number in sorted(set(old_slots) - {slot.slot for slot in after.slots}):
            yield _event(after, at, EventKind.TASK, slot=number, state="remove", text="removed")
    yield from _of_stops(before, after, at)
    known = {(each.slot, each.task_id) for each in before.failures} if before else set()
    for failure in after.failures:
        if (failure.slot, failure.task_id) not in known:
            text = f"{after.service}.{failure.slot} failed: {failure.reason}"
            yield Event(
                at=at,
                kind=EventKind.FAILURE,
                stack=after.stack,
                service=after.service,
                revision=after.revision.number,
                slot=failure.slot,
                task=failure.task_id,
                state="failed",
                text=text,
            )
    yield from _of_wait(before, after, at)
    if before is None or (before.state, before.message) != (after.state, after.message):
        if after.state is not None:
            yield _event(after, at, EventKind.UPDATE, state=after.state, text=after.message)
        elif after.message:
            yield _event(after, at, EventKind.UPDATE, state="failed", text=after.message)


def _of_slot(
    status: ServiceStatus, before: SlotStatus | None, after: SlotStatus, at: float
) -> Iterator[Event]:
    same_task = before is not None and _task_id(before) == _task_id(after)
    known = before.task if before is not None and same_task else None
    if known is not None and after.task is not None and after.task.restarts > known.restarts:
        # What it is in between two restarts says nothing.
        yield _restarted(status, after.task, at)
        return
    if before is not None and same_task and before.state == after.state:
        return
    if after.task is None or (
        after.state is TaskState.FAILED
        and after.task.id in {failure.task_id for failure in status.failures}
    ):
        # A failure of the update is an event of its own.
        return
    note = f": {after.note}" if after.note else ""
    done = after.updated and after.state is TaskState.COMPLETE
    what = "has completed (exit 0)" if done else f"{after.state} (revision {after.revision})"
    text = f"{status.service}.{after.slot} {what}{note}"
    yield _event(
        status,
        at,
        EventKind.TASK,
        slot=after.slot,
        task=after.task.id,
        state=after.state,
        text=text,
    )


def _restarted(status: ServiceStatus, task: Task, at: float) -> Event:
    text = f"{status.service}.{task.slot} {describe_restarts(task)}"
    return _event(
        status,
        at,
        EventKind.TASK,
        slot=task.slot,
        task=task.id,
        state="restarting",
        text=text,
    )


def _goes_on(status: ServiceStatus) -> bool:
    """What is paused begins no batch, whatever its slots in flight still do."""
    return status.revision.last_mark is not MarkKind.PAUSED


def _of_stops(before: ServiceStatus | None, after: ServiceStatus, at: float) -> Iterator[Event]:
    """`stopping web.1, web.2 (grace 10s)`: nothing else is heard of them for so long."""
    known = _stops(before) if before is not None else {}
    begun = {key: task for key, task in _stops(after).items() if key not in known}
    for grace_s in sorted({task.stop_grace_s for task in begun.values()}):
        slots = sorted(task.slot for task in begun.values() if task.stop_grace_s == grace_s)
        text = f"stopping {name_slots(after.service, slots)} (grace {format_duration(grace_s)})"
        yield _event(after, at, EventKind.STOP, state="stopping", text=text)


def _stops(status: ServiceStatus) -> dict[str, Task]:
    stopping = [slot.stopping for slot in status.slots if slot.stopping is not None]
    return {task.container_id: task for task in stopping}


def _of_wait(before: ServiceStatus | None, after: ServiceStatus, at: float) -> Iterator[Event]:
    if after.waiting_for not in ANNOUNCED_WAITS or after.until is None:
        return
    if before is not None and (before.waiting_for, before.until) == (
        after.waiting_for,
        after.until,
    ):
        return
    left = max(after.until - at, 0.0)
    if after.waiting_for == "delay":
        text = f"next batch in {left:.1f}s"
    else:
        text = f"watching for {left:.1f}s that tasks stay up"
    yield _event(after, at, EventKind.WAIT, state=after.waiting_for, text=text)


def _revision_text(status: ServiceStatus) -> str:
    revision = status.revision
    match revision.cause:
        case Cause.ROLLBACK | Cause.AUTO_ROLLBACK:
            what = f"{revision.cause} to revision {revision.restores}"
        case _:
            what = str(revision.cause)
    return f"revision {revision.number}: {what}, {revision.spec.image or revision.spec.task.image}"


def _task_id(slot: SlotStatus) -> str:
    return slot.task.id if slot.task else ""


def _event(
    status: ServiceStatus,
    at: float,
    kind: EventKind,
    *,
    text: str,
    slot: int = 0,
    task: str = "",
    state: str = "",
) -> Event:
    return Event(
        at=at,
        kind=kind,
        stack=status.stack,
        service=status.service,
        revision=status.revision.number,
        slot=slot,
        task=task,
        state=str(state),
        text=text,
    )

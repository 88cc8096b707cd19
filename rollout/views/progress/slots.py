"""What the live view says, as plain data: which lines, how far each bar is, what is waited for.

Pure, so that it is tested without a terminal; `terminal.py` only paints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from rollout.model.labels import full_name
from rollout.model.state import MarkKind, TaskState, UpdateState
from rollout.model.status import ServiceStatus, SlotStatus
from rollout.model.units import format_duration
from rollout.views.services import state_word
from rollout.views.text import clean, short_image

MOST_SLOTS = 20
"""As many lines a service gets, as in Docker's own display."""

_STEPS = {
    TaskState.NEW: 1,
    TaskState.PENDING: 3,
    TaskState.PREPARING: 6,
    TaskState.READY: 7,
    TaskState.STARTING: 8,
    TaskState.RUNNING: 9,
}
_LAST_STEP = 9
_WAITS = {
    "delay": "done, next batch after the delay",
    "monitor": "watching that tasks stay up",
}
_ENDED = frozenset({TaskState.FAILED, TaskState.REJECTED, TaskState.COMPLETE, TaskState.SHUTDOWN})


class Bar(Struct, frozen=True, kw_only=True):
    """One line.  `done` is between 0 and 1; `mood` is `good`, `busy`, `bad` or `still`."""

    label: str
    state: str
    done: float
    mood: str
    note: str = ""


class Panel(Struct, frozen=True, kw_only=True):
    """One service."""

    title: str
    overall: Bar
    slots: tuple[Bar, ...]
    rest: str = ""
    """What the slots that have no line of their own are doing."""
    waiting: str = ""
    mood: str = "busy"


def panel(status: ServiceStatus, now: float) -> Panel:
    """`now` is epoch seconds on the engine's clock."""
    shown, hidden = _chosen(status)
    spec = status.revision.spec
    return Panel(
        title=clean(
            f"{full_name(status.stack, status.service)}  revision {status.revision.number}  "
            f"{short_image(spec.task.image)}  {status.message or state_word(status)}"
        ),
        overall=Bar(
            label="overall progress",
            state=f"{status.updated} out of {status.total} tasks",
            done=status.updated / status.total if status.total else 1.0,
            mood=_mood(status),
        ),
        slots=tuple(_bar(slot, status, now) for slot in shown),
        rest=_rest(hidden),
        waiting=wait_of(status, now),
        mood=_mood(status),
    )


def _mood(status: ServiceStatus) -> str:
    if status.outcome is None:
        rolling_back = status.state is UpdateState.ROLLBACK_STARTED
        return "bad" if rolling_back or status.failures else "busy"
    return "good" if status.outcome is MarkKind.COMPLETED else "bad"


def _chosen(status: ServiceStatus) -> tuple[list[SlotStatus], list[SlotStatus]]:
    """Those with a line of their own: all, or of many those in the batch and those that failed."""
    if len(status.slots) <= MOST_SLOTS:
        return list(status.slots), []
    failed = {failure.slot for failure in status.failures}
    eager = [slot for slot in status.slots if slot.slot in status.batch or slot.slot in failed]
    chosen = {slot.slot for slot in eager[:MOST_SLOTS]}
    return (
        [slot for slot in status.slots if slot.slot in chosen],
        [slot for slot in status.slots if slot.slot not in chosen],
    )


def _bar(slot: SlotStatus, status: ServiceStatus, now: float) -> Bar:
    ended = slot.state in _ENDED
    if ended:
        mood = "bad" if slot.state in (TaskState.FAILED, TaskState.REJECTED) else "still"
    elif slot.updated:
        mood = "good"
    else:
        mood = "busy" if slot.slot in status.batch else "still"
    note = slot.note
    if slot.until is not None and slot.until > now:
        note = f"{note}, {_left(slot.until, now)}" if note else _left(slot.until, now)
    if not note and not slot.updated and slot.revision:
        note = f"revision {slot.revision}"
    return Bar(
        label=f"{slot.slot}/{len(status.slots)}",
        state=str(slot.state),
        done=0.0 if ended else _STEPS.get(slot.state, 0) / _LAST_STEP,
        mood=mood,
        note=clean(note),
    )


def _rest(hidden: Sequence[SlotStatus]) -> str:
    if not hidden:
        return ""
    counts = Counter(_word(slot) for slot in hidden)
    parts = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return f"{len(hidden)} more: {parts}"


def _word(slot: SlotStatus) -> str:
    return f"{slot.state} (updated)" if slot.updated else str(slot.state)


def wait_of(status: ServiceStatus, now: float) -> str:
    """`batch 1, 2: waiting for web.1 to become healthy, 42s left`; empty at rest."""
    if status.at_rest or not status.waiting_for:
        return ""
    batch = ", ".join(str(slot) for slot in status.batch[:MOST_SLOTS])
    text = _WAITS.get(status.waiting_for, f"waiting for {status.waiting_for}")
    if status.until is not None and status.until > now:
        text += f", {_left(status.until, now)}"
    return clean(f"batch {batch}: {text}" if batch else text)


def _left(until: float, now: float) -> str:
    return f"{format_duration(float(max(1, round(until - now))))} left"

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
from rollout.views.waiting import left_until, wait_of

_REASON = 100
"""Columns for why something is not there yet: how long still is to be seen, too."""
MOST_SLOTS = 20
"""As many lines a service gets, as in Docker's own display."""

_STEPS = {
    TaskState.NEW: 1,
    TaskState.PENDING: 3,
    TaskState.PREPARING: 6,
    TaskState.READY: 7,
    TaskState.STARTING: 8,
    TaskState.RUNNING: 9,
    TaskState.COMPLETE: 9,
}
_LAST_STEP = 9
_ENDED = frozenset({TaskState.FAILED, TaskState.REJECTED, TaskState.COMPLETE, TaskState.SHUTDOWN})


class Bar(Struct, frozen=True, kw_only=True):
    """One line.  `done` is between 0 and 1; `mood` is `good`, `busy`, `bad` or `still`."""

    label: str
    state: str
    done: float
    mood: str
    note: str = ""


class Cell(Struct, frozen=True, kw_only=True):
    """One slot among many: `12 running`."""

    slot: int
    word: str
    mood: str


class Panel(Struct, frozen=True, kw_only=True):
    """One service."""

    title: str
    overall: Bar
    slots: tuple[Bar, ...]
    others: tuple[Cell, ...] = ()
    """The slots that have no line of their own."""
    rest: str = ""
    """The same, counted."""
    waiting: str = ""
    mood: str = "busy"


def panel(status: ServiceStatus, now: float, most: int = MOST_SLOTS) -> Panel:
    """With `most` lines for slots; `now` is epoch seconds on the engine's clock."""
    shown, hidden = _chosen(status, most)
    spec = status.revision.spec
    restarting = f", {len(status.restarting)} restarting" if status.restarting else ""
    done = sum(1 for slot in status.slots if slot.updated and slot.slot not in status.restarting)
    done = done if status.restarting else status.updated
    return Panel(
        title=clean(
            f"{full_name(status.stack, status.service)}  revision {status.revision.number}  "
            f"{short_image(spec.task.image)}  {status.message or state_word(status)}"
        ),
        overall=Bar(
            label="overall progress",
            state=f"{done} out of {status.total} tasks{restarting}",
            done=done / status.total if status.total else 1.0,
            mood=_mood(status),
        ),
        slots=tuple(_bar(slot, status, now) for slot in shown),
        others=tuple(_cell(slot, status) for slot in hidden),
        rest=_rest(hidden),
        waiting=wait_of(status, now, _REASON),
        mood=_mood(status),
    )


def _mood(status: ServiceStatus) -> str:
    if status.outcome is None:
        rolling_back = status.state is UpdateState.ROLLBACK_STARTED
        return "bad" if rolling_back or status.failures else "busy"
    well = status.outcome is MarkKind.COMPLETED and not status.restarting
    return "good" if well else "bad"


def _chosen(status: ServiceStatus, most: int) -> tuple[list[SlotStatus], list[SlotStatus]]:
    """Those with a line of their own: all, or of many some of those that something happens to."""
    if len(status.slots) <= most:
        return list(status.slots), []
    matter = {*status.batch, *status.restarting, *(each.slot for each in status.failures)}
    eager = [slot.slot for slot in status.slots if slot.slot in matter]
    # The ones that go on come before those that are through.
    eager.sort(key=lambda number: (number not in status.in_flux, number))
    chosen = set(eager[: max(1, most // 2)])
    return (
        [slot for slot in status.slots if slot.slot in chosen],
        [slot for slot in status.slots if slot.slot not in chosen],
    )


def _bar(slot: SlotStatus, status: ServiceStatus, now: float) -> Bar:
    """A bar is about the new task: it is empty as long as the old one serves."""
    return Bar(
        label=f"{slot.slot}/{len(status.slots)}",
        state="restarting" if slot.slot in status.restarting else str(slot.state),
        done=_done(slot, status),
        mood=_mood_of(slot, status),
        note=_note(slot, now),
    )


def _done(slot: SlotStatus, status: ServiceStatus) -> float:
    if slot.slot in status.restarting:
        return _STEPS[TaskState.STARTING] / _LAST_STEP
    if (slot.state in _ENDED and not slot.updated) or not slot.fresh:
        return 0.0
    return _STEPS.get(slot.state, 0) / _LAST_STEP


def _mood_of(slot: SlotStatus, status: ServiceStatus) -> str:
    if slot.slot in status.restarting or slot.state in (TaskState.FAILED, TaskState.REJECTED):
        return "bad"
    if slot.updated:
        return "good"
    if slot.state in _ENDED:
        return "still"
    return "busy" if slot.slot in status.batch else "still"


def _note(slot: SlotStatus, now: float) -> str:
    note = slot.note
    if slot.stopping is not None:
        note = f"stopping (grace {format_duration(slot.stopping.stop_grace_s)})"
    if slot.until is not None and slot.until > now:
        left = f"{left_until(slot.until, now)} left"
        note = f"{note}, {left}" if note else left
    if not slot.fresh and slot.revision:
        old = f"revision {slot.revision}"
        note = f"{old}, {note}" if note else old
    return clean(note)


def _cell(slot: SlotStatus, status: ServiceStatus) -> Cell:
    word = str(slot.state)
    if slot.slot in status.restarting:
        word = "restarting"
    elif not slot.fresh and slot.state is TaskState.RUNNING:
        word = "old"
    return Cell(slot=slot.slot, word=word, mood=_mood_of(slot, status))


def _rest(hidden: Sequence[SlotStatus]) -> str:
    if not hidden:
        return ""
    counts = Counter(_word(slot) for slot in hidden)
    parts = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return f"{len(hidden)} more: {parts}"


def _word(slot: SlotStatus) -> str:
    return f"{slot.state} (updated)" if slot.updated else str(slot.state)

"""Rounds of a trace: what one command, or an automatic rollback, had replaced, slot by slot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from tests.conformance.trace import Life, Shown, Trace

TOLERANCE_S = 0.5
POLL_S = 0.1
"""What is seen in one look may have happened in either order."""


TASK_ID = re.compile(r"\btask ([a-z0-9]{25})\b")


class Cadence(Struct, frozen=True, kw_only=True):
    """What the definition in force says about pace; `parallelism` 0 is all."""

    parallelism: int
    delay_s: float
    monitor_s: float
    ratio: float
    action: str
    start_first: bool

    @property
    def watched_s(self) -> float:
        """How long the last slots of an update are watched."""
        return self.delay_s + 1.0 if self.delay_s >= self.monitor_s else self.monitor_s


Paces = Sequence[tuple[float, Cadence]]
"""When something began to be replaced, and at which pace."""


class Change(Struct, frozen=True, kw_only=True):
    """One slot's replacement."""

    old: Life
    new: Life
    begun_at: float

    @property
    def ready_at(self) -> float | None:
        return self.new.ready_at

    @property
    def through_at(self) -> float | None:
        """When the new task ran, or had failed."""
        return self.new.ended_at if self.new.running_at is None else self.new.running_at

    @property
    def ran_at(self) -> float | None:
        return self.new.running_at

    @property
    def failed_at(self) -> float | None:
        return self.new.failed_at


class Round(Struct, frozen=True, kw_only=True):
    asked_at: float
    cadence: Cadence
    changes: tuple[Change, ...]
    over_at: float | None
    """When it was completed, or had nothing left but what must be kept; None where it was not."""
    cut_short: bool
    """Another command came while it was under way."""

    @property
    def width(self) -> int:
        return self.cadence.parallelism or len(self.changes)


def rounds_of(trace: Trace, paces: Paces) -> Iterator[Round]:
    for number, (asked_at, cadence) in enumerate(paces):
        after = paces[number + 1][0] if number + 1 < len(paces) else trace.until
        end = next(
            (each for each in _shown_in(trace, asked_at, after) if each.state not in _UNDER_WAY),
            None,
        )
        limit = end.at if end else after
        changes = [
            change
            for lives in trace.slots.values()
            if (change := _change(lives, asked_at, limit)) is not None
        ]
        well = end is not None and (
            end.state in ("completed", "rollback_completed") or "kept" in end.message
        )
        yield Round(
            asked_at=asked_at,
            cadence=cadence,
            changes=tuple(sorted(changes, key=_turn)),
            over_at=end.at if well and end else None,
            cut_short=end is None,
        )


def _turn(change: Change) -> tuple[float, bool, int]:
    """Where two are begun at the same moment, the one that was down came first: it is through at
    once."""
    return change.begun_at, not change.old.is_failure, change.new.slot


def _shown_in(trace: Trace, asked_at: float, after: float) -> list[Shown]:
    """What was shown in between.  A rollback by itself may be over at the moment it is begun."""
    shown = trace.shown
    begins = [
        number
        for number, each in enumerate(shown)
        if each.message.startswith("update rolled back") and each.at in (asked_at, after)
    ]
    ends = [number for number in begins if shown[number].at == after and after != asked_at]
    first = next((number + 1 for number in begins if shown[number].at == asked_at), None)
    return [
        each
        for number, each in enumerate(shown)
        if (number >= first if first is not None else each.at > asked_at)
        and each.at <= after
        and (not ends or number < ends[0])
    ]


_UNDER_WAY = (None, "updating", "rollback_started")


def _change(lives: list[Life], asked_at: float, limit: float) -> Change | None:
    old = [life for life in lives if begin_of(life) < asked_at]
    new = next((life for life in lives if asked_at <= begin_of(life) <= limit), None)
    if not old or new is None or new.end == "rejected":
        return None
    asked = old[-1].asked_at
    # One that was stopped long before, its slot scaled away, makes no room for anything.
    earlier = asked is not None and asked < asked_at - TOLERANCE_S
    if earlier and old[-1].end == "shutdown" and (old[-1].ended_at or limit) < asked_at:
        return None
    begun_at = begin_of(new) if asked is None or earlier else min(begin_of(new), asked)
    return Change(old=old[-1], new=new, begun_at=begun_at)


def begin_of(life: Life) -> float:
    return life.started_at if life.started_at is not None else life.ended_at or 0.0


def named_in(message: str) -> str:
    """The id of the task in a message; empty where it names none."""
    found = TASK_ID.search(message)
    return found[1] if found else ""


def scaled_away(trace: Trace, lowered: Sequence[float]) -> Iterator[tuple[float, tuple[Life, ...]]]:
    """After each command that lowers the number of slots the tasks that had no successor until the
    next command."""
    asked = [each.at for each in trace.asked if not each.refusal]
    for at, after in zip(asked, [*asked[1:], trace.until], strict=False):
        if at in lowered:
            there = [
                [life for life in lives if begin_of(life) < after] for lives in trace.slots.values()
            ]
            yield (
                at,
                tuple(
                    lives[-1]
                    for lives in there
                    if lives
                    and begin_of(lives[-1]) < at
                    and lives[-1].end == "shutdown"
                    and (lives[-1].ended_at or at) >= at - POLL_S
                ),
            )

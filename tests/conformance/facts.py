"""What is compared: a trace boiled down to what neither chance nor the machine decides.

Which slot comes first is chance in Swarm, so slots are a multiset of histories.  How long a stop or
a start takes is the machine's; that the next slot comes `delay` after one was through is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from tests.conformance.trace import Life, Shown, Trace

TOLERANCE_S = 0.5
AGAIN = ", again"
POLL_S = 0.1
"""What is seen in one look may have happened in either order."""

_TASK_ID = re.compile(r"\btask [a-z0-9]{25}\b")
_SLOTS = re.compile(r"\b[\w-]+\.\d+(, [\w-]+\.\d+)*")

State = tuple[str, str | None, str]
"""Image, state, message."""


class Cadence(Struct, frozen=True, kw_only=True):
    """What the definition in force says about pace; `parallelism` 0 is all."""

    parallelism: int
    delay_s: float
    monitor_s: float
    ratio: float
    action: str
    start_first: bool


class Facts(Struct, frozen=True, kw_only=True):
    states: tuple[State, ...]
    """What the update showed, one after the other."""
    slots: tuple[tuple[str, ...], ...]
    """Each slot's tasks and what became of them; sorted, as slots have no order."""
    untouched: int
    """Slots whose first task runs on."""
    failed: int
    """Slots in which a task failed."""
    fewest: int | None
    """The fewest slots that served since the first change; None where crashes meet by chance."""
    together: int
    """The most slots that were being replaced at the same moment."""
    refused: int
    """Commands that were."""
    previous: str | None
    succeeds: bool | None
    """Exit code 0 of the command that waits for the update; None where there is none."""
    seconds: dict[str, tuple[float, ...]] = {}
    """Measured times by name, ascending."""


Paces = Sequence[tuple[float, Cadence]]
"""When something began to be replaced, and at which pace."""


def facts_of(trace: Trace, paces: Paces, *, succeeds: bool | None) -> Facts:
    slots = trace.slots
    rounds = tuple(rounds_of(trace, paces))
    begun_at = paces[0][0] if paces else trace.until
    return Facts(
        states=_states(trace.shown),
        slots=tuple(sorted(history_of(lives) for lives in slots.values())),
        untouched=sum(
            1
            for lives in slots.values()
            if len(lives) == 1 and not lives[0].end and _start(lives[0]) < begun_at
        ),
        failed=sum(1 for lives in slots.values() if any(life.is_failure for life in lives)),
        fewest=_fewest(trace, begun_at) if paces else None,
        together=max((_together(each) for each in rounds), default=0),
        refused=sum(1 for each in trace.asked if each.refusal),
        previous=trace.previous,
        succeeds=succeeds,
        seconds={name: times for name, times in _seconds(trace, rounds).items() if times},
    )


# -- states and histories


def _states(shown: Iterable[Shown]) -> tuple[State, ...]:
    found: list[State] = []
    told = list(shown)
    for number, each in enumerate(told):
        state = (each.image, each.state, _plain(each.message) if each.state else "")
        after = told[number + 1].at if number + 1 < len(told) else None
        passing = each.state is None and after is not None and after - each.at < TOLERANCE_S
        if passing or (found and found[-1] == state):
            continue
        if each.state == "rollback_completed" and found and found[-1][1] != "rollback_started":
            # Where nothing was to be replaced it may be over before anybody looked.
            found.append((each.image, "rollback_started", "manually requested rollback"))
        found.append(state)
    return tuple(found)


def _plain(message: str) -> str:
    return _SLOTS.sub("SLOT", _TASK_ID.sub("task ID", message))


def history_of(lives: list[Life]) -> tuple[str, ...]:
    """`v1 shutdown`, `v2 failed (3), again`: one after the other; `+` where the one before was up
    still."""
    told: list[str] = []
    before: Life | None = None
    for life in lives:
        beside = before is not None and (
            before.ended_at is None or _start(life) < before.ended_at - 0.001
        )
        fate = f"{'+ ' if beside else ''}{life.image} {_fate(life)}"
        bare = fate.removeprefix("+ ")
        last = told[-1].removeprefix("+ ").removesuffix(AGAIN) if told else ""
        if before is not None and before.is_failure and before.image == life.image:
            if bare == last or not life.end:
                told[-1] = told[-1].removesuffix(AGAIN) + AGAIN
            else:
                told.append(bare)
        else:
            told.append(fate)
        stays = beside and not life.is_failure and life.running_at is None
        before = before if stays else life
    return tuple(told)


def _fate(life: Life) -> str:
    ran = life.running_at is not None
    if not life.end:
        return "running" if ran else "starting"
    code = f" ({life.exit_code})" if life.end == "failed" else ""
    early = "" if ran or life.end == "rejected" else " before it ran"
    return f"{life.end}{code}{early}"


def _start(life: Life) -> float:
    return life.started_at if life.started_at is not None else life.ended_at or 0.0


# -- rounds: what one command, or an automatic rollback, had replaced


class Change(Struct, frozen=True, kw_only=True):
    """One slot's replacement."""

    ready_at: float | None
    begun_at: float
    through_at: float | None
    """When the new task ran, or had failed."""
    ran_at: float | None
    failed_at: float | None


class Round(Struct, frozen=True, kw_only=True):
    asked_at: float
    cadence: Cadence
    changes: tuple[Change, ...]
    over_at: float | None
    """When it was completed; None where it was not."""
    cut_short: bool
    """Another command came while it was under way."""


def rounds_of(trace: Trace, paces: Paces) -> Iterator[Round]:
    for number, (asked_at, cadence) in enumerate(paces):
        after = paces[number + 1][0] if number + 1 < len(paces) else trace.until
        end = next(
            (
                each
                for each in trace.shown
                if asked_at < each.at <= after and each.state not in _UNDER_WAY
            ),
            None,
        )
        limit = end.at if end else after
        changes = [
            change
            for lives in trace.slots.values()
            if (change := _change(lives, asked_at, limit)) is not None
        ]
        done = end is not None and end.state in ("completed", "rollback_completed")
        yield Round(
            asked_at=asked_at,
            cadence=cadence,
            changes=tuple(sorted(changes, key=lambda each: each.begun_at)),
            over_at=end.at if done and end else None,
            cut_short=end is None,
        )


_UNDER_WAY = (None, "updating", "rollback_started")
_APART_S = 2.0
"""Under start-first a task may be through as soon as it is begun, so those of a batch follow one
another at once; a further batch comes after the delay."""


def _change(lives: list[Life], asked_at: float, limit: float) -> Change | None:
    old = [life for life in lives if _start(life) < asked_at]
    new = next((life for life in lives if asked_at <= _start(life) <= limit), None)
    if not old or new is None or new.end == "rejected":
        return None
    asked = old[-1].asked_at
    # One that was stopped long before, its slot scaled away, makes no room for anything.
    earlier = asked is not None and asked < asked_at - TOLERANCE_S
    if earlier and old[-1].end == "shutdown" and (old[-1].ended_at or limit) < asked_at:
        return None
    begun_at = _start(new) if asked is None or earlier else min(_start(new), asked)
    return Change(
        ready_at=new.ready_at,
        begun_at=begun_at,
        through_at=new.ended_at if new.running_at is None else new.running_at,
        ran_at=new.running_at,
        failed_at=new.failed_at,
    )


def _together(each: Round) -> int:
    apart_s = _APART_S if _width(each) >= len(each.changes) else each.cadence.delay_s / 2
    return max(
        (
            sum(
                1
                for other in each.changes
                if other is change
                or (
                    other.begun_at <= change.begun_at
                    and (
                        other.begun_at == change.begun_at
                        or other.through_at is None
                        or change.begun_at < other.through_at + apart_s
                    )
                )
            )
            for change in each.changes
        ),
        default=0,
    )


def _width(each: Round) -> int:
    return each.cadence.parallelism or len(each.changes)


def _fewest(trace: Trace, since: float) -> int | None:
    if any(told.endswith(AGAIN) for each in trace.slots.values() for told in history_of(each)):
        return None
    ends = {life.ended_at + 0.001 for life in trace.lives if life.ended_at is not None}
    return min(
        sum(1 for lives in trace.slots.values() if any(life.up_at(at) for life in lives))
        for at in {since, *(at for at in ends if at >= since), trace.until}
    )


# -- times


def _seconds(trace: Trace, rounds: tuple[Round, ...]) -> dict[str, tuple[float, ...]]:
    measured: dict[str, list[float]] = {"first": [], "delay": [], "end": [], "acted": []}
    for each in rounds:
        if each.changes:
            measured["first"].append(waited_first(each))
        measured["delay"] += _delays(each)
        through = [change.through_at for change in each.changes if change.through_at is not None]
        if each.over_at is not None and through:
            measured["end"].append(each.over_at - max(through))
    measured["acted"] = list(_acted(trace, rounds))
    measured["restart"] = list(_restarts(trace))
    return {name: tuple(sorted(round(at, 2) for at in found)) for name, found in measured.items()}


def waited_first(each: Round) -> float:
    """From the command, or from when what it begins with was ready, to the first slot's begin."""
    begun_at = each.changes[0].begun_at
    ready = [
        at for change in each.changes if (at := change.ready_at) is not None and at <= begun_at
    ]
    return begun_at - max([each.asked_at, *ready])


def _delays(each: Round) -> Iterator[float]:
    """From the moment at which a slot was through to the begin of the one that waited for it."""
    for change in each.changes[_width(each) :]:
        waited = [
            change.begun_at - other.through_at
            for other in each.changes
            if other.through_at is not None and other.through_at <= change.begun_at
        ]
        if waited:
            yield min(waited, key=lambda seconds: abs(seconds - each.cadence.delay_s))


def _acted(trace: Trace, rounds: tuple[Round, ...]) -> Iterator[float]:
    """From a slot's failure to what was done about it."""
    failures = [
        change.failed_at
        for each in rounds
        for change in each.changes
        if change.failed_at is not None
    ]
    for shown in trace.shown:
        before = [at for at in failures if at <= shown.at + POLL_S]
        if "due to failure" in shown.message and before:
            yield max(shown.at - max(before), 0.0)


def _restarts(trace: Trace) -> Iterator[float]:
    """How long a slot's first failed task stayed down before the same was started again."""
    for lives in trace.slots.values():
        for before, after in pairwise(lives):
            if before.is_failure and before.image == after.image and before.ended_at is not None:
                if not any(before.ended_at < each.at < _start(after) for each in trace.asked):
                    yield max(_start(after) - before.ended_at, 0.0)
                break

"""The times of a trace that neither chance nor the machine decides: what waited for what, how long.

How long a stop or a start takes is the machine's; that the next slot comes `delay` after one was
through is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf

from msgspec import Struct

from tests.conformance.rounds import (
    POLL_S,
    TOLERANCE_S,
    Cadence,
    Change,
    Round,
    begin_of,
    named_in,
    scaled_away,
)
from tests.conformance.trace import Life, Trace

IN_SIGHT_S = 2.0
"""A stop that took less may have been a busy machine's."""
_READY_S = 3.0
"""On a busy machine it may take so long to make a task."""
_LATE_S = 4.0
"""By how much a stop on the machine of the recordings took longer than its grace."""
LATER, REST = "later", "rest"
RANGES = (LATER, REST)
"""Of these the range is compared: how many there are in a crash loop is the machine's."""
GIVEN_UP = "given up"

Times = dict[str, tuple[float, ...]]
"""By name, ascending.

ready    the command to the first task that is Ready, where it is long
first    the command, or Ready, to the begin of the first slots
delay    a slot is through to the begin of the one that waited for it
taken    the old task is down to the start of the new one
beside   start-first: the new one runs until the old one is asked to stop
end      the last slot is through, or the command where there is nothing to do, to the end
acted    the failure that was one too many until something was done about it
added    a slot that was added is Ready to its start
made     the command to such a slot's being Ready, where it is long
sick     a task turned unhealthy to its stop, where it is long
away     the command to the stop of a slot that was one too many
stop     how long the stop of a task took that used its grace
restart  how long the first task that failed in a slot stayed down
later    the same of all others, while an update was under way
rest     the same at rest
given up the command, or the start of what does not run, until it was given up
"""


class Terms(Struct, frozen=True, kw_only=True):
    """What the definitions say, by image."""

    grace_s: Mapping[str, float]
    restart_s: Mapping[str, float]
    """The restart policy's delay."""
    killed: tuple[str, ...]
    """Images whose tasks somebody killed."""
    lowered: tuple[float, ...]
    """When a command lowered the number of slots."""


def times_of(trace: Trace, rounds: Sequence[Round], terms: Terms) -> Times:
    restarts = [list(restart_gaps(lives, trace)) for lives in trace.slots.values()]
    measured = {
        "ready": [waited for each in rounds for waited in _ready(each)],
        "first": [waited for each in rounds for waited in waited_first(each)],
        "delay": [waited for each in rounds for waited in _delays(each)],
        "taken": [waited for each in rounds for waited in _taken(each)],
        "beside": [waited for each in rounds for _, waited in beside(each)],
        "end": [waited for each in rounds for waited in _end(each)],
        "acted": _acted(trace, rounds),
        "added": [started for _, started in _added(trace)],
        "made": [made for made, _ in _added(trace) if made > _READY_S],
        "sick": [waited for waited in _sick(trace) if waited > _READY_S],
        "away": [
            life.asked_at - at
            for at, lives in scaled_away(trace, terms.lowered)
            for life in lives
            if life.asked_at is not None
        ],
        "stop": _stops(trace, terms),
        "restart": [gaps[0][1] for gaps in restarts if gaps],
        LATER: [gap for gaps in restarts for at, gap in gaps[1:] if trace.is_under_way(at)],
        REST: [gap for gaps in restarts for at, gap in gaps[1:] if not trace.is_under_way(at)],
        GIVEN_UP: _given_up(trace, rounds),
    }
    return {
        name: tuple(sorted(round(at, 2) for at in found))
        for name, found in ((name, tuple(times)) for name, times in measured.items())
        if found
    }


def waited_first(each: Round) -> tuple[float, ...]:
    """From the command, or from when what it begins with was ready, to the begin of each of the
    first slots."""
    batch = each.changes[: each.width]
    ready = [change.ready_at for change in batch if change.ready_at is not None]
    return tuple(
        change.begun_at - max([each.asked_at, *(at for at in ready if at <= change.begun_at)])
        for change in batch
    )


def _ready(each: Round) -> Iterator[float]:
    times = [change.ready_at for change in each.changes[: each.width] if change.ready_at]
    if times and min(times) - each.asked_at > _READY_S:
        yield min(times) - each.asked_at


def _delays(each: Round) -> Iterator[float]:
    """From the moment at which a slot was through to the begin of the one that waited for it."""
    for change in each.changes[each.width :]:
        waited = [
            change.begun_at - other.through_at
            for other in each.changes
            if other.through_at is not None and other.through_at <= change.begun_at
        ]
        if waited:
            yield min(waited, key=lambda seconds: abs(seconds - each.cadence.delay_s))


def _taken(each: Round) -> Iterator[float]:
    for number, change in enumerate(each.changes):
        old, begun_at = change.old, begin_of(change.new)
        if old.ended_at is None:
            continue
        if old.is_failure:
            # One that is down waits for its turn like others, but in the first batch.
            if number < each.width:
                yield begun_at - max(old.ended_at, change.ready_at or 0.0, each.asked_at)
        elif each.cadence.start_first or old.asked_at is None:
            continue
        elif old.asked_at >= each.asked_at - TOLERANCE_S:
            yield begun_at - max(old.ended_at, change.ready_at or 0.0)


def beside(each: Round) -> Iterator[tuple[Change, float]]:
    if not each.cadence.start_first:
        return
    for change in each.changes:
        asked, ran_at = change.old.asked_at, change.ran_at
        if asked is not None and ran_at is not None and asked > begin_of(change.new):
            yield change, asked - ran_at


def _end(each: Round) -> Iterator[float]:
    through = [change.through_at for change in each.changes if change.through_at is not None]
    if each.over_at is not None:
        yield each.over_at - (max(through) if through else each.asked_at)


def _acted(trace: Trace, rounds: Sequence[Round]) -> Iterator[float]:
    """From a slot's failure to what was done about it."""
    failures = failed_in(rounds)
    for shown in trace.shown:
        before = [life.failed_at or 0.0 for life in failures]
        before = [at for at in before if at <= shown.at + POLL_S]
        if "due to failure" in shown.message and before:
            yield max(shown.at - max(before), 0.0)


def failed_in(rounds: Iterable[Round]) -> tuple[Life, ...]:
    """The tasks by which slots of an update failed."""
    return tuple(
        change.new for each in rounds for change in each.changes if change.failed_at is not None
    )


def _added(trace: Trace) -> Iterator[tuple[float, float]]:
    """Slots come with the command that asks for them: how long until Ready, and until started."""
    asked = [each.at for each in trace.asked if not each.refusal]
    for lives in trace.slots.values():
        for before, life in pairwise([None, *lives]):
            if life is None or life.started_at is None:
                continue
            command_at = max((at for at in asked if at <= life.started_at), default=0.0)
            if before is None or (
                before.end == "shutdown" and (before.ended_at or inf) <= command_at
            ):
                ready_at = max(command_at, life.ready_at or 0.0)
                yield ready_at - command_at, life.started_at - ready_at


def _sick(trace: Trace) -> Iterator[float]:
    """A recording keeps no more of a healthcheck than that the task was stopped for it."""
    for life in trace.lives:
        stopped_at = life.ended_at if life.asked_at is None else life.asked_at
        if life.sick_at is not None and stopped_at is not None:
            yield stopped_at - life.sick_at


def _stops(trace: Trace, terms: Terms) -> Iterator[float]:
    """Exactly the grace where a busy machine took a little longer."""
    away = {id(life) for _, lives in scaled_away(trace, terms.lowered) for life in lives}
    for life in trace.lives:
        grace_s = terms.grace_s.get(life.image, 0.0)
        if life.asked_at is None or life.ended_at is None or id(life) in away:
            continue
        took_s = life.ended_at - life.asked_at
        if grace_s > IN_SIGHT_S and took_s >= IN_SIGHT_S:
            yield grace_s if -0.1 <= took_s - grace_s <= _LATE_S else took_s


def restart_gaps(lives: list[Life], trace: Trace) -> Iterator[tuple[float, float]]:
    """When a task failed, and how long it stayed down before the same was started again."""
    for before, after in pairwise(lives):
        ended_at = before.ended_at
        if not before.is_failure or before.image != after.image or ended_at is None:
            continue
        if not any(ended_at < each.at < begin_of(after) for each in trace.asked):
            yield ended_at, max(begin_of(after) - ended_at, 0.0)


def _given_up(trace: Trace, rounds: Sequence[Round]) -> Iterator[float]:
    for shown in trace.shown:
        if "due to failure" not in shown.message:
            continue
        named = named_in(shown.message)
        hung = [life for life in trace.lives if life.task == named and not life.up_at(shown.at)]
        begun = [life for life in hung if (life.ended_at or shown.at) >= shown.at - POLL_S]
        if not named:
            yield shown.at - max(each.asked_at for each in rounds if each.asked_at < shown.at)
        elif begun and not begun[0].is_failure:
            yield shown.at - begin_of(begun[0])


def exchanged(times: Times, name: str, *pairs: tuple[float, float | None]) -> Times:
    """With other times for some of those measured; None for one that is not to be there."""
    left = list(times.get(name, ()))
    for before, after in pairs:
        left.remove(min(left, key=lambda at: abs(at - before)))
        left += [] if after is None else [after]
    others = {key: value for key, value in times.items() if key != name}
    return {**others, **({name: tuple(sorted(left))} if left else {})}


def without(times: Times, *names: str) -> Times:
    return {name: value for name, value in times.items() if name not in names}


def merged(*all_times: Times) -> Times:
    names = {name for times in all_times for name in times}
    return {
        name: found
        for name in sorted(names)
        if (found := tuple(sorted(at for times in all_times for at in times.get(name, ()))))
    }


def of_a_rollback(cadence: Cadence, *, up: int, down: int, proof_s: float) -> Times:
    """Undisturbed: in so many slots something is to be stopped, in so many it has just failed."""
    count = up + down
    return {
        "first": (0.0,) * min(cadence.parallelism or count, count),
        "delay": (cadence.delay_s,) * max(count - (cadence.parallelism or count), 0),
        "taken": (0.0,) * (down if cadence.start_first else count),
        "beside": (proof_s,) * (up if cadence.start_first else 0),
        "end": (cadence.delay_s + cadence.watched_s,) if count else (),
    }

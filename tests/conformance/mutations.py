"""One thing in a trace changed, as by a controller that is wrong in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec.structs import replace

from tests.conformance.case import Case
from tests.conformance.facts import AGAIN, history_of
from tests.conformance.rounds import POLL_S, begin_of, named_in, scaled_away
from tests.conformance.times import IN_SIGHT_S
from tests.conformance.trace import Life, Shown, Trace, in_order

Mutation = Callable[[Case, Trace], Iterator[Trace]]
"""Every trace that it can make of one; none where there is nothing to change."""

LATE_S = 8.0
EARLY_S = 0.7
"""Less than that may be a busy machine's."""

BY_ITSELF, COMMAND, SHOWN, READY, ASKED, STARTED = range(6)
"""What comes first of what is seen at the same moment: the cause before what is done about it."""

Moment = tuple[float, int]


def warped(trace: Trace, since: Moment, by: float) -> Trace:
    """From a moment on everything is later; or earlier, but not before that moment."""

    def moved(at: float, rank: int) -> float:
        return max(at + by, since[0]) if (at, rank) >= since else at

    def maybe(at: float | None, rank: int) -> float | None:
        return None if at is None else moved(at, rank)

    return replace(
        trace,
        lives=in_order(
            replace(
                life,
                ready_at=maybe(life.ready_at, READY),
                started_at=maybe(life.started_at, STARTED),
                running_at=maybe(
                    life.running_at,
                    STARTED if life.running_at == life.started_at else BY_ITSELF,
                ),
                asked_at=maybe(life.asked_at, ASKED),
                sick_at=maybe(life.sick_at, BY_ITSELF),
                ended_at=maybe(life.ended_at, BY_ITSELF),
            )
            for life in trace.lives
        ),
        shown=tuple(replace(each, at=moved(each.at, SHOWN)) for each in trace.shown),
        asked=tuple(replace(each, at=moved(each.at, COMMAND)) for each in trace.asked),
        until=trace.until + max(by, 0.0),
    )


def done(trace: Trace) -> list[Moment]:
    """When a task was started or asked to end."""
    found = {(life.started_at, STARTED) for life in trace.lives if life.started_at is not None}
    found |= {(life.asked_at, ASKED) for life in trace.lives if life.asked_at is not None}
    return sorted(found)


def ends(trace: Trace) -> list[int]:
    """The numbers of the states that do not come with a command."""
    return [
        number
        for number, each in enumerate(trace.shown)
        if each.state not in (None, "updating") and not each.message.startswith("manually")
    ]


def causes(trace: Trace) -> list[float]:
    """When something happened to which a controller answers at once."""
    times = [each.at for each in trace.asked]
    for life in trace.lives:
        times += [
            at
            for at in (life.ready_at, life.running_at, life.sick_at, life.ended_at)
            if at is not None
        ]
    return sorted(set(times))


def late(case: Case, trace: Trace) -> Iterator[Trace]:
    """Each thing that was done, and all that follows, is done later."""
    for moment in done(trace):
        yield warped(trace, moment, LATE_S)
    for number in ends(trace):
        shown = trace.shown[number]
        # A recording may tell of the failure a moment after what was done about it.
        other = warped(trace, (shown.at + POLL_S, BY_ITSELF), LATE_S)
        moved = replace(shown, at=shown.at + LATE_S)
        yield replace(other, shown=(*other.shown[:number], moved, *other.shown[number + 1 :]))


def early(case: Case, trace: Trace) -> Iterator[Trace]:
    """Each thing that was waited for is done at once."""
    answered = causes(trace)
    for at in {at for at, _ in done(trace)} | {trace.shown[number].at for number in ends(trace)}:
        before = max((each for each in answered if each <= at + POLL_S), default=at)
        if at - before > EARLY_S:
            yield warped(trace, (before + 0.01, BY_ITSELF), before - at + 0.01)


def stopped_early(case: Case, trace: Trace) -> Iterator[Trace]:
    """A task that uses its grace is killed after 0.1 s."""
    for life in trace.lives:
        asked_at, ended_at = life.asked_at, life.ended_at
        if asked_at is None or ended_at is None or ended_at - asked_at < IN_SIGHT_S:
            continue
        if case.terms.grace_s[life.image] > IN_SIGHT_S:
            yield warped(trace, (asked_at + 0.1, BY_ITSELF), asked_at + 0.1 - ended_at)


def lowest_slots_go(case: Case, trace: Trace) -> Iterator[Trace]:
    for _, gone in scaled_away(trace, case.terms_of(trace).lowered):
        highest = max((life.slot for life in gone), default=0)
        kept = trace.slots.keys() - {life.slot for life in gone}
        if highest and kept:
            other = {highest: min(kept), min(kept): highest}
            yield replace(
                trace,
                lives=in_order(
                    replace(life, slot=other.get(life.slot, life.slot)) for life in trace.lives
                ),
            )


def another_is_named(case: Case, trace: Trace) -> Iterator[Trace]:
    for number, shown in enumerate(trace.shown):
        named = named_in(shown.message)
        failed_at = {life.task: life.failed_at for life in trace.lives}
        for life in trace.lives:
            if named and life.task != named and life.failed_at != failed_at[named]:
                other = replace(shown, message=shown.message.replace(named, life.task))
                yield replace(
                    trace, shown=(*trace.shown[:number], other, *trace.shown[number + 1 :])
                )


def tried_three_times_more(case: Case, trace: Trace) -> Iterator[Trace]:
    """A slot that was given up, or whose failed task was left alone."""
    for lives in trace.slots.values():
        last = lives[-1]
        told = history_of(lives, trace.until, case.terms)
        if last.is_failure and last.ended_at is not None and not told[-1].endswith(AGAIN):
            pause_s = case.terms.restart_s[last.image]
            again = [last]
            for _ in range(3):
                again.append(_once_more(again[-1], pause_s))
            again.pop(0)
            latest = max(trace.until, again[-1].ended_at or 0.0)
            yield replace(trace, lives=in_order([*trace.lives, *again]), until=latest)


def _once_more(life: Life, after_s: float) -> Life:
    took_s = (life.ended_at or 0.0) - begin_of(life)
    begun_at = (life.ended_at or 0.0) + after_s
    return replace(
        life,
        ready_at=begun_at,
        started_at=begun_at,
        running_at=None if life.running_at is None else begun_at,
        ended_at=begun_at + took_s,
    )


def never_tried_again(case: Case, trace: Trace) -> Iterator[Trace]:
    for lives in trace.slots.values():
        for before, after in pairwise(lives):
            if before.is_failure and before.image == after.image:
                left = [
                    life
                    for life in trace.lives
                    if life.slot != after.slot or begin_of(life) < begin_of(after)
                ]
                yield replace(trace, lives=tuple(left))
                break


def never_noticed(case: Case, trace: Trace) -> Iterator[Trace]:
    """An update that was paused for a failure is completed."""
    for number, shown in enumerate(trace.shown):
        if shown.state == "paused" and "due to failure" in shown.message:
            through = max(begin_of(life) for life in trace.lives if begin_of(life) <= shown.at)
            cadence = case.cadence()
            at = through + cadence.delay_s + cadence.watched_s
            over = Shown(at, shown.image, "completed", "update completed")
            later = trace.shown[number + 1 :]
            if not later:
                yield replace(
                    trace, shown=(*trace.shown[:number], over), until=max(at, trace.until)
                )


BOTH: tuple[Mutation, ...] = (
    late,
    early,
    stopped_early,
    lowest_slots_go,
    tried_three_times_more,
    never_tried_again,
    never_noticed,
)
"""Of a trace of ours and of Swarm's."""

"""What is compared: a trace boiled down to what neither chance nor the machine decides.

Which slot comes first is chance in Swarm, so slots are a multiset of histories.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from tests.conformance.rounds import (
    POLL_S,
    TASK_ID,
    TOLERANCE_S,
    Change,
    Paces,
    Round,
    begin_of,
    named_in,
    rounds_of,
    scaled_away,
)
from tests.conformance.times import Terms, failed_in, times_of
from tests.conformance.trace import Life, Shown, Trace

AGAIN = ", again"
THEN_WELL = ", then well"
STEADY_S = 2.0
"""So much longer than any before it a task has to live to be called well, and so much longer than
its delay a restart has to be missing to be called missing."""
NEWEST = "the newest failure"
TOO_LATE = "one that does not run"
IN_ORDER = "down, unwell, then ascending"
A_SLOT = "a slot"
"""Nothing could be made for it, so that there is no task to name."""

_SLOTS = re.compile(r"\b[\w-]+\.\d+(, [\w-]+\.\d+)*")

State = tuple[str, str | None, str]
"""Image, state, message."""


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
    order: tuple[str, ...]
    """In which each round took the slots."""
    away: tuple[tuple[int, ...], ...]
    """The slots that each command to have fewer took away."""
    blamed: tuple[str, ...]
    """What is named by each message that tells of a failure."""
    refused: int
    """Commands that were."""
    previous: str | None
    succeeds: bool | None
    """Exit code 0 of the command that waits for the update; None where there is none."""
    seconds: dict[str, tuple[float, ...]] = {}
    """Measured times by name, ascending."""


def facts_of(trace: Trace, paces: Paces, terms: Terms, *, succeeds: bool | None) -> Facts:
    slots = trace.slots
    rounds = tuple(rounds_of(trace, paces))
    begun_at = paces[0][0] if paces else trace.until
    histories = [history_of(lives, trace.until, terms) for lives in slots.values()]
    crashes = any(_is_repeated(told) for history in histories for told in history)
    return Facts(
        states=_states(trace.shown),
        slots=tuple(sorted(histories)),
        untouched=sum(
            1
            for lives in slots.values()
            if len(lives) == 1 and not lives[0].end and begin_of(lives[0]) < begun_at
        ),
        failed=sum(1 for lives in slots.values() if any(life.is_failure for life in lives)),
        fewest=_fewest(trace, begun_at) if paces and not crashes else None,
        together=max((_together(each) for each in rounds), default=0),
        order=tuple(_order(each) for each in rounds if len(each.changes) > 1),
        away=tuple(
            tuple(sorted(life.slot for life in lives))
            for _, lives in scaled_away(trace, terms.lowered)
        ),
        blamed=tuple(_blamed(trace, rounds)),
        refused=sum(1 for each in trace.asked if each.refusal),
        previous=trace.previous,
        succeeds=succeeds,
        seconds=times_of(trace, rounds, terms),
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
    return _SLOTS.sub("SLOT", TASK_ID.sub("task ID", message))


def history_of(lives: list[Life], until: float, terms: Terms) -> tuple[str, ...]:
    """`v1 shutdown`, `v2 failed (3), again`: one after the other; `+` where the one before was up
    still.  `, 3 times` where it was not tried again after that, `, then well` where it lived on."""
    told: list[str] = []
    before: Life | None = None
    alike: list[Life] = []
    for life in lives:
        beside = before is not None and (
            before.ended_at is None or begin_of(life) < before.ended_at - 0.001
        )
        fate = f"{'+ ' if beside else ''}{life.image} {_fate(life)}"
        bare = fate.removeprefix("+ ")
        last = told[-1].removeprefix("+ ").removesuffix(AGAIN) if told else ""
        if before is not None and before.is_failure and before.image == life.image:
            alike.append(life)
            if bare == last or not life.end:
                told[-1] = told[-1].removesuffix(AGAIN) + AGAIN
            else:
                told.append(bare)
        else:
            alike = [life]
            told.append(fate)
        stays = beside and not life.is_failure and life.running_at is None
        before = before if stays else life
    if told and told[-1].endswith(AGAIN):
        told[-1] = told[-1].removesuffix(AGAIN) + _in_the_end(alike, until, terms)
    return tuple(told)


def _is_repeated(told: str) -> bool:
    return told.endswith((AGAIN, THEN_WELL, " times"))


def _in_the_end(alike: list[Life], until: float, terms: Terms) -> str:
    """Of one that was tried again: whether that goes on."""
    last = alike[-1]
    if not last.end:
        by_itself = [life for life in alike[:-1] if life.image not in terms.killed]
        longest_s = max(((life.ended_at or 0.0) - begin_of(life) for life in by_itself), default=0)
        lives_on = last.sick_at is None and until - begin_of(last) > longest_s + STEADY_S
        return THEN_WELL if lives_on else AGAIN
    waited_s = until - (last.ended_at or until)
    gave_up = waited_s > terms.restart_s.get(last.image, 0.0) + STEADY_S
    return f", {len(alike)} times" if gave_up else AGAIN


def _fate(life: Life) -> str:
    ran = life.running_at is not None
    if not life.end:
        return "running" if ran else "starting"
    code = f" ({life.exit_code})" if life.end == "failed" else ""
    early = "" if ran or life.end == "rejected" else " before it ran"
    return f"{life.end}{code}{early}"


# -- who is to blame


def _blamed(trace: Trace, rounds: tuple[Round, ...]) -> Iterator[str]:
    """A recording keeps no ids; Swarm names the task whose failure is one too many, the newest."""
    known = any(life.task for life in trace.lives)
    failures = failed_in(rounds)
    for shown in trace.shown:
        if "due to failure" not in shown.message:
            continue
        named = named_in(shown.message)
        if not named:
            yield A_SLOT
        elif not known:
            yield NEWEST
        else:
            yield _what_is_named(named, trace, failures, shown.at + POLL_S)


def _what_is_named(named: str, trace: Trace, failures: tuple[Life, ...], at: float) -> str:
    """Of those that failed at about the same moment any may have been seen last."""
    before = [life for life in failures if (life.failed_at or 0.0) <= at]
    newest = max((life.failed_at or 0.0 for life in before), default=0.0)
    alike_s = newest - TOLERANCE_S
    if any(life.task == named and (life.failed_at or 0.0) >= alike_s for life in before):
        return NEWEST
    if any(life.task == named for life in before):
        return "one that failed before"
    if any(life.task == named and not life.up_at(at) for life in trace.lives):
        return TOO_LATE
    return "none that failed"


# -- which first, and how many at once


def _order(each: Round) -> str:
    """Those of a batch are begun at about the same time, in any order."""
    waited = [
        (change, later)
        for change in each.changes
        for later in each.changes
        if later.begun_at - change.begun_at > TOLERANCE_S
    ]
    if all(_urgency(one, each) < _urgency(other, each) for one, other in waited):
        return IN_ORDER
    return " ".join(str(change.new.slot) for change in each.changes)


def _urgency(change: Change, each: Round) -> tuple[int, int]:
    """Down, then not well, then ascending."""
    down = change.old.ended_at is not None and change.old.ended_at <= each.asked_at
    rank = 0 if down else 2 if change.old.up_at(each.asked_at) else 1
    return rank, change.new.slot


_APART_S = 2.0
"""Under start-first a task may be through as soon as it is begun, so those of a batch follow one
another at once; a further batch comes after the delay."""


def _together(each: Round) -> int:
    apart_s = _APART_S if each.width >= len(each.changes) else each.cadence.delay_s / 2
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


def _fewest(trace: Trace, since: float) -> int:
    ends = {life.ended_at + 0.001 for life in trace.lives if life.ended_at is not None}
    return min(
        sum(1 for lives in trace.slots.values() if any(life.up_at(at) for life in lives))
        for at in {since, *(at for at in ends if at >= since), trace.until}
    )

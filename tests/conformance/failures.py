"""What we are to do about failures where we differ from Swarm on purpose: see `expectations`."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from rollout.decide.batch import PROOF_S
from tests.conformance.case import Case
from tests.conformance.expectations import EARLY, KEPT, is_beside
from tests.conformance.facts import (
    AGAIN,
    POLL_S,
    Cadence,
    Facts,
    Round,
    State,
    history_of,
    rounds_of,
)
from tests.conformance.recording import Kill
from tests.conformance.trace import Life, in_order


def judged_by_when(case: Case, facts: Facts) -> Facts:
    """Swarm reads no failure while it waits for slots that it has handed out."""
    if not facts.states:
        return facts
    found = _first_too_many(case)
    if found is None:
        return facts
    failed_at, cadence = found
    acted = next(
        (
            each.at
            for each in case.trace.shown
            if EARLY in each.message and each.at >= failed_at - 0.1
        ),
        None,
    )
    if acted is not None:
        if acted - failed_at <= 0.5:
            return facts
        return replace(facts, seconds={**facts.seconds, "acted": (0.0,)})
    if cadence.action == "rollback":
        return _rolled_back(case, facts, failed_at)
    paused: State = (facts.states[-1][0], "paused", f"update paused {EARLY} ID")
    if len(case.commands) > 1 or facts.states[-1][1] != "completed":
        # What comes after a pause that Swarm did not make has not been recorded.
        return facts
    seconds = {name: value for name, value in facts.seconds.items() if name != "end"}
    return replace(
        facts,
        states=(*facts.states[:-1], paused),
        succeeds=False,
        seconds={**seconds, "acted": (0.0,)},
    )


def _first_too_many(case: Case) -> tuple[float, Cadence] | None:
    """When the failures of an update were too many, counted by when they happened."""
    for each in rounds_of(case.trace, case.paces):
        if each.cadence.action == "continue":
            continue
        existed = sum(1 for told in case.trace.slots.values() if told[0].started_at is not None)
        for number, at in enumerate(_in_time(each), 1):
            if number / existed > each.cadence.ratio:
                return at, each.cadence
    return None


def _in_time(each: Round) -> list[float]:
    """When its failures happened: those before or soon enough after the task ran."""
    handed_out_at = max((change.begun_at for change in each.changes), default=0.0)
    return sorted(
        change.failed_at
        for change in each.changes
        if change.failed_at is not None
        and (
            change.ran_at is None
            or change.failed_at - change.ran_at
            <= _window(each.cadence, final=change.failed_at >= handed_out_at)
        )
    )


def _window(cadence: Cadence, *, final: bool) -> float:
    longer = cadence.delay_s + 1.0 if cadence.delay_s >= cadence.monitor_s else cadence.monitor_s
    return (longer if final else cadence.monitor_s) + 0.1


def _rolled_back(case: Case, facts: Facts, failed_at: float) -> Facts:
    first = facts.states[0][0]
    slots = [_gone_back(lives, failed_at, first) for lives in case.trace.slots.values()]
    return replace(
        facts,
        states=(
            *(each for each in facts.states if each[1] in (None, "updating")),
            (first, "rollback_started", f"update rolled back {EARLY} ID"),
            (first, "rollback_completed", "rollback completed"),
        ),
        slots=tuple(sorted(slots)),
        previous=None,
        seconds={"acted": (0.0,)},
    )


def _gone_back(lives: list[Life], failed_at: float, image: str) -> tuple[str, ...]:
    told = []
    for life in lives:
        ended = life.ended_at is not None and life.ended_at <= failed_at
        code = f" ({life.exit_code})" if life.end == "failed" else ""
        ran = life.running_at is not None and life.running_at <= failed_at
        end = f"{life.end}{code}" if ended else "shutdown"
        told.append(f"{life.image} {end}{'' if ran else ' before it ran'}")
    return (*told, f"{image} running")


def last_one_is_kept(case: Case, facts: Facts) -> Facts:
    """`continue`, and at some moment nothing of the service ran."""
    served = any(told[-1].endswith("running") for told in facts.slots)
    if not facts.states or case.cadence().action != "continue":
        return facts
    failed = any(_in_time(each) for each in rounds_of(case.trace, case.paces))
    if served or not facts.failed or not failed:
        return facts
    image = facts.states[-1][0]
    slots = list(facts.slots)
    before = facts.states[0][0]
    if case.cadence().start_first:
        slots = [(f"{before} running", *_once(told)[1:]) for told in slots]
    else:
        slots = sorted([*slots[1:], (f"{before} running",)])
    untouched = sum(1 for told in slots if len(told) == 1)
    seconds = {
        name: value for name, value in facts.seconds.items() if name not in ("end", "restart")
    }
    if not case.cadence().start_first and "delay" in seconds:
        seconds["delay"] = seconds["delay"][:-1]
    tried_again = any(told[-1].endswith(AGAIN) for told in slots)
    return replace(
        facts,
        states=(*facts.states[:-1], (image, "paused", KEPT)),
        slots=tuple(slots),
        untouched=untouched,
        failed=len(slots) - untouched,
        fewest=len(slots) if case.cadence().start_first else None if tried_again else 1,
        succeeds=False,
        seconds=seconds,
    )


def _once(told: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.removesuffix(AGAIN) for each in told)


def old_one_alone(case: Case, facts: Facts) -> Facts:
    """start-first: what failed beside its predecessor is not tried again."""
    tried = [told for told in facts.slots if is_beside(told) and told[0].endswith(" running")]
    if not any(told[-1].endswith(AGAIN) for told in tried):
        return facts
    slots = tuple(_once(told) if told in tried else told for told in facts.slots)
    seconds = {name: value for name, value in facts.seconds.items() if name != "restart"}
    return replace(facts, slots=slots, fewest=len(slots), seconds=seconds)


def proven_first(case: Case, facts: Facts) -> Facts:
    """start-first: what ends at once has not taken the old one's place."""
    if not case.cadence().start_first or not facts.states or facts.states[-1][1] != "paused":
        return facts
    told = [_kept_beside(lives) or history_of(lives) for lives in case.trace.slots.values()]
    if not any(_kept_beside(lives) for lives in case.trace.slots.values()):
        return facts
    seconds = {name: value for name, value in facts.seconds.items() if name != "restart"}
    return replace(facts, slots=tuple(sorted(told)), fewest=len(told), seconds=seconds)


def _kept_beside(lives: list[Life]) -> tuple[str, ...] | None:
    """What is told of a slot whose new task ran only for a moment."""
    if len(lives) < 2 or lives[1].running_at is None or lives[1].end != "failed":
        return None
    old, new = lives[:2]
    if (new.ended_at or 0.0) - (new.running_at or 0.0) > PROOF_S:
        return None
    return (f"{old.image} running", f"+ {new.image} failed ({new.exit_code})")


def old_one_again(case: Case, facts: Facts) -> Facts:
    """While paused, an old task that dies is started again, not the new definition's."""
    killed = [step.image for step in case.steps if isinstance(step, Kill)]
    if not killed or not facts.states or facts.states[-1][1] != "paused":
        return facts
    slots = tuple(
        (*told[:-2], f"{told[-2]}{AGAIN}")
        if len(told) > 1 and told[-2].startswith(f"{killed[0]} failed (137)")
        else told
        for told in facts.slots
    )
    return replace(facts, slots=tuple(sorted(slots)))


def sick_is_failed(case: Case, facts: Facts) -> Facts:
    """A task with a healthcheck that ends well though nobody asked it to end."""
    checked = "Healthcheck" in case.first["TaskTemplate"]["ContainerSpec"]
    if not checked or not any(told[-1].endswith(" complete") for told in facts.slots):
        return facts
    slots = tuple(
        (*told[:-1], told[-1].replace(" complete", f" unhealthy{AGAIN}")) for told in facts.slots
    )
    return replace(facts, slots=slots, seconds={**facts.seconds, "restart": _restart_delay(case)})


def _restart_delay(case: Case) -> tuple[float, ...]:
    policy = case.first["TaskTemplate"].get("RestartPolicy", {})
    return (policy.get("Delay", 5e9) / 1e9,)


def sick_at_rest(case: Case, facts: Facts) -> Facts:
    """After the update nobody looks at healthchecks: what ran and turns unhealthy is left alone."""
    over_at = case.over_at
    if over_at is None or facts.slots != case.facts.slots:
        return facts
    lives = [
        life
        for slot in case.trace.slots.values()
        for life in _until_it_turned_unhealthy(slot, over_at)
    ]
    if len(lives) == len(case.trace.lives) and set(lives) == set(case.trace.lives):
        return facts
    left = case.facts_of(replace(case.trace, lives=in_order(lives)), succeeds=facts.succeeds)
    seconds = {name: value for name, value in facts.seconds.items() if name != "restart"}
    if "restart" in left.seconds:
        seconds["restart"] = left.seconds["restart"]
    return replace(facts, slots=left.slots, failed=left.failed, fewest=left.fewest, seconds=seconds)


def _until_it_turned_unhealthy(lives: list[Life], over_at: float) -> Iterator[Life]:
    for life in lives:
        late = life.ended_at is not None and life.ended_at > over_at + POLL_S
        if life.end == "unhealthy" and life.running_at is not None and late:
            yield replace(life, ended_at=None, end="", exit_code=None)
            return
        yield life
        if life.is_failure and late:
            # Docker starts it again and again: its history is that of the restarts.
            yield from lives[lives.index(life) + 1 :]
            return


def docker_restarts(case: Case, facts: Facts) -> Facts:
    """After the update no command runs any more: Docker starts again what ends, and at once."""
    restarts = list(case.restarted_at_rest())
    if not restarts or "restart" not in facts.seconds:
        return facts
    left = sorted(facts.seconds["restart"])
    for gap in restarts:
        left.remove(min(left, key=lambda at: abs(at - gap)))
    again = (0.1,) * len(restarts)
    return replace(facts, seconds={**facts.seconds, "restart": tuple(sorted((*left, *again)))})

"""What we are to do about failures where we differ from Swarm on purpose: see `expectations`."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from msgspec.structs import replace

from rollout.decide.batch import PROOF_S
from tests.conformance.case import Case, cadence_of
from tests.conformance.expectations import EARLY, KEPT, is_beside
from tests.conformance.facts import (
    AGAIN,
    IN_ORDER,
    NEWEST,
    THEN_WELL,
    Facts,
    State,
)
from tests.conformance.recording import Kill
from tests.conformance.rounds import POLL_S, TOLERANCE_S, Cadence, Change, Round, begin_of
from tests.conformance.times import (
    RANGES,
    REST,
    Times,
    beside,
    exchanged,
    merged,
    of_a_rollback,
    restart_gaps,
    without,
)
from tests.conformance.trace import Life, in_order

DOCKER_S = (0.1, 1.6)
"""How long Docker waits before it starts again what ended: the first time, and after some."""


def judged_by_when(case: Case, facts: Facts) -> Facts:
    """Swarm reads no failure while it waits for slots that it has handed out."""
    found = _first_too_many(case)
    if not facts.states or found is None:
        return facts
    update, change = found
    failed_at = change.failed_at or 0.0
    looks_at = _looks_again_at(update, failed_at)
    acted_at = next(
        (
            each.at
            for each in case.trace.shown
            if EARLY in each.message and each.at >= failed_at - POLL_S
        ),
        None,
    )
    if acted_at is not None:
        late_s = acted_at - failed_at
        if late_s <= TOLERANCE_S or abs(acted_at - looks_at) > TOLERANCE_S:
            return facts
        return replace(facts, seconds=exchanged(facts.seconds, "acted", (late_s, 0.0)))
    if change.ran_at is None or looks_at - change.ran_at <= update.cadence.watched_s - TOLERANCE_S:
        # It was told in time; that nothing was done about it is no matter of looking.
        return facts
    if len(case.commands) > 1 or facts.states[-1][1] != "completed" or not _ends_in_time(update):
        # What comes after a failure that Swarm did not see has not been recorded.
        return facts
    facts = replace(
        facts,
        blamed=(*facts.blamed, NEWEST),
        seconds=merged(without(facts.seconds, "end"), {"acted": (0.0,)}),
    )
    if update.cadence.action == "rollback":
        return _rolled_back(case, facts, failed_at)
    paused: State = (facts.states[-1][0], "paused", f"update paused {EARLY} ID")
    return replace(facts, states=(*facts.states[:-1], paused), succeeds=False)


def _ends_in_time(update: Round) -> bool:
    through = [at for change in update.changes if (at := change.through_at) is not None]
    due_at = max(through) + update.cadence.delay_s + update.cadence.watched_s
    return update.over_at is not None and abs(update.over_at - due_at) <= TOLERANCE_S


def _looks_again_at(update: Round, failed_at: float) -> float:
    """When Swarm reads the failures there were: at once, but while it waits for the last slots to
    be through, and for the delay after them."""
    through = [change.through_at for change in update.changes]
    if failed_at < max(change.begun_at for change in update.changes) - POLL_S:
        return failed_at
    last = max(inf if at is None else at for at in through)
    return max(last + update.cadence.delay_s, failed_at)


def _first_too_many(case: Case) -> tuple[Round, Change] | None:
    """The one failure of an update that was too many, counted by when they happened."""
    for each in case.rounds:
        if each.cadence.action == "continue":
            continue
        existed = sum(1 for told in case.trace.slots.values() if told[0].started_at is not None)
        for number, change in enumerate(_in_time(each), 1):
            if number / existed > each.cadence.ratio:
                return each, change
    return None


def _in_time(each: Round) -> list[Change]:
    """Its failures in order: those before or soon enough after the task ran."""
    handed_out_at = max((change.begun_at for change in each.changes), default=0.0)
    found = [
        (change.failed_at, change)
        for change in each.changes
        if change.failed_at is not None
        and (
            change.ran_at is None
            or change.failed_at - change.ran_at
            <= _window(each.cadence, final=change.failed_at >= handed_out_at)
        )
    ]
    return [change for _, change in sorted(found, key=lambda pair: pair[0])]


def _window(cadence: Cadence, *, final: bool) -> float:
    return (cadence.watched_s if final else cadence.monitor_s) + POLL_S


def _rolled_back(case: Case, facts: Facts, failed_at: float) -> Facts:
    """All slots had been handed out, so all go back."""
    first = facts.states[0][0]
    slots = case.trace.slots.values()
    down = sum(1 for lives in slots if (lives[-1].ended_at or inf) <= failed_at)
    back = of_a_rollback(
        cadence_of(case.first, "RollbackConfig"),
        up=len(slots) - down,
        down=down,
        proof_s=case.proof_s(first),
    )
    return replace(
        facts,
        states=(
            *(each for each in facts.states if each[1] in (None, "updating")),
            (first, "rollback_started", f"update rolled back {EARLY} ID"),
            (first, "rollback_completed", "rollback completed"),
        ),
        slots=tuple(sorted(_gone_back(lives, failed_at, first) for lives in slots)),
        order=(*facts.order, IN_ORDER),
        previous=None,
        seconds=merged(facts.seconds, back),
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
    failed = any(_in_time(each) for each in case.rounds)
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
    seconds = _without_the_last(case)
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


def _without_the_last(case: Case) -> Times:
    """Times as if the last slot of the last update had been kept.  Under start-first all are; what
    failed beside its predecessor is not tried again."""
    *before, update = case.rounds
    full = case.times_of(case.rounds)
    if update.cadence.start_first:
        return without(full, "restart", *RANGES)
    last = update.changes[-1]
    lives = [
        life
        for life in case.trace.lives
        if life.slot != last.new.slot or begin_of(life) < begin_of(last.new)
    ]
    trimmed = replace(update, changes=update.changes[:-1])
    times = case.times_of([*before, trimmed], replace(case.trace, lives=tuple(lives)))
    return {**times, "end": full["end"]}


def _once(told: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.removesuffix(AGAIN) for each in told)


def old_one_alone(case: Case, facts: Facts) -> Facts:
    """start-first: what failed beside its predecessor is not tried again."""
    tried = [told for told in facts.slots if is_beside(told) and told[0].endswith(" running")]
    if not any(told[-1].endswith(AGAIN) for told in tried):
        return facts
    slots = tuple(_once(told) if told in tried else told for told in facts.slots)
    again = [lives for lives in case.trace.slots.values() if case.history_of(lives) in tried]
    return replace(
        facts,
        slots=slots,
        fewest=len(slots),
        seconds=_not_tried_again(case, facts.seconds, again),
    )


def _not_tried_again(case: Case, seconds: Times, slots: list[list[Life]]) -> Times:
    gaps = [list(restart_gaps(lives, case.trace)) for lives in slots]
    first = [(found[0][1], None) for found in gaps if found]
    return without(exchanged(seconds, "restart", *first), *RANGES)


def proven_first(case: Case, facts: Facts) -> Facts:
    """start-first: it serves beside the old one for a moment; what ends within it has not taken
    that one's place."""
    pairs = [
        (waited_s, _proven(case, change, waited_s))
        for each in case.rounds
        for change, waited_s in beside(each)
        if waited_s <= TOLERANCE_S and case.proof_s(change.new.image)
    ]
    if not pairs:
        return facts
    facts = replace(facts, seconds=exchanged(facts.seconds, "beside", *pairs))
    kept = [lives for lives in case.trace.slots.values() if _kept_beside(lives)]
    if not kept or facts.states[-1][1] != "paused":
        return facts
    told = [_kept_beside(lives) or case.history_of(lives) for lives in case.trace.slots.values()]
    return replace(
        facts,
        slots=tuple(sorted(told)),
        fewest=len(told),
        seconds=_not_tried_again(case, facts.seconds, kept),
    )


def _proven(case: Case, change: Change, waited_s: float) -> float | None:
    lived_s = (change.new.ended_at or inf) - (change.ran_at or 0.0)
    return None if lived_s <= PROOF_S else waited_s + case.proof_s(change.new.image)


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
        (*told[:-2], f"{told[-2]}{THEN_WELL}")
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
    names = ("restart", *RANGES)
    others = {name: left.seconds[name] for name in names if name in left.seconds}
    return replace(
        facts,
        slots=left.slots,
        failed=left.failed,
        fewest=left.fewest,
        seconds=merged(without(facts.seconds, *names), others),
    )


def _until_it_turned_unhealthy(lives: list[Life], over_at: float) -> Iterator[Life]:
    for life in lives:
        late = life.ended_at is not None and life.ended_at > over_at + POLL_S
        if life.end == "unhealthy" and life.running_at is not None and late:
            yield replace(life, sick_at=life.ended_at, ended_at=None, end="", exit_code=None)
            return
        yield life
        if life.is_failure and late:
            # Docker starts it again and again: its history is that of the restarts.
            yield from lives[lives.index(life) + 1 :]
            return


def tried_again(case: Case, facts: Facts) -> Facts:
    """To ask for anything is to have it running: what had failed for good is replaced, at the
    update's pace."""
    asked_at = case.trace.asked[-1].at
    same = len(case.definitions) > 1 and (
        case.definitions[-1]["TaskTemplate"] == case.definitions[-2]["TaskTemplate"]
    )
    down = [
        case.history_of(lives)
        for lives in case.trace.slots.values()
        if lives[-1].end == "failed" and (lives[-1].ended_at or asked_at) < asked_at
    ]
    if not same or not down or not facts.states or facts.states[-1][1] != "completed":
        return facts
    slots = [(*told[:-1], told[-1] + THEN_WELL) if told in down else told for told in facts.slots]
    delays = (*facts.seconds.get("delay", ()), *(case.cadence().delay_s for _ in down))
    seconds = {**facts.seconds, "delay": delays}
    if "taken" in seconds:
        seconds["taken"] = (*(0.0 for _ in down), *seconds["taken"])
    return replace(facts, slots=tuple(sorted(slots)), fewest=None, seconds=seconds)


def docker_restarts(case: Case, facts: Facts) -> Facts:
    """After the update no command runs any more: Docker starts again what ends, and at once."""
    waits_s = _restart_delay(case)[0]
    first = [
        (gap, DOCKER_S[0]) for gap in case.restarted_at_rest() if abs(gap - waits_s) <= TOLERANCE_S
    ]
    seconds = exchanged(facts.seconds, "restart", *first) if first else facts.seconds
    later = seconds.get(REST, ())
    if later and all(abs(gap - waits_s) <= TOLERANCE_S for gap in later):
        seconds = {**seconds, REST: DOCKER_S}
    return replace(facts, seconds=seconds)

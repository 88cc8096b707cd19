"""What we are to do where we differ from Swarm on purpose: each turns what Swarm did into that.

Facts come back unchanged where a rule does not apply, so that rules can follow one another.
"""

from __future__ import annotations

from itertools import pairwise

from msgspec.structs import replace

from tests.conformance.case import DEADLINE_S, Case, cadence_of, compose_of, forced
from tests.conformance.facts import A_SLOT, IN_ORDER, TOO_LATE, Facts, State
from tests.conformance.recording import Rollback, Spec, Update
from tests.conformance.rounds import TOLERANCE_S, Round, begin_of
from tests.conformance.times import (
    GIVEN_UP,
    Times,
    exchanged,
    merged,
    of_a_rollback,
    waited_first,
)
from tests.conformance.trace import Life

_STOP_LIMIT_S = 59.0
KEPT = "update paused: SLOT kept, nothing else of the service would run"
EARLY = "due to failure or early termination of task"

# -- nothing is done

NOTHING = Facts(
    states=(),
    slots=(),
    untouched=0,
    failed=0,
    fewest=None,
    together=0,
    order=(),
    away=(),
    blamed=(),
    refused=1,
    previous=None,
    succeeds=None,
)


def rollback_rolls_back(case: Case, facts: Facts) -> Facts:
    wanted = (case.first, *case.definitions)
    refused = any(
        (spec.get("RollbackConfig") or {}).get("FailureAction") == "rollback" for spec in wanted
    )
    return NOTHING if refused else facts


def port_twice(case: Case, facts: Facts) -> Facts:
    return (
        NOTHING
        if any(_port_is_needed_twice(spec) for spec in (case.first, *case.definitions))
        else facts
    )


def _port_is_needed_twice(spec: Spec) -> bool:
    ports = (spec.get("EndpointSpec") or {}).get("Ports", [])
    orders = {(spec.get(name) or {}).get("Order") for name in ("UpdateConfig", "RollbackConfig")}
    return "start-first" in orders and any(port.get("PublishedPort") for port in ports)


def in_order(case: Case, facts: Facts) -> Facts:
    return replace(facts, order=(IN_ORDER,) * len(facts.order))


# -- an exit code speaks of what runs


def all_of_it_runs(case: Case, facts: Facts) -> Facts:
    """Not 0 where all that a slot has in the end is a task that ended for good or is unhealthy."""
    down = any(told[-1].endswith((")", " complete", " unhealthy")) for told in facts.slots)
    sick = any(_is_sick_when_it_is_over(case, lives) for lives in case.trace.slots.values())
    return replace(facts, succeeds=False) if facts.succeeds and (down or sick) else facts


def _is_sick_when_it_is_over(case: Case, lives: list[Life]) -> bool:
    over_at = case.over_at or case.trace.until
    for before, after in pairwise(lives):
        ended = before.end == "unhealthy" and (before.ended_at or over_at) < over_at
        if ended and (after.running_at is None or after.running_at > over_at):
            return True
    return False


# -- an update ends


def ready_before_stop(case: Case, facts: Facts) -> Facts:
    if not case.cannot_be_ready:
        return facts
    slots = tuple(sorted(_without_rejected(told) for told in facts.slots))
    kept = sum(1 for told in slots if len(told) == 1)
    states = tuple(
        (image, state, message.replace("task ID", "task SLOT"))
        for image, state, message in facts.states
    )
    succeeds = facts.succeeds
    seconds: Times = {"added": facts.seconds["added"]}
    if kept == len(slots) and states[-1][1] == "completed":
        states, succeeds = (*states[:-1], (states[-1][0], "paused", KEPT)), False
        seconds["end"] = (DEADLINE_S + case.cadence().watched_s,)
    else:
        seconds[GIVEN_UP] = (DEADLINE_S,)
        seconds |= {"end": (0.0,)} if states[-1][1] == "rollback_completed" else {}
    return replace(
        facts,
        states=states,
        succeeds=succeeds,
        slots=slots,
        untouched=kept,
        failed=0,
        fewest=len(slots),
        blamed=(A_SLOT,) * len(facts.blamed),
        seconds=seconds,
    )


def _without_rejected(told: tuple[str, ...]) -> tuple[str, ...]:
    """The task that was stopped for one that could not be made runs on."""
    kept = tuple(each for each in told if " rejected" not in each)
    return kept if kept == told else (*kept[:-1], kept[-1].replace(" shutdown", " running"))


def deadline(case: Case, facts: Facts) -> Facts:
    if not facts.states or facts.states[-1][1] != "updating":
        return facts
    image = facts.states[-1][0]
    if case.cadence().action == "rollback":
        return _given_up(case, facts, image)
    paused: State = (image, "paused", f"update paused {EARLY} ID")
    return replace(
        facts,
        states=(*facts.states, paused),
        blamed=(*facts.blamed, TOO_LATE),
        succeeds=False,
        seconds=merged(facts.seconds, {GIVEN_UP: (DEADLINE_S,)}),
    )


def _given_up(case: Case, facts: Facts, image: str) -> Facts:
    """Rolled back: what has not come to run makes room for the definition before."""
    first = facts.states[0][0]
    cadence = cadence_of(case.first, "RollbackConfig")
    beside = "+ " if cadence.start_first else ""
    hung = [told for told in facts.slots if told[-1].endswith(f"{image} starting")]
    slots = [told for told in facts.slots if told not in hung]
    for told in hung:
        ended = told[-1].removesuffix("starting") + "shutdown before it ran"
        slots.append((*told[:-1], ended, f"{beside}{first} running"))
    return replace(
        facts,
        states=(
            *facts.states,
            (first, "rollback_started", f"update rolled back {EARLY} ID"),
            (first, "rollback_completed", "rollback completed"),
        ),
        slots=tuple(sorted(slots)),
        together=max(facts.together, min(cadence.parallelism or len(hung), len(hung))),
        blamed=(*facts.blamed, TOO_LATE),
        previous=None,
        succeeds=False,
        seconds=merged(
            facts.seconds,
            {GIVEN_UP: (DEADLINE_S,)},
            of_a_rollback(cadence, up=len(hung), down=0, proof_s=case.proof_s(first)),
        ),
    )


def sixty_seconds(case: Case, facts: Facts) -> Facts:
    """Side by side, though that was not asked for."""
    if not any(_started_all_the_same(lives) for lives in case.trace.slots.values()):
        return facts
    slots = tuple(tuple(each.removeprefix("+ ") for each in told) for told in facts.slots)
    early = [(at, 0.0) for at in facts.seconds["taken"] if at < 0.0]
    return replace(
        facts,
        slots=tuple(sorted(slots)),
        fewest=_one_less(facts.fewest),
        seconds=exchanged(facts.seconds, "taken", *early),
    )


def _started_all_the_same(lives: list[Life]) -> bool:
    return any(
        before.asked_at is not None
        and (before.ended_at is None or before.ended_at > (after.started_at or 0.0))
        and _STOP_LIMIT_S <= (after.started_at or 0.0) - before.asked_at <= _STOP_LIMIT_S + 3.0
        for before, after in pairwise(lives)
    )


def is_beside(told: tuple[str, ...]) -> bool:
    return any(each.startswith("+ ") for each in told)


def _one_less(fewest: int | None) -> int | None:
    return None if fewest is None else fewest - 1


# -- what was asked for


def no_change_no_revision(case: Case, facts: Facts) -> Facts:
    """An update that changes nothing takes the place of the definition before."""
    before = case.first
    idle = 0
    for step, spec in zip(case.commands, case.definitions, strict=True):
        if isinstance(step, Update) and _asks_for_the_same(spec, before):
            idle += 1
        before = spec
    if not idle:
        return facts
    rolls_back = isinstance(case.commands[-1], Rollback)
    image = facts.states[0][0]
    if not rolls_back:
        return _still_as_it_was(case, facts)
    last = next(each for each in reversed(facts.states) if each[1] == "completed")
    return replace(
        facts,
        states=(
            *facts.states[: facts.states.index(last) + 1],
            (image, "rollback_started", "manually requested rollback"),
            (image, "rollback_completed", "rollback completed"),
        ),
        slots=tuple(
            (*told[:-1], f"{last[0]} shutdown", f"{image} running") for told in facts.slots
        ),
        seconds=merged(
            case.times_of(case.rounds[:-1]),
            of_a_rollback(
                case.rounds[-1].cadence, up=len(facts.slots), down=0, proof_s=case.proof_s(image)
            ),
        ),
    )


def _still_as_it_was(case: Case, facts: Facts) -> Facts:
    """The update shows what it showed before, and what was there before can be had again."""
    images = [case.first["TaskTemplate"]["ContainerSpec"]["Image"]]
    before, last_is_idle = case.first, False
    for step, spec in zip(case.commands, case.definitions, strict=True):
        last_is_idle = isinstance(step, Update) and _asks_for_the_same(spec, before)
        if not last_is_idle:
            images.append(spec["TaskTemplate"]["ContainerSpec"]["Image"])
        before = spec
    states, succeeds = facts.states, facts.succeeds
    if last_is_idle and states[-1][1] is None and states[-2:-1] and "completed" in str(states[-2]):
        states, succeeds = states[:-1], True
    previous = images[-2] if len(images) > 1 else None
    return replace(facts, states=states, succeeds=succeeds, previous=previous)


def _asks_for_the_same(spec: Spec, before: Spec) -> bool:
    return compose_of(spec, "") == compose_of(before, "") and forced(spec) == forced(before)


def goes_on(case: Case, facts: Facts) -> Facts:
    """A command that asks for the same task: the delay that runs is not cut short."""
    before = case.first
    through_at: float | None = None
    waits = []
    for each in case.rounds:
        spec = case.asked_for.get(each.asked_at)
        same = spec is not None and spec["TaskTemplate"] == before["TaskTemplate"]
        if each.changes:
            for waited_s in waited_first(each):
                if same and through_at is not None and waited_s <= TOLERANCE_S:
                    ours_s = max(through_at + each.cadence.delay_s - each.asked_at, 0.0)
                    waits.append((waited_s, max(ours_s, waited_s)))
        through = [change.through_at for change in each.changes if change.through_at is not None]
        through_at = max(through) if each.cut_short and through else None
        before = spec or before
    longer = [(theirs, ours) for theirs, ours in waits if ours - theirs > TOLERANCE_S]
    return replace(facts, seconds=exchanged(facts.seconds, "first", *longer)) if longer else facts


def watched_too(case: Case, facts: Facts) -> Facts:
    """Swarm calls a rollback that has only tasks to add completed at once."""
    at_once = [
        each
        for each in case.rounds
        if not each.changes
        and each.over_at is not None
        and each.over_at - each.asked_at <= TOLERANCE_S
        and any(each.asked_at <= begin_of(life) for life in case.trace.lives)
        and _is_rollback(case, each)
    ]
    pairs = [((each.over_at or 0.0) - each.asked_at, each.cadence.monitor_s) for each in at_once]
    return replace(facts, seconds=exchanged(facts.seconds, "end", *pairs)) if pairs else facts


def nothing_to_watch(case: Case, facts: Facts) -> Facts:
    """Swarm watches a rollback in which no task was replaced as it does any other."""
    if case.cannot_be_ready:
        return facts
    pairs = [
        (watched_s, 0.0)
        for each in case.rounds
        if not each.changes and each.over_at is not None and _is_rollback(case, each)
        if abs((watched_s := each.over_at - each.asked_at) - each.cadence.watched_s) <= TOLERANCE_S
    ]
    return replace(facts, seconds=exchanged(facts.seconds, "end", *pairs)) if pairs else facts


def _is_rollback(case: Case, each: Round) -> bool:
    return any(
        shown.at == each.over_at and shown.state == "rollback_completed"
        for shown in case.trace.shown
    )


def to_the_last_completed(case: Case, facts: Facts) -> Facts:
    """Swarm goes back to what was asked for before, be it half done."""
    back = next(
        (at for at, (_, _, message) in enumerate(facts.states) if "rolled back" in message), 0
    )
    if not back:
        return facts
    before, after = facts.states[:back], facts.states[back:]
    good = next((each[0] for each in reversed(before) if each[1] == "completed"), before[0][0])
    begun = after[0][0]
    if begun == good:
        return facts
    slots = tuple(sorted(_back_to(good, begun, told) for told in facts.slots))
    kept = sum(1 for told in slots if len(told) == 1)
    gone_back = [told for told in slots if len(told) > 1]
    down = sum(1 for told in gone_back if " shutdown" not in told[-2])
    return replace(
        facts,
        states=(*before, *((good, state, message) for _, state, message in after)),
        slots=slots,
        untouched=kept,
        fewest=kept,
        together=len(slots) - kept,
        order=facts.order if len(gone_back) > 1 else (),
        seconds=merged(
            case.times_of(case.rounds[:-1]),
            of_a_rollback(
                case.rounds[-1].cadence,
                up=len(gone_back) - down,
                down=down,
                proof_s=case.proof_s(good),
            ),
        ),
    )


def _back_to(good: str, begun: str, told: tuple[str, ...]) -> tuple[str, ...]:
    before = told[:-1] if told[-1] == f"{begun} running" else told
    if before == (f"{good} shutdown",):
        return (f"{good} running",)
    return (*before, f"{good} running")


def only_to_what_was_complete(case: Case, facts: Facts) -> Facts:
    """Swarm goes back to the spec before, complete or not, and forward again to what never was."""
    if facts.previous is None:
        return facts
    known: list[tuple[Spec, bool]] = [(case.first, True)]
    by_hand = False
    asked = case.trace.asked[1:]
    later = [*(each.at for each in asked[1:]), case.trace.until]
    for command, asking, wanted, until in zip(
        case.commands, asked, case.definitions, later, strict=False
    ):
        if isinstance(command, Rollback):
            goes_to = _goes_to(known, by_hand=by_hand)
            if goes_to is None:
                return _refused_half_way(case, facts, asking.at)
            known.append((goes_to, True))
        elif not asking.refusal and not _asks_for_the_same(wanted, known[-1][0]):
            # Slots fewer are gone before anybody asks for more; Swarm shows no end of that.
            fewer = _replicas(wanted) < _replicas(known[-1][0])
            known.append((wanted, fewer or _is_complete(case, wanted, asking.at, until)))
        by_hand = isinstance(command, Rollback)
    goes_to = _goes_to(known, by_hand=by_hand)
    image = None if goes_to is None else goes_to["TaskTemplate"]["ContainerSpec"]["Image"]
    return replace(facts, previous=image)


def _replicas(spec: Spec) -> int:
    count: int = spec["Mode"].get("Replicated", {}).get("Replicas", 1)
    return count


def _goes_to(known: list[tuple[Spec, bool]], *, by_hand: bool) -> Spec | None:
    """`by_hand`: the newest is a rollback, so the one before it is what it went back from."""
    newest = known[-1][0]
    others = [each for each in known if not _asks_for_the_same(each[0], newest)]
    good = [
        spec
        for spec, _ in others
        if any(was_complete and _asks_for_the_same(spec, each) for each, was_complete in known)
    ]
    if not good or (by_hand and others[-1][0] is not good[-1]):
        return None
    return good[-1]


def _is_complete(case: Case, spec: Spec, since: float, until: float) -> bool:
    """Of a number of replicas alone Swarm shows no end: it is complete once it was watched."""
    image = spec["TaskTemplate"]["ContainerSpec"]["Image"]
    ends = {"completed", "rollback_completed"}
    shown = [each for each in case.trace.shown if since <= each.at < until and each.image == image]
    watched_s = cadence_of(spec, "UpdateConfig").monitor_s
    alone = bool(shown) and shown[-1].state is None and until - since >= watched_s
    return alone or any(each.state in ends for each in shown)


def _refused_half_way(case: Case, facts: Facts, at: float) -> Facts:
    """To roll a rollback back, to what never was complete: the first one goes on."""
    first, bad = facts.states[0][0], facts.states[1][0]
    reached = {
        life.slot
        for life in case.trace.lives
        if life.image == bad and life.started_at is not None and life.started_at < at
    }
    cadence = cadence_of(case.first, "RollbackConfig")
    beside = "+ " if cadence.start_first else ""
    since = max(each.asked_at for each in case.rounds if each.asked_at < at)
    times = of_a_rollback(cadence, up=len(reached), down=0, proof_s=case.proof_s(first))
    back = (f"{first} shutdown", f"{bad} shutdown", f"{beside}{first} running")
    untouched = len(facts.slots) - len(reached)
    return replace(
        facts,
        states=(*facts.states[:3], (first, "rollback_completed", "rollback completed")),
        slots=tuple(sorted([(f"{first} running",)] * untouched + [back] * len(reached))),
        untouched=untouched,
        together=len(reached),
        refused=facts.refused + 1,
        previous=None,
        seconds=merged(
            case.times_of([each for each in case.rounds if each.asked_at < since]), times
        ),
    )


def rolled_back_is_no_success(case: Case, facts: Facts) -> Facts:
    by_itself = any(message.startswith("update rolled back") for _, _, message in facts.states)
    if facts.succeeds and by_itself and facts.states[-1][1] == "rollback_completed":
        return replace(facts, succeeds=False)
    return facts

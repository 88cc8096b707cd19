"""What we are to do where we differ from Swarm on purpose: each turns what Swarm did into that.

Facts come back unchanged where a rule does not apply, so that rules can follow one another.
"""

from __future__ import annotations

from msgspec.structs import replace

from tests.conformance.case import Case, compose_of, forced
from tests.conformance.facts import AGAIN, Cadence, Facts, State, rounds_of, waited_first
from tests.conformance.recording import Kill, Rollback, Spec, Update
from tests.conformance.trace import Life

EARLY = "due to failure or early termination of task"

# -- nothing is done

NOTHING = Facts(
    states=(),
    slots=(),
    untouched=0,
    failed=0,
    fewest=None,
    together=0,
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


# -- an update ends


def ready_before_stop(case: Case, facts: Facts) -> Facts:
    if not case.cannot_be_ready:
        return facts
    slots = tuple(sorted(_without_rejected(told) for told in facts.slots))
    image, state, message = facts.states[-1]
    kept = sum(1 for told in slots if len(told) == 1)
    return replace(
        facts,
        states=(*facts.states[:-1], (image, state, message.replace("task ID", "task SLOT"))),
        slots=slots,
        untouched=kept,
        failed=0,
        fewest=len(slots),
        seconds={},
    )


def _without_rejected(told: tuple[str, ...]) -> tuple[str, ...]:
    """The task that was stopped for one that could not be made runs on."""
    kept = tuple(each for each in told if " rejected" not in each)
    return kept if kept == told else (*kept[:-1], kept[-1].replace(" shutdown", " running"))


def deadline(case: Case, facts: Facts) -> Facts:
    if not facts.states or facts.states[-1][1] != "updating":
        return facts
    image = facts.states[-1][0]
    paused: State = (image, "paused", f"update paused {EARLY} ID")
    return replace(facts, states=(*facts.states, paused), succeeds=False)


def sixty_seconds(case: Case, facts: Facts) -> Facts:
    """Side by side, though that was not asked for."""
    if case.cadence().start_first or not any(_beside(told) for told in facts.slots):
        return facts
    slots = tuple(tuple(each.removeprefix("+ ") for each in told) for told in facts.slots)
    return replace(facts, slots=tuple(sorted(slots)), fewest=_one_less(facts.fewest))


def _beside(told: tuple[str, ...]) -> bool:
    return any(each.startswith("+ ") for each in told)


def _one_less(fewest: int | None) -> int | None:
    return None if fewest is None else fewest - 1


# -- failures


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
    # One missed under `pause` has not been recorded; what we do then shows as unexplained.
    return _rolled_back(case, facts, failed_at) if cadence.action == "rollback" else facts


def _first_too_many(case: Case) -> tuple[float, Cadence] | None:
    """When the failures of an update were too many, counted by when they happened."""
    for each in rounds_of(case.trace, case.paces):
        if each.cadence.action == "continue":
            continue
        handed_out_at = max((change.begun_at for change in each.changes), default=0.0)
        failures = sorted(
            change.failed_at
            for change in each.changes
            if change.failed_at is not None
            and (
                change.ran_at is None
                or change.failed_at - change.ran_at
                <= _window(each.cadence, final=change.failed_at >= handed_out_at)
            )
        )
        existed = sum(1 for told in case.trace.slots.values() if told[0].started_at is not None)
        for number, at in enumerate(failures, 1):
            if number / existed > each.cadence.ratio:
                return at, each.cadence
    return None


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
    if not facts.states or case.cadence().action != "continue" or served or not facts.failed:
        return facts
    image = facts.states[-1][0]
    slots = list(facts.slots)
    before = facts.states[0][0]
    if case.cadence().start_first:
        slots = [(f"{before} running", *_once(told)[1:]) for told in slots]
    else:
        slots = sorted([*slots[1:], (f"{before} running",)])
    kept = sum(1 for told in slots if len(told) == 1)
    seconds = {
        name: value for name, value in facts.seconds.items() if name not in ("end", "restart")
    }
    if not case.cadence().start_first and "delay" in seconds:
        seconds["delay"] = seconds["delay"][:-1]
    return replace(
        facts,
        states=(
            *facts.states[:-1],
            (image, "paused", "update paused: SLOT kept, nothing else of the service would run"),
        ),
        slots=tuple(slots),
        untouched=kept,
        failed=len(slots) - kept,
        fewest=len(slots) if case.cadence().start_first else 1,
        succeeds=False,
        seconds=seconds,
    )


def _once(told: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.removesuffix(AGAIN) for each in told)


def old_one_alone(case: Case, facts: Facts) -> Facts:
    """start-first: what failed beside its predecessor is not tried again."""
    tried = [told for told in facts.slots if _beside(told) and told[0].endswith(" running")]
    if not any(told[-1].endswith(AGAIN) for told in tried):
        return facts
    slots = tuple(_once(told) if told in tried else told for told in facts.slots)
    seconds = {name: value for name, value in facts.seconds.items() if name != "restart"}
    return replace(facts, slots=slots, fewest=len(slots), seconds=seconds)


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
        return replace(facts, previous=None if len(case.commands) == idle else facts.previous)
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
        seconds={
            "first": (*facts.seconds["first"], 0.0),
            "end": (*facts.seconds["end"], 5.0),
        },
    )


def _asks_for_the_same(spec: Spec, before: Spec) -> bool:
    return compose_of(spec, "") == compose_of(before, "") and forced(spec) == forced(before)


def goes_on(case: Case, facts: Facts) -> Facts:
    """A command that asks for the same task: the delay that runs is not cut short."""
    before = case.first
    through_at: float | None = None
    waits = []
    for each in rounds_of(case.trace, case.paces):
        spec = case.asked_for.get(each.asked_at)
        same = spec is not None and spec["TaskTemplate"] == before["TaskTemplate"]
        if same and each.changes and through_at is not None:
            waits.append(max(through_at + each.cadence.delay_s - each.asked_at, 0.0))
        elif each.changes:
            waits.append(waited_first(each))
        through = [change.through_at for change in each.changes if change.through_at is not None]
        through_at = max(through) if each.cut_short and through else None
        before = spec or before
    first = tuple(sorted(round(at, 2) for at in waits))
    if (
        "first" not in facts.seconds
        or len(first) != len(facts.seconds["first"])
        or all(
            abs(ours - theirs) <= 0.5
            for ours, theirs in zip(first, facts.seconds["first"], strict=True)
        )
    ):
        return facts
    return replace(facts, seconds={**facts.seconds, "first": first})


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
    left = {name: facts.seconds[name] for name in ("acted",) if name in facts.seconds}
    return replace(
        facts,
        states=(*before, *((good, state, message) for _, state, message in after)),
        slots=slots,
        untouched=kept,
        fewest=kept,
        together=len(slots) - kept,
        seconds=left,
    )


def _back_to(good: str, begun: str, told: tuple[str, ...]) -> tuple[str, ...]:
    before = told[:-1] if told[-1] == f"{begun} running" else told
    if before == (f"{good} shutdown",):
        return (f"{good} running",)
    return (*before, f"{good} running")


def rolled_back_is_no_success(case: Case, facts: Facts) -> Facts:
    by_itself = any(message.startswith("update rolled back") for _, _, message in facts.states)
    if facts.succeeds and by_itself and facts.states[-1][1] == "rollback_completed":
        return replace(facts, succeeds=False)
    return facts

"""What holds for every fleet, cadence, fault and interleaving."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rollout.engine.simulated.faults import Behaviour, Rule
from rollout.model.spec import Order, RestartPolicy, ServiceSpec
from tests.decide import strategies as some
from tests.decide.strategies import Interruption
from tests.scenarios.world import World

# Shrinking a failure takes longer than any test that passes.
pytestmark = pytest.mark.timeout(900)

EXAMPLES = 1500 if os.environ.get("ROLLOUT_THOROUGH") else 80

settings.register_profile(
    "decide",
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
settings.load_profile("decide")


def _assert_everything_is_as_asked(world: World) -> None:
    up = world.up()
    slots = [task.slot for task in up]
    # Scaled away and back at once, a slot may be kept while one below it is gone already.
    assert len(slots) == len(set(slots)) == world.revision.spec.slots, world.story()
    assert all(task.running for task in up), world.story()
    assert {task.digest for task in up} <= {world.revision.digest}, world.story()
    assert not [task for task in world.tasks if task.prepared], world.story()
    assert world.revision.last_mark == "completed", world.story()


@given(some.services(), some.good, some.good)
def test_an_update_without_faults_completes(
    service: ServiceSpec, before: Behaviour, after: Behaviour
) -> None:
    """Each slot ends with exactly one live task of the definition asked for."""
    service = _patient(service)
    world = World(service, usual=before)
    world.deploy()
    world.behave(after, image="v2")

    world.update(image="v2")
    world.until_at_rest(within_s=900)

    _assert_everything_is_as_asked(world)
    _assert_enough_was_running(world)


@given(some.services(), st.lists(some.rules, max_size=3), st.lists(some.disturbances, max_size=3))
def test_an_update_always_ends_in_a_definite_state(
    service: ServiceSpec, rules: list[Rule], disturbances: list[Interruption]
) -> None:
    """Whatever goes wrong: completed, paused or rolled back, in bounded time."""
    world = World(service)
    world.deploy()
    for rule in rules:
        world.behave(rule.behaviour, image=rule.image, slot=rule.slot, generation=rule.generation)
    for each in disturbances:
        world.at(each.at, partial(each.happen, world))

    world.update(image="v2")
    world.until_at_rest(within_s=900)

    assert world.revision.last_mark in ("completed", "paused", "failed")


@given(some.services(), st.lists(some.requests, min_size=1, max_size=3), some.good)
def test_whatever_is_asked_for_meanwhile_is_what_comes_out(
    service: ServiceSpec, requests: list[Interruption], behaviour: Behaviour
) -> None:
    """New definitions, scale, cadence, rollback, pause and resume in the middle of an update."""
    world = World(_patient(service), usual=behaviour)
    world.deploy()
    for each in requests:
        world.at(each.at, partial(each.happen, world))

    world.update(image="v2")
    world.run_for(50.0)
    world.until_at_rest(within_s=900)
    if world.revision.last_mark == "paused":
        world.resume()
        world.until_at_rest(within_s=900)

    _assert_everything_is_as_asked(world)


@given(
    some.services(),
    st.lists(some.rules, max_size=3),
    st.lists(st.one_of(some.requests, some.disturbances), max_size=5),
)
def test_anything_at_any_time_ends_in_a_definite_state(
    service: ServiceSpec, rules: list[Rule], interruptions: list[Interruption]
) -> None:
    """Faults, requests and disturbances together."""
    world = World(service)
    world.deploy()
    for rule in rules:
        world.behave(rule.behaviour, image=rule.image, slot=rule.slot, generation=rule.generation)
    for each in interruptions:
        world.at(each.at, partial(each.happen, world))

    world.update(image="v2")
    world.run_for(50.0)
    world.until_at_rest(within_s=900)

    assert world.revision.last_mark in ("completed", "paused", "failed")


def _assert_enough_was_running(world: World) -> None:
    """Start-first never goes below what there was; stop-first by no more than the parallelism."""
    spec = world.revision.spec
    down = spec.update.parallelism or spec.slots
    if spec.update.order is Order.START_FIRST:
        down = 0
    assert world.fewest >= spec.slots - down, world.story()


def _patient(service: ServiceSpec) -> ServiceSpec:
    """Its deadline is longer than anything takes."""
    return ServiceSpec(
        **{
            **{name: getattr(service, name) for name in service.__struct_fields__},
            "progress_deadline_s": 600.0,
        }
    )


@given(some.services(), some.good, st.frozensets(st.integers(1, 40), min_size=1))
def test_a_controller_that_dies_at_any_moment_changes_nothing(
    service: ServiceSpec, behaviour: Behaviour, crashes: frozenset[int]
) -> None:
    """Whoever goes on knows only what can be seen, and comes to the same end."""
    world = World(_patient(service), usual=behaviour)
    world.deploy()
    world.crash_at = frozenset(world.looks + each for each in crashes)

    world.update(image="v2")
    world.until_at_rest(within_s=900)

    _assert_everything_is_as_asked(world)
    _assert_enough_was_running(world)


@given(
    some.services(),
    st.lists(some.rules, max_size=2),
    st.lists(some.requests, max_size=2),
    st.lists(some.moments, min_size=1, max_size=3, unique=True),
)
def test_a_controller_that_is_told_to_stop_leaves_nothing_half_done(
    service: ServiceSpec, rules: list[Rule], requests: list[Interruption], stops: list[float]
) -> None:
    """It finishes what is in flight; the next one goes on, as often as that happens."""
    world = World(service)
    world.deploy()
    for rule in rules:
        world.behave(rule.behaviour, image=rule.image, slot=rule.slot, generation=rule.generation)
    for each in requests:
        world.at(each.at, partial(each.happen, world))
    world.update(image="v2")

    for at in sorted(stops):
        world.run_for(max(at - world.now, 0.0))
        world.stopping = True
        world.until(lambda: world.decision is not None and world.is_idle, within_s=900)
        world.controller_dies()
        world.stopping = False
    world.run_for(max(50.0 - world.now, 0.0))
    world.until_at_rest(within_s=900)

    assert world.revision.last_mark in ("completed", "paused", "failed")


@given(some.services(), some.good, some.good)
def test_an_update_is_the_same_whoever_watches(
    service: ServiceSpec, before: Behaviour, after: Behaviour
) -> None:
    """Supervised or not: the same engine calls in the same order at the same times."""
    traces = []
    for supervised in (False, True):
        world = World(_patient(service), usual=before, supervised=supervised).deploy()
        world.behave(after, image="v2")
        world.update(image="v2")
        world.until_at_rest(within_s=900)
        traces.append(world.timed())

    assert traces[0] == traces[1]


@given(
    some.services(restart=some.endless),
    some.good,
    st.lists(some.disturbances, min_size=1, max_size=6),
)
def test_supervised_whatever_goes_down_comes_back(
    service: ServiceSpec, behaviour: Behaviour, disturbances: list[Interruption]
) -> None:
    """After the update, with a policy that knows no end: every slot runs what is asked for."""
    world = World(_patient(service), usual=behaviour, supervised=True)
    world.deploy()
    for each in disturbances:
        world.at(each.at, partial(each.happen, world))

    world.run_for(50.0)
    world.until(lambda: world.is_idle and len(world.images) == service.slots, within_s=900)
    world.until_at_rest(within_s=900)

    _assert_everything_is_as_asked(world)


@given(
    some.services(),
    st.lists(some.rules, max_size=3),
    st.lists(st.one_of(some.requests, some.disturbances), max_size=5),
)
def test_supervised_every_update_ends(
    service: ServiceSpec, rules: list[Rule], interruptions: list[Interruption]
) -> None:
    """The update comes to its end, though a slot that fails for ever is tried for ever."""
    world = World(service, supervised=True)
    world.deploy()
    for rule in rules:
        world.behave(rule.behaviour, image=rule.image, slot=rule.slot, generation=rule.generation)
    for each in interruptions:
        world.at(each.at, partial(each.happen, world))

    world.update(image="v2")
    world.run_for(50.0)
    world.until(lambda: world.revision.last_mark in ("completed", "paused", "failed"), 900)


@given(
    some.services(),
    st.sampled_from([0.5, 2.0, 20.0]),
    st.integers(1, 3),
    st.sampled_from([0.0, 1.0, 5.0]),
)
def test_supervised_no_slot_is_restarted_more_often_than_allowed(
    service: ServiceSpec, lives_s: float, most: int, delay_s: float
) -> None:
    """One start and `max_attempts` restarts, Docker's own counted, however long each life was."""
    policy = RestartPolicy(delay_s=delay_s, max_attempts=most)
    service = replace(service, task=replace(service.task, restart=policy))
    world = World(service, usual=Behaviour(exits_after_s=lives_s), supervised=True)

    world.record()
    world.run_for(600.0)

    starts = Counter(line.split()[1] for line in world.trace("start"))
    assert set(starts.values()) <= {1 + most}, world.story()
    assert not world.up()

"""The controller dies at every step of a run, one after the other, and another goes on.

Of the actions that it had decided on, it has asked the engine for the first few, or none; what it
had asked for before is carried out.  Whoever comes next knows only what can be seen, and must come
to the same end.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from rollout.engine.simulated.faults import FOR_EVER, Behaviour
from rollout.model.spec import FailureAction, Order, RestartCondition, RestartPolicy, UpdateConfig
from tests.scenarios.world import HEALTHCHECK, World, spec

NEVER = RestartPolicy(condition=RestartCondition.NONE)


def stop_first() -> World:
    world = World(spec(4, update=UpdateConfig(parallelism=2, delay_s=2)))
    world.deploy().update(image="v2")
    return world


def start_first() -> World:
    cadence = UpdateConfig(parallelism=2, delay_s=2, order=Order.START_FIRST)
    world = World(spec(3, healthcheck=HEALTHCHECK, update=cadence))
    world.deploy().update(image="v2")
    return world


def slow_to_stop() -> World:
    world = World(spec(3), usual=Behaviour(ignores_term=True))
    world.deploy().update(image="v2")
    return world


def scaled_and_updated() -> World:
    world = World(spec(2, update=UpdateConfig(delay_s=1)))
    world.deploy().update(image="v2", replicas=4)
    return world


def scaled_down() -> World:
    world = World(spec(5))
    world.deploy().scale(2)
    return world


def first_deployment() -> World:
    world = World(spec(3, healthcheck=HEALTHCHECK))
    world.record()
    return world


def paused_by_a_failure() -> World:
    world = World(spec(3, restart=NEVER, update=UpdateConfig(delay_s=2)))
    world.behave(Behaviour(exits_after_s=1.0), image="v2", slot=2)
    world.deploy().update(image="v2")
    return world


def rolled_back() -> World:
    cadence = UpdateConfig(delay_s=6, failure_action=FailureAction.ROLLBACK)
    world = World(spec(3, restart=NEVER, update=cadence))
    world.behave(Behaviour(exits_after_s=1.0), image="v2", slot=2)
    world.deploy().update(image="v2")
    return world


def continued_to_the_last_healthy() -> World:
    cadence = UpdateConfig(delay_s=6, failure_action=FailureAction.CONTINUE)
    world = World(spec(3, restart=NEVER, update=cadence))
    world.behave(Behaviour(exits_after_s=1.0), image="v2")
    world.deploy().update(image="v2")
    return world


def without_an_image() -> World:
    world = World(spec(2, progress_deadline_s=20.0))
    world.behave(Behaviour(prepare_failures=FOR_EVER), image="v2")
    world.deploy().update(image="v2")
    return world


def never_healthy_beside_the_old() -> World:
    cadence = UpdateConfig(order=Order.START_FIRST)
    world = World(spec(2, healthcheck=HEALTHCHECK, update=cadence, progress_deadline_s=20.0))
    world.behave(Behaviour(healthy_after_s=None), image="v2")
    world.deploy().update(image="v2")
    return world


def end_of(world: World) -> tuple[object, ...]:
    """How it all ended, but for times and the tasks' own ids."""
    message = re.sub(r"[0-9a-f]{25}", "ID", world.message)
    live = sorted((task.slot, task.image, task.running, task.armed) for task in world.up())
    return (world.state, message, world.revision.number, world.revision.last_mark, live)


@pytest.mark.parametrize(
    "scenario",
    [
        stop_first,
        start_first,
        slow_to_stop,
        scaled_and_updated,
        scaled_down,
        first_deployment,
        paused_by_a_failure,
        rolled_back,
        continued_to_the_last_healthy,
        without_an_image,
        never_healthy_beside_the_old,
    ],
    ids=lambda scenario: scenario.__name__.replace("_", " "),
)
def test_every_prefix_comes_to_the_same_end(scenario: Callable[[], World]) -> None:
    """Interrupted at each look in turn."""
    undisturbed = scenario()
    began = undisturbed.looks
    undisturbed.until_at_rest()

    for look in range(began + 1, undisturbed.looks + 1):
        world = scenario()
        world.crash_at = frozenset({look})
        world.until_at_rest()
        assert end_of(world) == end_of(undisturbed), f"dead at look {look}:\n{world.story()}"

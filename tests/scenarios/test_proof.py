"""Complete, and exit code 0, is what was seen to run: whatever came before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollout.controller.outcome import exit_code
from rollout.decide.run import was_proved
from rollout.model.spec import FailureAction, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import MarkKind
from tests.scenarios.world import HEALTHCHECK, Behaviour, World, spec

CRASHES = Behaviour(exits_after_s=1.0, exit_code=3)
PACE = UpdateConfig(monitor_s=3.0)
NEVER = RestartPolicy(condition=RestartCondition.NONE)

Again = Callable[[World], None]
AGAIN = {
    "resume": World.resume,
    "another cadence": lambda world: world.cadence(delay_s=1.0),
    "another label": lambda world: world.update(labels={"a": "b"}),
    "scaled": lambda world: world.scale(2),
}


def code(world: World) -> int:
    return exit_code([world.status])


def paused_on_a_crash_loop(replicas: int = 1, pace: UpdateConfig = PACE) -> World:
    """Docker restarts the failed task over and over, since nobody watches any more."""
    world = World(spec(replicas, update=pace)).deploy()
    world.behave(CRASHES, image="v2", slot=1)
    world.update(image="v2")
    world.until_at_rest()
    assert (world.state, code(world)) == ("paused", 3)
    return world


@pytest.mark.parametrize("after_s", [0.5, 1.05, 2.0, 4.7, 30.0, 90.0, 300.0])
@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_a_crash_loop_is_not_complete_however_it_is_asked_for(again: Again, after_s: float) -> None:
    """What Docker restarts is no proof: it is taken back, or replaced, and judged anew."""
    world = paused_on_a_crash_loop()
    world.run_for(after_s)

    again(world)
    world.until_at_rest()

    assert (world.state, code(world)) == ("paused", 3)
    history = world.revisions
    assert not any(was_proved(history, at) for at in range(1, len(history)))


def test_a_rollback_never_goes_to_a_crash_loop() -> None:
    """v2 was asked for twice and never ran: v3 goes back to v1."""
    world = paused_on_a_crash_loop()
    world.resume()
    world.until_at_rest()
    world.behave(CRASHES, image="v3")

    world.update(
        image="v3", update=UpdateConfig(monitor_s=3.0, failure_action=FailureAction.ROLLBACK)
    )
    world.until_at_rest()

    assert world.images == {1: "v1"}
    assert (world.state, code(world)) == ("rollback_completed", 4)


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_what_has_recovered_is_complete_once_it_was_watched(again: Again) -> None:
    """Its database is back: the crash loop ends by itself, and is seen to."""
    world = paused_on_a_crash_loop()
    world.run_for(2.0)
    world.recover()
    world.run_for(2.5)
    (task,) = world.up(1)
    assert task.restarts

    again(world)
    world.until_at_rest()

    assert (world.state, code(world)) == ("completed", 0)
    assert world.clock.now() - (task.running_since or 0.0) >= 3.0


def test_slots_of_a_paused_update_go_on_when_the_crash_loop_was_seen_to() -> None:
    """It counts as a task of the batch: the next one is `delay` away."""
    world = paused_on_a_crash_loop(3, UpdateConfig(monitor_s=3.0, delay_s=2.0))
    world.run_for(1.5)

    world.resume()
    world.until_at_rest()

    assert world.state == "paused"
    assert {slot: world.images.get(slot) for slot in (2, 3)} == {2: "v1", 3: "v1"}


def test_a_first_deployment_that_failed_is_not_complete_with_another_label() -> None:
    """Nothing of it can be started: 1, and 1 again."""
    world = World(spec(1, update=PACE), usual=Behaviour(start_error="no such file"))
    world.deploy()
    assert code(world) == 1

    world.update(labels={"a": "b"})
    world.until_at_rest()

    assert code(world) != 0
    assert world.revision.last_mark is not MarkKind.COMPLETED


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_what_was_killed_for_good_is_started_by_whatever_is_asked_for(again: Again) -> None:
    """Under the policy none nothing else would."""
    world = World(spec(1, restart=NEVER)).deploy()
    world.crash(1)
    world.run_for(10.0)
    assert (world.images, code(world)) == ({}, 1)

    again(world)
    world.until_at_rest()

    assert (set(world.images.values()), code(world)) == ({"v1"}, 0)


def test_what_is_at_rest_can_be_only_looked_at() -> None:
    """Somebody has taken it down: `status --wait` says so, and does nothing."""
    world = World(spec(2)).deploy()
    world.tends = False
    world.remove_by_hand(1)
    world.remove_by_hand(2)

    world.until_at_rest()

    assert (world.images, code(world)) == ({}, 1)
    assert (world.decision and world.decision.actions, world.now) == ((), 0.0)
    assert world.status.has_fallen


def test_what_runs_no_more_is_not_0_whatever_the_mark_says() -> None:
    """A ratio allows the failure, not the claim that all of it runs."""
    world = World(spec(3, restart=NEVER, update=UpdateConfig(max_failure_ratio=0.5))).deploy()
    world.behave(CRASHES, image="v2", slot=2)

    world.update(image="v2")
    world.until_at_rest()

    assert (world.state, code(world)) == ("completed", 1)
    assert [slot.slot for slot in world.status.down] == [2]


def test_unhealthy_in_the_end_is_not_0() -> None:
    """Complete long ago, unhealthy now."""
    world = World(spec(1, healthcheck=HEALTHCHECK), usual=Behaviour(healthy_after_s=1.0)).deploy()
    assert code(world) == 0

    world.sicken(1)
    world.run_for(1.0)

    assert code(world) == 1


def test_no_replicas_are_all_there_but_prove_nothing() -> None:
    """0 of 0 is as asked for; an automatic rollback does not go to what never ran."""
    world = World(spec(0)).deploy()
    assert code(world) == 0
    world.behave(CRASHES, image="v2")

    world.update(image="v2", replicas=1, update=UpdateConfig(failure_action=FailureAction.ROLLBACK))
    world.until_at_rest()

    assert code(world) not in (0, 4)

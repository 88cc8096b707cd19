"""Jobs: tasks that end with 0 and have then done what they are for, waited for or not."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.model.spec import FailureAction, RestartCondition, RestartPolicy
from rollout.model.state import MarkKind, TaskState
from tests.scenarios.world import HEALTHCHECK, Behaviour, UpdateConfig, World, spec

NEVER = RestartPolicy(condition=RestartCondition.NONE)
ON_FAILURE = RestartPolicy(condition=RestartCondition.ON_FAILURE, delay_s=1.0)
ALWAYS = RestartPolicy(delay_s=1.0)
DAY_S = 86_400.0

DONE = Behaviour(exits_after_s=0.5, exit_code=0)
SLOW = Behaviour(exits_after_s=60.0, exit_code=0)


def _job(behaviour: Behaviour = DONE, *, replicas: int = 1, **fields: Any) -> World:
    return World(spec(replicas=replicas, **fields), usual=behaviour)


def _is_done(world: World, count: int = 1) -> bool:
    status = world.status
    return (
        status.outcome is MarkKind.COMPLETED
        and (status.completed, status.desired, status.running) == (count, count, 0)
        and all(slot.state is TaskState.COMPLETE and slot.updated for slot in status.slots)
    )


@pytest.mark.parametrize("restart", [ALWAYS, NEVER, ON_FAILURE], ids=lambda p: p.condition)
@pytest.mark.parametrize("supervised", [False, True])
def test_a_one_shot_that_ends_with_0_is_complete_and_stays_so(
    restart: RestartPolicy, supervised: bool
) -> None:
    """Where the file says nothing (any), or that nothing restarts it: started once, for good."""
    world = World(spec(replicas=1, restart=restart), usual=DONE, supervised=supervised)
    world.record()
    world.until_at_rest()

    assert _is_done(world)
    assert world.now < 3.0
    world.run_for(DAY_S)
    assert world.trace("start") == ["start web.1 v1"]
    assert not any(task.armed for task in world.tasks)


def test_what_was_assumed_is_said() -> None:
    """Only where the file says nothing about restarts."""
    unsaid, said = _job().deploy(), _job(restart=NEVER).deploy()

    assert unsaid.status.slots[0].note == "taken for a job, as its file says nothing about restarts"
    assert said.status.slots[0].note == ""


def test_where_the_file_says_that_it_is_restarted_it_has_failed() -> None:
    world = _job(restart_said=True).deploy()

    assert world.status.outcome is MarkKind.FAILED
    assert world.status.completed == 0


@pytest.mark.parametrize("restart", [ALWAYS, NEVER, ON_FAILURE], ids=lambda p: p.condition)
def test_in_the_place_of_tasks_that_ran_on_it_has_failed(restart: RestartPolicy) -> None:
    """As in Swarm: an update took a service down, whatever the exit code."""
    world = World(spec(replicas=2, restart=restart)).deploy()
    world.behave(DONE, image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"


def test_another_definition_is_run_the_same_one_is_not() -> None:
    """Twice; under another cadence nothing is run; a rollback runs the earlier one again."""
    world = _job().deploy()

    world.update(image="v2")
    world.until_at_rest()
    assert _is_done(world)
    world.cadence(parallelism=2)
    world.until_at_rest()
    assert _is_done(world)
    world.rollback(to=1)
    world.until_at_rest()

    assert _is_done(world)
    assert world.trace("start") == ["start web.1 v2", "start web.1 v1"]


def test_one_that_others_wait_for_is_complete_when_it_has_ended() -> None:
    """However short its monitor window is."""
    world = _job(SLOW, completes=True, restart=NEVER)
    world.record()

    world.run_for(30.0)
    assert not world.status.at_rest
    assert world.status.waiting_for == "web.1 to complete"
    world.until_at_rest()

    assert 60.0 < world.now < 62.0
    assert _is_done(world)


@pytest.mark.parametrize("restart", [ALWAYS, NEVER, ON_FAILURE], ids=lambda p: p.condition)
def test_one_that_others_wait_for_fails_at_any_time(restart: RestartPolicy) -> None:
    """Long after its monitor window, in a first deployment and in an update."""
    late = Behaviour(exits_after_s=60.0, exit_code=7)
    first = _job(late, completes=True, restart=restart).deploy()
    update = _job(completes=True, restart=restart).deploy()
    update.behave(late, image="v2")
    update.update(image="v2")
    update.until_at_rest()

    assert first.status.outcome is MarkKind.FAILED
    assert update.state == "paused"
    assert update.status.failures[0].reason == "exited 7 60.0s after start"


def test_a_failing_one_is_rolled_back_by_running_the_one_before() -> None:
    world = _job(
        completes=True, restart=NEVER, update=UpdateConfig(failure_action=FailureAction.ROLLBACK)
    ).deploy()
    world.behave(Behaviour(exits_after_s=60.0, exit_code=7), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "rollback_completed"
    assert world.trace("start") == ["start web.1 v2", "start web.1 v1"]
    assert _is_done(world)


@pytest.mark.parametrize("parallelism", [0, 1, 2])
@pytest.mark.parametrize("completes", [False, True])
def test_several_replicas(parallelism: int, completes: bool) -> None:
    """Each slot runs it once, batch by batch in an update."""
    cadence = UpdateConfig(parallelism=parallelism, delay_s=1.0)
    world = _job(replicas=3, completes=completes, update=cadence).deploy()
    assert _is_done(world, 3)

    world.update(image="v2")
    world.until_at_rest()

    assert _is_done(world, 3)
    assert world.trace("start") == [f"start web.{slot} v2" for slot in (1, 2, 3)]


def test_of_several_what_was_done_is_not_run_again_with_what_failed() -> None:
    """Neither while paused, nor when it is tried again; the old definition is not run, either."""
    world = _job(replicas=3, restart=NEVER, update=UpdateConfig(monitor_s=5.0)).deploy()
    world.behave(Behaviour(exits_after_s=0.5, exit_code=1), image="v2", slot=2, generation=1)

    world.update(image="v2")
    world.until_at_rest()
    assert world.state == "paused"
    world.run_for(DAY_S)
    world.resume()
    world.until_at_rest()

    assert _is_done(world, 3)
    assert world.trace("start") == [f"start web.{slot} v2" for slot in (1, 2, 3, 2)]


def test_one_of_several_that_runs_on_says_that_it_is_no_job() -> None:
    """Nothing is said about restarts: two end, the third one serves."""
    world = World(spec(replicas=3))
    world.behave(DONE, slot=1)
    world.record()
    world.until_at_rest()

    assert world.status.outcome is MarkKind.FAILED


def test_one_that_ends_before_its_healthcheck_has_passed() -> None:
    world = _job(restart=NEVER, healthcheck=HEALTHCHECK).deploy()

    assert _is_done(world)
    world.run_for(DAY_S)
    assert _is_done(world)


def test_one_whose_container_was_tidied_away_is_not_run_again() -> None:
    """`docker container prune`; more replicas are more runs all the same."""
    world = _job(replicas=2).deploy()

    world.remove_by_hand(1)
    world.run_for(60.0)
    assert _is_done(world, 2)
    assert world.trace("start") == []
    world.scale(3)
    world.until_at_rest()

    assert _is_done(world, 3)
    assert world.trace("start").count("start web.3 v1") == 1


def test_interrupted_docker_does_not_start_it_again() -> None:
    """Ctrl-C while it runs: what is left to Docker is not started again once it has ended well."""
    world = _job(Behaviour(exits_after_s=3.0, exit_code=0))
    world.record()
    world.until(lambda: bool(world.up()))

    world.stopping = True
    world.run_for(DAY_S)
    world.stopping = False
    world.until_at_rest()

    assert _is_done(world)
    assert world.trace("start") == ["start web.1 v1"]


@pytest.mark.parametrize("crash_at", range(1, 12))
@pytest.mark.parametrize("completes", [False, True])
def test_killed_at_any_look_it_is_run_once(crash_at: int, completes: bool) -> None:
    world = World(
        spec(replicas=2, completes=completes), usual=DONE, crash_at=frozenset({crash_at})
    ).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert _is_done(world, 2)
    assert sorted(world.trace("start")) == ["start web.1 v2", "start web.2 v2"]

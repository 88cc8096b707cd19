"""What `rollout controller` adds to an update that is over: it watches on, for ever."""

from __future__ import annotations

import pytest

from rollout.engine.simulated.faults import FOR_EVER
from rollout.model.spec import Order, RestartCondition, RestartPolicy, ServiceSpec
from tests.scenarios.world import HEALTHCHECK, Behaviour, UpdateConfig, World, spec

DELAY = RestartPolicy(delay_s=5.0)


def _watched(service: ServiceSpec, usual: Behaviour | None = None) -> World:
    return World(service, usual=usual, supervised=True).deploy()


def test_an_unhealthy_task_is_replaced_after_the_restart_delay() -> None:
    """Though it is Docker's to restart, which looks at exit codes alone."""
    world = _watched(spec(replicas=2, healthcheck=HEALTHCHECK, restart=DELAY))
    assert all(task.armed for task in world.tasks)

    world.at(1.0, lambda: world.sicken(2))
    world.run_for(20.0)

    assert world.timed("kill", "die", "start") == [
        "1.0 kill web.2 v1",
        "1.1 die web.2 v1 (143)",
        "6.3 start web.2 v1",
    ]
    assert world.images == {1: "v1", 2: "v1"}


def test_unsupervised_an_unhealthy_task_of_a_finished_update_is_left_to_docker() -> None:
    world = World(spec(replicas=1, healthcheck=HEALTHCHECK, restart=DELAY)).deploy()

    world.at(1.0, lambda: world.sicken(1))
    world.run_for(60.0)

    assert world.trace("kill", "die", "start") == []


def test_a_removed_container_is_replaced() -> None:
    world = _watched(spec(replicas=2, restart=DELAY))

    world.at(1.0, lambda: world.remove_by_hand(1))
    world.run_for(20.0)

    assert world.timed("start") == ["1.3 start web.1 v1"]
    assert world.images == {1: "v1", 2: "v1"}


def test_the_first_restart_is_dockers_and_all_others_keep_delay_and_attempts() -> None:
    """It ends 20 s after each start, long after its monitor window: three lives, no fourth."""
    policy = RestartPolicy(delay_s=5.0, max_attempts=2)
    world = _watched(spec(replicas=1, restart=policy), Behaviour(exits_after_s=20.0))

    world.run_for(300.0)

    assert [line.split()[1] for line in world.timed("start", "die")] == [
        *("die", "start"),
        *("die", "start"),
        "die",
    ]
    first, by_docker, second, by_us, _ = (
        float(line.split()[0]) for line in world.timed("start", "die")
    )
    assert by_docker - first == pytest.approx(0.1)
    assert by_us - second == pytest.approx(5.2)
    assert not world.up()


def test_attempts_are_counted_within_the_window() -> None:
    """Twenty seconds are over between two ends, so one attempt in ten is never used up."""
    policy = RestartPolicy(delay_s=1.0, max_attempts=1, window_s=10.0)
    world = _watched(spec(replicas=1, restart=policy), Behaviour(exits_after_s=20.0))

    world.run_for(300.0)

    assert len(world.trace("start")) >= 12


def test_attempts_within_the_window_are_used_up() -> None:
    policy = RestartPolicy(delay_s=1.0, max_attempts=3, window_s=1000.0)
    world = _watched(spec(replicas=1, restart=policy), Behaviour(exits_after_s=20.0))

    world.run_for(600.0)

    assert len(world.trace("start")) == 3


@pytest.mark.parametrize(
    ("condition", "code", "restarted"),
    [
        (RestartCondition.NONE, 1, False),
        (RestartCondition.ON_FAILURE, 0, False),
        (RestartCondition.ON_FAILURE, 3, True),
        (RestartCondition.ANY, 0, True),
    ],
)
def test_the_condition_is_kept(condition: RestartCondition, code: int, restarted: bool) -> None:
    """Also for ends long after the update."""
    policy = RestartPolicy(condition=condition, delay_s=2.0)
    world = _watched(spec(replicas=1, restart=policy))

    world.at(100.0, lambda: world.crash(1, code))
    world.run_for(120.0)

    assert bool(world.up()) is restarted


def test_what_cannot_be_made_ready_is_tried_for_ever() -> None:
    """The container is lost and its image too: a day later, the pauses still 30 s."""
    world = _watched(spec(replicas=1, progress_deadline_s=60.0))
    world.behave(Behaviour(prepare_failures=2900))

    world.at(1.0, lambda: world.remove_by_hand(1))
    world.run_for(86_400.0)

    assert world.images == {}
    world.run_for(4_000.0)
    assert world.images == {1: "v1"}


def test_unsupervised_it_is_tried_until_the_deadline() -> None:
    world = World(spec(replicas=1, progress_deadline_s=60.0)).deploy()
    world.behave(Behaviour(prepare_failures=FOR_EVER))

    world.at(1.0, lambda: world.remove_by_hand(1))
    world.run_for(200.0)

    assert world.decision is not None
    assert world.decision.status.at_rest


@pytest.mark.parametrize("order", list(Order))
def test_while_paused_an_old_task_is_replaced_by_an_old_one(order: Order) -> None:
    """Unhealthy, crashed or removed; the failed definition is kept to the slot that had it."""
    cadence = UpdateConfig(monitor_s=1.0, order=order)
    service = spec(replicas=4, healthcheck=HEALTHCHECK, restart=DELAY, update=cadence)
    world = _watched(service)
    world.behave(Behaviour(exits_after_s=0.5), image="v2")

    world.update(image="v2")
    world.until(lambda: world.state == "paused")
    world.run_for(10.0)
    world.sicken(2)
    world.crash(3)
    world.remove_by_hand(4)
    world.run_for(60.0)

    assert world.state == "paused"
    assert {slot: image for slot, image in world.images.items() if slot > 1} == {
        2: "v1",
        3: "v1",
        4: "v1",
    }


def test_start_first_paused_the_old_task_of_the_failed_slot_is_replaced_by_an_old_one() -> None:
    """It was kept beside the failed one, and served to its end."""
    cadence = UpdateConfig(monitor_s=1.0, order=Order.START_FIRST)
    world = _watched(spec(replicas=2, healthcheck=HEALTHCHECK, restart=DELAY, update=cadence))
    world.behave(Behaviour(exits_after_s=0.5), image="v2")
    world.update(image="v2")
    world.until(lambda: world.state == "paused")
    world.run_for(10.0)

    world.sicken(1)
    world.run_for(60.0)

    assert world.images == {1: "v1", 2: "v1"}


def test_told_to_stop_it_hands_everything_to_docker() -> None:
    """What it took back too: Docker keeps it alive until the next controller."""
    world = _watched(spec(replicas=1, restart=DELAY))
    world.crash(1)
    world.run_for(1.0)
    assert not world.tasks[0].armed

    world.stopping = True
    world.look()
    world.until(lambda: world.decision is not None and world.is_idle)

    assert world.tasks[0].armed


def test_a_task_that_could_not_be_started_is_tried_again() -> None:
    """Its port was taken, for longer than any command waits."""
    world = _watched(spec(replicas=1, restart=DELAY))
    world.behave(Behaviour(start_error="port is already allocated"), generation=2)
    world.behave(Behaviour(start_error="port is already allocated"), generation=3)

    world.at(1.0, lambda: world.remove_by_hand(1))
    world.run_for(30.0)

    assert world.images == {1: "v1"}

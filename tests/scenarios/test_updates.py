"""Updates that go well: order, batches, delay, monitor, what counts as a change.

Numbers such as s01 name recordings of Docker Swarm doing the same; where we do better on purpose,
the docstring says so.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rollout.engine.simulated.faults import Behaviour
from rollout.model.spec import Order, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import MarkKind
from tests.scenarios.world import HEALTHCHECK, World, spec


def test_slots_one_by_one_with_a_delay() -> None:
    """s01: each slot is stopped, started, waited for; done a delay and a monitor after the last."""
    world = World(spec(3, update=UpdateConfig(delay_s=2, monitor_s=1))).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("kill", "die", "start") == [
        "0.1 kill web.1 v1",
        "0.2 die web.1 v1 (143)",
        "0.4 start web.1 v2",
        "2.4 kill web.2 v1",
        "2.5 die web.2 v1 (143)",
        "2.7 start web.2 v2",
        "4.7 kill web.3 v1",
        "4.8 die web.3 v1 (143)",
        "5.0 start web.3 v2",
    ]
    # The delay is not shorter than the monitor, so the last one is watched for delay + 1 s.
    assert world.now == pytest.approx(5.0 + 2 + 3)
    assert (world.state, world.message) == ("completed", "update completed")


def test_two_at_a_time() -> None:
    """s02: five slots in batches of two, the next one begun a delay after the one before."""
    world = World(spec(5, update=UpdateConfig(parallelism=2, delay_s=2, monitor_s=1))).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("kill") == [
        "0.1 kill web.1 v1",
        "0.1 kill web.2 v1",
        "2.4 kill web.3 v1",
        "2.4 kill web.4 v1",
        "4.7 kill web.5 v1",
    ]


def test_a_batch_is_as_slow_as_its_slowest() -> None:
    """A batch, not a sliding window as in Swarm: all are through before the next is begun."""
    world = World(spec(4, update=UpdateConfig(parallelism=2))).deploy()
    world.behave(Behaviour(start_s=5.0), image="v2", slot=1)

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("kill")[2:] == ["5.2 kill web.3 v1", "5.2 kill web.4 v1"]


def test_parallelism_zero_is_all_at_once() -> None:
    """s10: every slot in one batch."""
    world = World(spec(4, update=UpdateConfig(parallelism=0))).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert len([each for each in world.timed("kill") if each.startswith("0.1 ")]) == 4


def test_nothing_is_stopped_before_the_whole_batch_is_ready() -> None:
    """A slow pull in one slot keeps the old tasks of the batch running."""
    world = World(spec(2, update=UpdateConfig(parallelism=2))).deploy()
    world.behave(Behaviour(prepare_s=30.0), image="v2", slot=2)

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("create", "kill")[:3] == [
        "0.1 create web.1 v2",
        "30.0 create web.2 v2",
        "30.0 kill web.1 v1",
    ]


def test_the_next_batch_is_made_ready_meanwhile() -> None:
    """A pull of 3 s disappears in a delay of 5 s."""
    world = World(spec(2, update=UpdateConfig(delay_s=5))).deploy()
    world.behave(Behaviour(prepare_s=3.0), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("create", "kill") == [
        "3.0 create web.1 v2",
        "3.0 kill web.1 v1",
        "6.1 create web.2 v2",
        "8.3 kill web.2 v1",
    ]


def test_running_means_healthy() -> None:
    """s11: the next slot waits until the healthcheck has passed, not only until the start."""
    world = World(spec(2, healthcheck=HEALTHCHECK)).deploy()
    world.behave(Behaviour(healthy_after_s=20.0), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("kill") == ["0.1 kill web.1 v1", "20.4 kill web.2 v1"]


def test_start_first_keeps_the_old_until_the_new_is_healthy() -> None:
    """s11: start, healthy, only then stop; each slot is never without a task that runs."""
    cadence = UpdateConfig(order=Order.START_FIRST, delay_s=1)
    world = World(spec(2, healthcheck=HEALTHCHECK, update=cadence)).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert world.trace("start", "healthy", "kill") == [
        "start web.1 v2",
        "healthy web.1 v2",
        "kill web.1 v1",
        "start web.2 v2",
        "healthy web.2 v2",
        "kill web.2 v1",
    ]
    assert world.images == {1: "v2", 2: "v2"}


def test_start_first_does_not_wait_for_the_old_to_end() -> None:
    """s47: the next slot begins though the old task ignores TERM, and the update is completed a
    monitor after the last; but at rest it is when all are gone."""
    world = World(
        spec(2, update=UpdateConfig(order=Order.START_FIRST, monitor_s=1)),
        usual=Behaviour(ignores_term=True),
    ).deploy()

    world.update(image="v2")
    world.until(lambda: world.state == "completed")
    assert world.now == pytest.approx(2.0)
    world.until_at_rest()

    assert world.timed("start", "die") == [
        "0.3 start web.1 v2",
        "1.0 start web.2 v2",
        "10.8 die web.1 v1 (137)",
        "11.5 die web.2 v1 (137)",
    ]
    assert world.now >= 10.6


def test_a_long_grace_is_waited_for() -> None:
    """s27: Swarm starts the new one after 60 s beside the old; here never two under stop-first."""
    world = World(spec(1, stop_grace_s=75.0), usual=Behaviour(ignores_term=True)).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("die", "start") == ["75.1 die web.1 v1 (137)", "75.3 start web.1 v2"]


def test_a_longer_grace_is_for_the_old_tasks_too() -> None:
    """Also for what is scaled away by the same command."""
    world = World(spec(2, stop_grace_s=10.0), usual=Behaviour(stop_s=15.0)).deploy()

    world.update(stop_grace_s=30.0, replicas=1)
    world.until_at_rest()

    assert sorted(world.trace("die")) == ["die web.1 v1 (143)", "die web.2 v1 (143)"]


def test_a_shorter_grace_is_for_the_new_tasks() -> None:
    """What was started with the promise of more has it, in a rollback too."""
    world = World(spec(1, stop_grace_s=10.0), usual=Behaviour(stop_s=15.0)).deploy()
    world.update(image="v2", stop_grace_s=30.0)
    world.until_at_rest()
    world.afresh()

    world.rollback()
    world.until_at_rest()

    assert world.timed("die") == ["15.1 die web.1 v2 (143)"]


def test_asking_for_the_same_is_no_revision() -> None:
    """s21: Swarm forgets what to roll back to; here nothing changes at all."""
    world = World(spec(2)).deploy()
    world.update(image="v2")
    world.until_at_rest()
    world.afresh()

    world.update(image="v2")
    world.until_at_rest()

    assert [revision.number for revision in world.revisions] == [1, 2]
    assert world.trace() == []


def test_cadence_and_labels_replace_no_task() -> None:
    """s22: a revision each, no task touched, and no update to be seen."""
    world = World(spec(2)).deploy()

    world.ask_for(replace(world.spec, labels={"a": "b"}))
    world.until_at_rest()
    world.cadence(parallelism=2)
    world.until_at_rest()

    assert world.trace() == []
    assert (world.state, world.message) == (None, "")
    assert world.revision.last_mark is MarkKind.COMPLETED


def test_a_first_deployment_is_not_an_update() -> None:
    """All slots at once, whatever the parallelism; no update state, as in Swarm."""
    world = World(spec(3))

    world.record()
    world.until_at_rest()

    assert world.timed("start") == [
        "0.3 start web.1 v1",
        "0.3 start web.2 v1",
        "0.3 start web.3 v1",
    ]
    assert world.state is None


def test_tasks_that_were_watched_are_handed_to_docker() -> None:
    """Restart policies are set one by one, each after its window, and never before."""
    world = World(spec(2, update=UpdateConfig(monitor_s=3))).deploy()

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("start", "update") == [
        "0.4 start web.1 v2",
        "0.7 start web.2 v2",
        "3.4 update web.1 v2",
        "3.7 update web.2 v2",
    ]


def test_history_is_kept_within_its_limit() -> None:
    """Five tasks a slot, the live one included."""
    world = World(spec(1)).deploy()

    for number in range(2, 9):
        world.update(image=f"v{number}")
        world.until_at_rest()

    assert [task.image for task in world.tasks] == ["v4", "v5", "v6", "v7", "v8"]


def test_a_task_that_is_down_is_replaced_first() -> None:
    """What does not run cannot be missed: slot 3 before 1 and 2."""
    world = World(spec(3, restart=RestartPolicy(condition=RestartCondition.NONE))).deploy()
    world.crash(3)

    world.update(image="v2")
    world.until_at_rest()

    assert world.trace("start") == ["start web.3 v2", "start web.1 v2", "start web.2 v2"]


def test_a_task_that_is_unhealthy_is_replaced_before_healthy_ones() -> None:
    """Slot 2 is up but not well."""
    world = World(spec(3, healthcheck=HEALTHCHECK)).deploy()
    world.sicken(2)

    world.update(image="v2")
    world.until_at_rest()

    assert world.trace("start") == ["start web.2 v2", "start web.1 v2", "start web.3 v2"]

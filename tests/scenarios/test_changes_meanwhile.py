"""What is asked for while an update is under way: definitions, scale, cadence, rollback, pause.

Numbers such as s20 name recordings of Docker Swarm doing the same; where we do better on purpose,
the docstring says so.
"""

from __future__ import annotations

import pytest

from rollout.controller.outcome import exit_code
from rollout.engine.simulated.faults import Behaviour
from rollout.model.spec import Order, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import MarkKind
from tests.scenarios.world import HEALTHCHECK, World, spec


def test_a_new_definition_takes_over_at_once() -> None:
    """s20: slots on the first and on the half-done second definition are out of date alike."""
    world = World(spec(3, update=UpdateConfig(delay_s=2, monitor_s=1))).deploy()
    world.update(image="v2")
    world.until(lambda: world.images.get(1) == "v2")

    world.update(image="v3")
    world.until_at_rest()

    assert world.trace("start") == [
        "start web.1 v2",
        "start web.1 v3",
        "start web.2 v3",
        "start web.3 v3",
    ]
    assert world.images == {1: "v3", 2: "v3", 3: "v3"}
    assert world.state == "completed"


def test_a_slot_caught_between_old_and_new_is_filled_first() -> None:
    """s20b: its old task was being stopped for v2 when v3 came."""
    world = World(spec(3), usual=Behaviour(stop_s=5.0)).deploy()
    world.update(image="v2")
    world.until(lambda: "kill web.1 v1" in world.trace("kill"))

    world.update(image="v3")
    world.until_at_rest()

    assert world.trace("start") == ["start web.1 v3", "start web.2 v3", "start web.3 v3"]


def test_a_faster_cadence_applies_to_the_update_in_progress() -> None:
    """The delay is no longer waited for, more slots go together, and none is done twice."""
    world = World(spec(6, update=UpdateConfig(delay_s=60))).deploy()
    world.update(image="v2")
    world.until(lambda: world.images.get(1) == "v2")
    began_at = world.status.started_at

    world.cadence(delay_s=0.0, parallelism=5)
    world.until_at_rest()

    assert world.now < 10.0
    assert world.timed("kill")[1:] == [f"0.4 kill web.{slot} v1" for slot in range(2, 7)] or (
        len(world.trace("kill")) == 6
    )
    assert began_at is not None
    assert world.state == "completed"


def test_failures_before_a_change_of_cadence_still_count() -> None:
    """It is the same run: 1 of 4 before, 1 after, more than 0.25."""
    cadence = UpdateConfig(delay_s=5, max_failure_ratio=0.25)
    world = World(
        spec(4, restart=RestartPolicy(condition=RestartCondition.NONE), update=cadence)
    ).deploy()
    world.behave(Behaviour(exits_after_s=1.0), image="v2")
    world.update(image="v2")
    world.until(lambda: "die web.1 v2 (1)" in world.trace("die"))

    world.cadence(delay_s=4.0)
    world.until_at_rest()

    assert world.state == "paused"
    assert world.trace("kill") == ["kill web.1 v1", "kill web.2 v1"]


def test_scaling_up_meanwhile() -> None:
    """s23a: new slots at once, with the new definition, outside parallelism and delay."""
    world = World(spec(3, update=UpdateConfig(delay_s=3, monitor_s=1))).deploy()
    world.update(image="v2")
    world.until(lambda: world.images.get(1) == "v2")

    world.scale(5)
    world.until_at_rest()

    assert world.timed("start") == [
        "0.4 start web.1 v2",
        "0.7 start web.4 v2",
        "0.7 start web.5 v2",
        "3.7 start web.2 v2",
        "7.0 start web.3 v2",
    ]


def test_scale_and_image_together() -> None:
    """s23c: two slots are replaced one by one, two are added at once."""
    world = World(spec(2, update=UpdateConfig(delay_s=1, monitor_s=1))).deploy()

    world.update(image="v2", replicas=4)
    world.until_at_rest()

    assert world.timed("start") == [
        "0.3 start web.3 v2",
        "0.3 start web.4 v2",
        "0.4 start web.1 v2",
        "1.7 start web.2 v2",
    ]


def test_scaling_down_takes_the_highest_slots() -> None:
    """s23b: what they leave is history."""
    world = World(spec(5)).deploy()

    world.scale(2)
    world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1"}
    assert sorted(task.slot for task in world.tasks) == [1, 2, 3, 4, 5]
    assert world.trace("die") == [
        "die web.3 v1 (143)",
        "die web.4 v1 (143)",
        "die web.5 v1 (143)",
    ]


def test_scaling_down_takes_unhealthy_slots_first() -> None:
    """3 of 1 2 3 4 5 where 2 is not well: 1, 3 and 4 stay."""
    world = World(spec(5, healthcheck=HEALTHCHECK)).deploy()
    world.sicken(2)

    world.scale(3)
    world.until_at_rest()

    assert sorted(world.images) == [1, 3, 4]


def test_scaling_to_nothing_and_back() -> None:
    """Zero is a number of replicas."""
    world = World(spec(3)).deploy()

    world.scale(0)
    world.until_at_rest()
    assert not world.up()
    assert (world.status.running, world.status.total) == (0, 0)

    world.scale(2)
    world.until_at_rest()
    assert world.images == {1: "v1", 2: "v1"}
    assert sorted(task.slot for task in world.tasks) == [1, 1, 2, 2, 3]


def test_up_and_down_again_and_again_keeps_the_history_short() -> None:
    """The guard looks at each slot."""
    world = World(spec(3)).deploy()

    for count in (0, 3) * 4:
        world.scale(count)
        world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1", 3: "v1"}
    assert len(world.tasks) == 15


def test_what_failed_can_be_looked_into_after_scaling_to_nothing() -> None:
    """And what comes up later is judged by itself."""
    none = RestartPolicy(condition=RestartCondition.NONE)
    world = World(spec(2, restart=none), usual=Behaviour(exits_after_s=0.5, exit_code=3))
    world.record()
    world.until_at_rest()

    world.scale(0)
    world.until_at_rest()

    assert [task.exit_code for task in world.tasks] == [3, 3]
    world.faults.usual = Behaviour()
    world.update(image="v2", replicas=2)
    world.until_at_rest()
    assert world.images == {1: "v2", 2: "v2"}
    assert [task.exit_code for task in world.tasks if task.ended] == [3, 3]


def test_rollback_twice_is_back_and_forth() -> None:
    """s10: each pushes a copy of the definition before."""
    cadence = UpdateConfig(parallelism=0, monitor_s=1)
    world = World(spec(2, update=cadence, rollback=cadence)).deploy()
    world.update(image="v2")
    world.until_at_rest()

    world.rollback()
    assert (world.state, world.message) == ("rollback_started", "manually requested rollback")
    world.until_at_rest()
    assert world.images == {1: "v1", 2: "v1"}
    assert (world.state, world.message) == ("rollback_completed", "rollback completed")

    world.rollback()
    world.until_at_rest()
    assert world.images == {1: "v2", 2: "v2"}


def test_a_rollback_mid_update_touches_what_was_updated_only() -> None:
    """s35: two of four, together, under the rollback's parallelism of two."""
    service = spec(
        4,
        update=UpdateConfig(delay_s=2, monitor_s=1),
        rollback=UpdateConfig(parallelism=2, monitor_s=1),
    )
    world = World(service).deploy()
    world.update(image="v2")
    world.until(lambda: world.images.get(2) == "v2")
    world.run_for(0.5)

    world.afresh().rollback()
    world.until_at_rest()

    assert world.timed("kill") == ["0.1 kill web.1 v2", "0.1 kill web.2 v2"]
    assert world.images == {1: "v1", 2: "v1", 3: "v1", 4: "v1"}
    assert world.state == "rollback_completed"


def test_a_rollback_brings_replicas_and_cadence_back() -> None:
    """The whole definition, not the image alone."""
    world = World(spec(2)).deploy()
    world.update(image="v2", replicas=4)
    world.until_at_rest()

    world.rollback()
    world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1"}
    assert world.revision.spec.replicas == 2


def test_rollback_to_any_revision() -> None:
    """`--to 1` after three updates."""
    world = World(spec(1)).deploy()
    for image in ("v2", "v3", "v4"):
        world.update(image=image)
        world.until_at_rest()

    world.rollback(to=1)
    world.until_at_rest()

    assert world.images == {1: "v1"}
    assert world.revision.restores == 1


def test_pausing_finishes_what_is_in_flight() -> None:
    """The slot whose old task is being stopped gets its new one; no other is begun."""
    world = World(spec(3), usual=Behaviour(stop_s=5.0)).deploy()
    world.update(image="v2")
    world.until(lambda: "kill web.1 v1" in world.trace("kill"))

    world.pause()
    world.until_at_rest()

    assert world.images == {1: "v2", 2: "v1", 3: "v1"}
    assert (world.state, world.message) == ("paused", "paused by ann@host")
    assert not [task for task in world.tasks if task.prepared]


def test_resuming_goes_on_where_it_stopped() -> None:
    """The slots that are through are left alone."""
    world = World(spec(3, update=UpdateConfig(delay_s=2))).deploy()
    world.update(image="v2")
    world.until(lambda: world.images.get(1) == "v2")
    world.pause()
    world.until_at_rest()

    world.resume()
    world.until_at_rest()

    assert world.trace("start") == ["start web.1 v2", "start web.2 v2", "start web.3 v2"]
    assert world.state == "completed"


def test_resuming_at_once_still_waits_for_what_is_starting() -> None:
    """Paused and resumed while slot 1 was starting: slot 2 is not begun before it runs."""
    world = World(spec(3, healthcheck=HEALTHCHECK)).deploy()
    world.behave(Behaviour(healthy_after_s=20.0), image="v2")
    world.update(image="v2")
    world.until(lambda: "start web.1 v2" in world.trace("start"))

    world.pause()
    world.run_for(0.5)
    world.resume()
    world.until_at_rest()

    assert world.timed("kill")[:2] == ["0.1 kill web.1 v1", "20.4 kill web.2 v1"]
    assert world.state == "completed"


def test_ctrl_c_finishes_what_is_in_flight() -> None:
    """Told to stop: the slot begun is carried through, nothing new is begun, nothing is marked."""
    world = World(spec(3), usual=Behaviour(stop_s=5.0)).deploy()
    world.update(image="v2")
    world.until(lambda: "kill web.1 v1" in world.trace("kill"))

    world.stopping = True
    world.run_for(30.0)

    assert world.images == {1: "v2", 2: "v1", 3: "v1"}
    assert world.revision.marks == ()

    world.stopping = False
    world.until_at_rest()
    assert world.images == {1: "v2", 2: "v2", 3: "v2"}


@pytest.mark.parametrize("order", Order, ids=str)
def test_a_container_removed_by_hand_is_made_again(order: Order) -> None:
    """In the middle of an update, of the definition that is wanted; the update goes on after it."""
    world = World(spec(3, update=UpdateConfig(delay_s=5, order=order))).deploy()
    world.update(image="v2")
    world.until(lambda: world.images.get(1) == "v2")

    world.remove_by_hand(3)
    world.until_at_rest()

    assert world.images == {1: "v2", 2: "v2", 3: "v2"}
    assert world.state == "completed"


@pytest.mark.parametrize("order", Order, ids=str)
def test_a_container_removed_by_hand_after_the_update_is_made_again(order: Order) -> None:
    """Its predecessor is still there, in the slot's history: that was no reason to leave it out."""
    world = World(spec(2, update=UpdateConfig(order=order))).deploy()
    world.update(image="v2")
    world.until_at_rest()

    (removed,) = world.up(1)
    world.engine.remove_by_hand(removed)
    world.until_at_rest()

    assert world.images == {1: "v2", 2: "v2"}


def test_a_new_task_that_ends_while_its_predecessor_stops_is_restarted() -> None:
    """The update was completed meanwhile, and what ended last in the slot is the old one."""
    cadence = UpdateConfig(order=Order.START_FIRST, monitor_s=1)
    world = World(spec(1, update=cadence), usual=Behaviour(ignores_term=True)).deploy()
    world.update(image="v2")
    world.until(lambda: world.state == "completed")

    world.controller_dies()
    (new,) = (task for task in world.up(1) if task.image == "v2")
    world.engine.remove_by_hand(new)
    world.run_for(15.0)

    assert world.images == {1: "v2"}


def test_what_a_dead_controller_was_stopping_is_made_again_after_a_rollback_to_it() -> None:
    """v1 looks well until it is gone; v2, which was then stopped for it, ended after it."""
    cadence = UpdateConfig(order=Order.START_FIRST, monitor_s=1)
    service = spec(2, update=cadence, rollback=UpdateConfig(parallelism=2, monitor_s=1))
    world = World(service, usual=Behaviour(ignores_term=True)).deploy()
    world.update(image="v2")
    world.until(lambda: "kill web.1 v1" in world.trace("kill"))

    world.controller_dies()
    world.rollback()
    world.until_at_rest()
    world.run_for(60.0)
    world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1"}


def test_a_rollback_to_what_is_being_stopped_starts_it_again() -> None:
    """v1 was being stopped for v2 when v1 was asked for again: it goes, and another v1 comes."""
    service = spec(1, restart=RestartPolicy(condition=RestartCondition.NONE))
    world = World(service, usual=Behaviour(stop_s=5.0)).deploy()
    world.update(image="v2")
    world.until(lambda: "kill web.1 v1" in world.trace("kill"))

    world.rollback()
    world.until_at_rest()

    assert world.images == {1: "v1"}
    assert world.revision.last_mark is MarkKind.COMPLETED


def test_an_added_slot_that_never_becomes_healthy_holds_nobody_up_for_ever() -> None:
    """It is no part of the update, which completes after the deadline; yet it is not stable."""
    world = World(spec(1, healthcheck=HEALTHCHECK, progress_deadline_s=20.0)).deploy()
    world.behave(Behaviour(healthy_after_s=None), image="v2", slot=2)

    world.update(image="v2", replicas=2)
    world.until_at_rest(within_s=120)

    assert world.state == "completed"
    assert [slot.slot for slot in world.status.down] == [2]
    assert exit_code([world.status]) == 1


def test_ctrl_c_does_not_wait_for_slots_that_are_empty() -> None:
    """Nothing new is made for them, so there is nothing in flight: the command ends."""
    world = World(spec(3)).deploy()
    world.update(image="v2")
    world.run_for(0.1)
    world.remove_by_hand(2)

    world.stopping = True
    world.until(lambda: world.is_idle and world.images.get(1) == "v2", within_s=60)

    assert 2 not in world.images


def test_scaling_down_and_up_again_at_once() -> None:
    """Slots that are being stopped are filled again, whatever their restart policy says."""
    service = spec(5, restart=RestartPolicy(condition=RestartCondition.NONE))
    world = World(service, usual=Behaviour(stop_s=4.0)).deploy()

    world.scale(1)
    world.run_for(2.0)
    world.scale(3)
    world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1", 3: "v1"}

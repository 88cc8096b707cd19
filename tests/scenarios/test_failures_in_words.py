"""Updates that fail: what counts, when it is too much, and what then happens.

Numbers such as s04 name recordings of Docker Swarm doing the same; where we do better on purpose,
the docstring says so.
"""

from __future__ import annotations

import pytest

from rollout.engine.simulated.faults import FOR_EVER, Behaviour
from rollout.model.spec import FailureAction, Order, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import Cause, MarkKind
from tests.scenarios.world import HEALTHCHECK, World, spec

EXITS_3 = Behaviour(exits_after_s=1.0, exit_code=3)
NEVER_AGAIN = RestartPolicy(condition=RestartCondition.NONE)
PAUSED = "update paused due to failure or early termination of task "
ROLLED_BACK = "update rolled back due to failure or early termination of task "


def failed_task(world: World, slot: int) -> str:
    """The id of the first task of the newest image in a slot."""
    return next(task.id for task in world.tasks if task.slot == slot and task.image != "v1")


def test_pause() -> None:
    """s04: the first failure stops the update; what was done stays, and so does the rest."""
    world = World(spec(3, update=UpdateConfig(delay_s=2, monitor_s=3))).deploy()
    world.behave(EXITS_3, image="v2")

    world.update(image="v2")
    world.until(lambda: world.state == "paused")

    assert world.now == pytest.approx(1.4)
    assert world.message == PAUSED + failed_task(world, 1)
    world.run_for(10.0)
    assert world.trace("kill") == ["kill web.1 v1"]
    assert (world.images[2], world.images[3]) == ("v1", "v1")


def test_while_paused_the_failed_slot_is_retried_with_the_new_definition() -> None:
    """s04: its restart policy goes on."""
    world = World(spec(2, update=UpdateConfig(delay_s=2))).deploy()
    world.behave(EXITS_3, image="v2", generation=1)

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.images == {1: "v2", 2: "v1"}


def test_while_paused_an_old_task_that_dies_is_replaced_by_an_old_one() -> None:
    """s29b: Swarm starts the definition that has just failed elsewhere; here the old one."""
    world = World(spec(2, update=UpdateConfig(delay_s=3))).deploy()
    world.behave(EXITS_3, image="v2")
    world.update(image="v2")
    world.until(lambda: world.state == "paused")

    world.remove_by_hand(2)
    world.run_for(5.0)

    assert world.images[2] == "v1"


@pytest.mark.parametrize("code", [0, 3], ids=["exit 0", "exit 3"])
def test_any_exit_counts(code: int) -> None:
    """s24: a task of a service that ends has ended too early."""
    world = World(spec(2, update=UpdateConfig(delay_s=5))).deploy()
    world.behave(Behaviour(exits_after_s=1.0, exit_code=code), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"


def test_a_failure_after_the_monitor_does_not_count() -> None:
    """s18: one second is watched, it ends after three."""
    service = spec(1, restart=NEVER_AGAIN, update=UpdateConfig(monitor_s=1))
    world = World(service).deploy()
    world.behave(Behaviour(exits_after_s=3.0, exit_code=3), image="v2")

    world.update(image="v2")
    world.run_for(10.0)

    assert world.state == "completed"


def test_the_last_slot_is_watched_longer_where_the_delay_is_longer() -> None:
    """s51: delay 4 s, monitor 2 s; an end 3 s after the start counts, as the window is 5 s."""
    service = spec(1, restart=NEVER_AGAIN, update=UpdateConfig(delay_s=4, monitor_s=2))
    world = World(service).deploy()
    world.behave(Behaviour(exits_after_s=3.0, exit_code=3), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.now == pytest.approx(3.4)


def test_a_failure_beside_a_slow_sibling_counts() -> None:
    """s19: Swarm misses it, as it looks only once the sibling is healthy, 8 s later."""
    cadence = UpdateConfig(
        parallelism=2, monitor_s=3.5, failure_action=FailureAction.ROLLBACK, order=Order.STOP_FIRST
    )
    service = spec(2, healthcheck=HEALTHCHECK, restart=NEVER_AGAIN, update=cadence)
    world = World(service).deploy()
    world.behave(Behaviour(exits_after_s=3.0, exit_code=3), image="v2", slot=1)
    world.behave(Behaviour(healthy_after_s=8.0), image="v2", slot=2)

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "rollback_completed"
    assert world.images == {1: "v1", 2: "v1"}


def test_a_failure_nobody_watched_is_found_afterwards() -> None:
    """The controller was dead when it happened: judged by when it happened."""
    service = spec(3, restart=NEVER_AGAIN, update=UpdateConfig(delay_s=10, monitor_s=3))
    world = World(service).deploy()
    world.behave(EXITS_3, image="v2")

    world.update(image="v2")
    world.until(lambda: "start web.1 v2" in world.trace("start"))
    world.clock.advance(60.0)
    world.controller_dies()
    world.until_at_rest()

    assert world.state == "paused"
    assert world.trace("kill") == ["kill web.1 v1"]


@pytest.mark.parametrize(
    ("replicas", "failing", "ratio", "ends"),
    [
        (5, 1, 0.25, "completed"),
        (5, 2, 0.25, "paused"),
        (4, 2, 0.5, "completed"),
        (4, 3, 0.5, "paused"),
        (10, 1, 0.0, "paused"),
    ],
    ids=["1 of 5 under 0.25", "2 of 5 under 0.25", "2 of 4 under 0.5", "3 of 4", "1 of 10"],
)
def test_the_ratio_must_be_exceeded(replicas: int, failing: int, ratio: float, ends: str) -> None:
    """s05, s40: strictly more than the ratio of the slots the update began with."""
    cadence = UpdateConfig(delay_s=2, max_failure_ratio=ratio)
    world = World(spec(replicas, restart=NEVER_AGAIN, update=cadence)).deploy()
    for slot in range(1, failing + 1):
        world.behave(EXITS_3, image="v2", slot=slot)

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == ends


def test_a_slot_fails_once() -> None:
    """s43: its restarts fail again and again; 1 of 2 is not more than 0.5, 2 of 2 is."""
    cadence = UpdateConfig(delay_s=6, monitor_s=8, max_failure_ratio=0.5)
    world = World(spec(2, restart=RestartPolicy(delay_s=0.5), update=cadence)).deploy()
    world.behave(EXITS_3, image="v2")

    world.update(image="v2")
    world.until(lambda: world.state == "paused")

    assert world.timed("kill") == ["0.1 kill web.1 v1", "6.4 kill web.2 v1"]
    assert world.message == PAUSED + failed_task(world, 2)


def test_rollback() -> None:
    """s07: a copy of the last completed revision, over the slots already updated and no others."""
    cadence = UpdateConfig(delay_s=2, monitor_s=3, failure_action=FailureAction.ROLLBACK)
    world = World(spec(3, update=cadence, rollback=UpdateConfig(monitor_s=1))).deploy()
    world.behave(EXITS_3, image="v2")

    world.update(image="v2")
    world.until(lambda: world.revision.number == 3)

    assert world.state == "rollback_started"
    assert world.message == ROLLED_BACK + failed_task(world, 1)
    world.until_at_rest()
    assert (world.state, world.message) == ("rollback_completed", "rollback completed")
    assert (world.revision.cause, world.revision.restores) == (Cause.AUTO_ROLLBACK, 1)
    assert world.trace("start") == ["start web.1 v2", "start web.1 v1"]
    assert world.images == {1: "v1", 2: "v1", 3: "v1"}


def test_a_rollback_that_fails_is_paused() -> None:
    """s08b: the old definition does not run any more either; nobody rolls back a rollback."""
    cadence = UpdateConfig(delay_s=2, monitor_s=3, failure_action=FailureAction.ROLLBACK)
    world = World(spec(3, restart=NEVER_AGAIN, update=cadence)).deploy()
    world.behave(EXITS_3)

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "rollback_paused"
    assert [revision.cause for revision in world.revisions] == ["deploy", "update", "auto-rollback"]


def test_with_nothing_to_go_back_to_a_rollback_is_a_pause() -> None:
    """Swarm stays `updating` for ever; here the update that never had a good one is paused."""
    cadence = UpdateConfig(failure_action=FailureAction.ROLLBACK)
    world = World(spec(2, restart=NEVER_AGAIN, update=cadence))
    world.behave(EXITS_3)
    world.record()
    world.until_at_rest()
    assert world.revision.last_mark is MarkKind.FAILED

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"


def test_a_first_deployment_that_fails_says_so() -> None:
    """There is nothing to pause or go back to."""
    world = World(spec(2, restart=NEVER_AGAIN))
    world.behave(EXITS_3, slot=2)

    world.record()
    world.until_at_rest()

    assert world.revision.last_mark is MarkKind.FAILED
    assert (world.state, world.message) == (None, "web.2 exited 3 1.0s after start")


def test_continue_goes_on_but_leaves_the_last_healthy_task() -> None:
    """s06: Swarm goes on until nothing runs; here the last old task stays and we pause."""
    cadence = UpdateConfig(monitor_s=2, delay_s=2, failure_action=FailureAction.CONTINUE)
    world = World(spec(3, restart=NEVER_AGAIN, update=cadence)).deploy()
    world.behave(EXITS_3, image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.images == {3: "v1"}
    assert world.state == "paused"
    assert world.message == "update paused: web.3 kept, nothing else of the service would run"


def test_a_task_that_only_just_runs_is_not_the_last_healthy_one() -> None:
    """s06: each new task ends a moment after the next slot may be begun; when one has failed, the
    others count only once they have passed their window."""
    cadence = UpdateConfig(monitor_s=2, delay_s=0.5, failure_action=FailureAction.CONTINUE)
    world = World(spec(4, restart=NEVER_AGAIN, update=cadence)).deploy()
    world.behave(EXITS_3, image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.fewest == 1
    assert world.images == {4: "v1"}
    assert world.state == "paused"


def test_with_a_ratio_the_last_healthy_task_may_go() -> None:
    """s43: whoever allows half of the slots to fail has them replaced; only `continue` is held."""
    cadence = UpdateConfig(monitor_s=2, delay_s=2, max_failure_ratio=0.5)
    world = World(spec(2, restart=NEVER_AGAIN, update=cadence)).deploy()
    world.behave(EXITS_3, image="v2", slot=1)

    world.update(image="v2")
    world.until_at_rest()

    assert world.images == {2: "v2"}
    assert world.state == "completed"


def test_continue_counts_nothing() -> None:
    """s06: one of three fails, the others are replaced all the same."""
    cadence = UpdateConfig(delay_s=2, failure_action=FailureAction.CONTINUE)
    world = World(spec(3, restart=NEVER_AGAIN, update=cadence)).deploy()
    world.behave(EXITS_3, image="v2", slot=1)

    world.update(image="v2")
    world.until_at_rest()

    assert world.images == {2: "v2", 3: "v2"}
    assert world.state == "completed"


def test_start_first_that_fails_keeps_the_old() -> None:
    """s12: the new one exits before it is healthy; the old one has never stopped."""
    cadence = UpdateConfig(order=Order.START_FIRST, monitor_s=3, delay_s=1)
    world = World(spec(3, healthcheck=HEALTHCHECK, update=cadence)).deploy()
    world.behave(Behaviour(healthy_after_s=None, exits_after_s=1.0, exit_code=3), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.trace("kill") == []
    assert world.images == {1: "v1", 2: "v1", 3: "v1"}
    assert len(world.up()) == 3


def test_start_first_and_continue_loses_no_capacity() -> None:
    """s13: Swarm ends with an outage; here every old task goes on running."""
    cadence = UpdateConfig(
        order=Order.START_FIRST, monitor_s=2, failure_action=FailureAction.CONTINUE
    )
    world = World(spec(2, healthcheck=HEALTHCHECK, update=cadence)).deploy()
    world.behave(Behaviour(healthy_after_s=None, exits_after_s=1.0, exit_code=3), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1"}
    assert world.trace("kill") == []


def test_start_first_that_never_gets_healthy_is_stopped_again() -> None:
    """s13, s16: by the deadline the new one goes and the old one stays."""
    cadence = UpdateConfig(order=Order.START_FIRST)
    service = spec(2, healthcheck=HEALTHCHECK, update=cadence, progress_deadline_s=30.0)
    world = World(service).deploy()
    world.behave(Behaviour(healthy_after_s=None), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.timed("kill") == ["30.3 kill web.1 v2"]
    assert world.images == {1: "v1", 2: "v1"}


def test_never_healthy_fails_by_the_deadline() -> None:
    """s16: Swarm waits for ever."""
    world = World(spec(2, healthcheck=HEALTHCHECK, progress_deadline_s=60.0)).deploy()
    world.behave(Behaviour(healthy_after_s=None), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.now == pytest.approx(60.4)
    assert world.status.failures[0].reason == "not running after 1m0s"
    assert world.revision.marks[-1].reason == "deadline"


def test_the_command_can_set_the_deadline() -> None:
    """`--timeout` replaces the service's own."""
    service = spec(2, healthcheck=HEALTHCHECK, progress_deadline_s=600.0)
    world = World(service, deadline_s=20.0).deploy()
    world.behave(Behaviour(healthy_after_s=None), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.now == pytest.approx(20.4)


def test_a_missing_image_touches_nothing() -> None:
    """s25: Swarm stops the old task all the same; here it is tried again until the deadline."""
    world = World(spec(2, progress_deadline_s=60.0)).deploy()
    world.behave(Behaviour(prepare_failures=FOR_EVER), image="nosuch")

    world.update(image="nosuch")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.trace() == []
    assert world.images == {1: "v1", 2: "v1"}
    assert world.revision.marks[-1].reason == "deadline"


@pytest.mark.parametrize("policy", [RestartPolicy(delay_s=1.0), NEVER_AGAIN])
@pytest.mark.parametrize("parallelism", [1, 3])
def test_what_cannot_be_started_puts_the_old_task_back(
    policy: RestartPolicy, parallelism: int
) -> None:
    """Stop-first and paused: Swarm leaves the slot empty; here the old one goes on."""
    update = UpdateConfig(parallelism=parallelism)
    world = World(spec(3, restart=policy, update=update)).deploy()
    world.behave(Behaviour(start_error="port is already allocated"), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.images == {1: "v1", 2: "v1", 3: "v1"}
    assert "could not be started" in world.status.failures[0].reason


def test_what_could_not_be_started_is_tried_again_by_a_resume() -> None:
    world = World(spec(2)).deploy()
    world.behave(Behaviour(start_error="port is already allocated"), image="v2")
    world.update(image="v2")
    world.until_at_rest()
    world.behave(Behaviour(), image="v2")

    world.resume()
    world.until_at_rest()

    assert world.state == "completed"
    assert world.images == {1: "v2", 2: "v2"}


IMPOSSIBLE = Behaviour(
    prepare_failures=FOR_EVER, prepare_is_final=True, prepare_error="unknown log opt"
)


@pytest.mark.parametrize(
    ("action", "state"),
    [(FailureAction.PAUSE, "paused"), (FailureAction.ROLLBACK, "rollback_completed")],
)
def test_what_can_never_be_made_fails_at_once(action: FailureAction, state: str) -> None:
    """Not by the deadline: the engine's answer cannot change.  Nothing old is touched."""
    world = World(spec(3, update=UpdateConfig(failure_action=action))).deploy()
    world.behave(IMPOSSIBLE, image="v2")

    world.update(image="v2")
    world.until(lambda: world.state == state, within_s=20.0)

    assert world.trace() == []
    assert world.images == {1: "v1", 2: "v1", 3: "v1"}
    [noted] = world.revisions[1].marks or [None]
    assert noted is None or noted.reason == "failure"


def test_a_first_deployment_of_what_can_never_be_made_fails_at_once() -> None:
    world = World(spec(2))
    world.behave(IMPOSSIBLE)

    world.record(Cause.DEPLOY)
    world.until_at_rest(within_s=20.0)

    assert world.revision.last_mark is MarkKind.FAILED
    assert world.revision.marks[-1].reason == "failure"
    assert "cannot be made: unknown log opt" in world.revision.marks[-1].message


def test_what_could_never_be_made_is_asked_for_once_more_by_a_resume() -> None:
    """Somebody may have mended the host."""
    world = World(spec(2)).deploy()
    world.behave(IMPOSSIBLE, image="v2")
    world.update(image="v2")
    world.until_at_rest(within_s=20.0)
    world.behave(Behaviour(), image="v2")

    world.resume()
    world.until_at_rest()

    assert world.images == {1: "v2", 2: "v2"}


def test_an_image_that_comes_late_is_used() -> None:
    """Tried again with growing pauses: 1, 2, 4 s."""
    world = World(spec(1)).deploy()
    world.behave(Behaviour(prepare_failures=3), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.timed("create") == ["7.4 create web.1 v2"]
    assert world.state == "completed"


def test_a_task_that_turns_unhealthy_has_failed() -> None:
    """s17, s31: it is stopped, whatever its exit code then is, and the update pauses."""
    world = World(spec(2, healthcheck=HEALTHCHECK, restart=NEVER_AGAIN)).deploy()
    world.behave(Behaviour(healthy_after_s=None, unhealthy_after_s=3.0), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.timed("unhealthy", "kill")[-2:] == ["3.4 unhealthy web.1 v2", "3.4 kill web.1 v2"]
    assert world.status.failures[0].reason == "unhealthy: probe failed"


def test_a_port_that_is_taken_is_a_failure() -> None:
    """It cannot be started: said with the engine's words."""
    world = World(spec(2, restart=NEVER_AGAIN)).deploy()
    world.behave(Behaviour(start_error="port is already allocated"), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.state == "paused"
    assert world.status.failures[0].reason == "could not be started: port is already allocated"


def test_resume_goes_on_with_the_rest() -> None:
    """Failures before it are forgiven; the slot that failed is tried once more."""
    world = World(spec(3, restart=NEVER_AGAIN, update=UpdateConfig(delay_s=2))).deploy()
    world.behave(EXITS_3, image="v2", generation=1, slot=1)
    world.update(image="v2")
    world.until_at_rest()
    world.afresh()

    world.resume()
    world.until_at_rest()

    assert world.state == "completed"
    assert world.images == {1: "v2", 2: "v2", 3: "v2"}


def test_restarts_wait_for_their_delay() -> None:
    """s48: counted from the failure, 5 s unless said otherwise."""
    world = World(spec(1, restart=RestartPolicy()))
    world.behave(Behaviour(exits_after_s=1.0), generation=1)

    world.record()
    world.until(lambda: len(world.trace("start")) == 2)

    assert world.timed("die", "start") == [
        "0.3 start web.1 v1",
        "1.3 die web.1 v1 (1)",
        "6.5 start web.1 v1",
    ]


def test_restarts_end_at_max_attempts() -> None:
    """s28: two attempts are one start and two restarts."""
    policy = RestartPolicy(delay_s=1.0, max_attempts=2)
    cadence = UpdateConfig(max_failure_ratio=1.0, monitor_s=30)
    world = World(spec(1, restart=policy, update=cadence))
    world.behave(EXITS_3)

    world.record()
    world.until_at_rest()
    world.run_for(60.0)

    assert world.trace("start") == ["start web.1 v1"] * 3


def test_start_first_an_exit_at_once_costs_no_old_task() -> None:
    """Without a healthcheck it counts as running from its start on; the old one stays a moment."""
    world = World(spec(2, update=UpdateConfig(order=Order.START_FIRST, monitor_s=5))).deploy()
    world.behave(Behaviour(exits_after_s=0.3, exit_code=3), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert world.images == {1: "v1", 2: "v1"}


def test_continue_trusts_no_task_that_has_just_started() -> None:
    """Each new task dies half a second after its start, and the pace is faster than that."""
    cadence = UpdateConfig(monitor_s=1, failure_action=FailureAction.CONTINUE, delay_s=0.3)
    world = World(spec(4, update=cadence)).deploy()
    world.behave(Behaviour(exits_after_s=0.9, exit_code=3), image="v2")

    world.update(image="v2")
    world.until_at_rest()

    assert "v1" in world.images.values()
    assert world.state == "paused"

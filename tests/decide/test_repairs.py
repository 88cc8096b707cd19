"""Outside of batches: new slots, lost tasks, restarts, and handing over to Docker."""

from __future__ import annotations

import pytest

from rollout.model.action import Prepare
from rollout.model.spec import Order, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import ContainerStatus, MarkKind
from rollout.model.task import Task
from tests.decide.given import (
    NOW,
    actions,
    attempt,
    decided,
    doing,
    ended,
    first,
    mark,
    ready,
    revision,
    running,
    starting,
    unhealthy,
    unstartable,
)

ANY = RestartPolicy(delay_s=5.0)
ON_FAILURE = RestartPolicy(condition=RestartCondition.ON_FAILURE, delay_s=5.0)
NEVER = RestartPolicy(condition=RestartCondition.NONE)
TOLERANT = UpdateConfig(max_failure_ratio=1, monitor_s=60)


def test_new_slots_are_filled_at_once() -> None:
    """All of them, outside parallelism."""
    assert actions([revision(1)], []) == [
        "prepare and start web.1, slot is empty",
        "prepare and start web.2, slot is empty",
        "prepare and start web.3, slot is empty",
    ]


def test_a_slot_being_filled_is_left_alone() -> None:
    """Its Prepare is under way."""
    assert actions([revision(1, replicas=1)], [], busy={("slot", 1): NOW}) == []


def test_a_slot_whose_task_is_about_to_come_up_is_left_alone() -> None:
    """Its start was asked for under another definition: it will be replaced, not doubled."""
    v1, v2 = first(replicas=1), revision(2, replicas=1)
    back = revision(3, "v1", replicas=1)
    coming = ready(1, v2, ago=5.0)
    tasks = [ended(1, v1, ago=1.0, after=99.0), coming]

    assert actions([v1, v2, back], tasks, busy=doing(coming)) == []
    assert actions([v1, v2, back], tasks) == ["prepare and start web.1, slot is empty"]


@pytest.mark.parametrize(
    ("policy", "task", "restarted"),
    [
        (ANY, {"ago": 5.0}, True),
        (ANY, {"ago": 4.9}, False),
        (ANY, {"ago": 5.0, "exit_code": 0}, True),
        (ON_FAILURE, {"ago": 5.0}, True),
        (ON_FAILURE, {"ago": 5.0, "exit_code": 0}, False),
        (ON_FAILURE, {"ago": 5.0, "exit_code": 0, "unhealthy_since": NOW - 9}, True),
        (ON_FAILURE, {"ago": 5.0, "exit_code": 0, "oom_killed": True}, True),
        (NEVER, {"ago": 60.0}, False),
    ],
)
def test_restart_policies(policy: RestartPolicy, task: dict[str, float], restarted: bool) -> None:
    """Of the task that ended; the delay counts from its end."""
    v1 = first(replicas=1, restart=policy)
    v2 = revision(2, "v1", replicas=1, restart=policy)

    found = actions([v1, v2], [ended(1, v1, **task)])

    assert ("prepare and start web.1, restarted" in found) is restarted


def test_a_restart_is_made_ready_during_its_delay() -> None:
    """So that it starts when it is due, not later."""
    v1 = revision(1, replicas=1, restart=ANY, update=TOLERANT)

    waiting = decided([v1], [ended(1, v1, ago=1.0)])
    due = decided([v1], [ended(1, v1, ago=5.0), ready(1, v1, ago=3.0)])

    assert str(waiting) == "prepare web.1, restarted"
    assert waiting.wake_at == NOW + 4.0
    assert str(due) == "start web.1.1a, restarted"


@pytest.mark.parametrize(("ends", "restarted"), [(2, True), (3, False)])
def test_max_attempts(ends: int, restarted: bool) -> None:
    """Two attempts: one start and two restarts; the third end is the last."""
    policy = RestartPolicy(delay_s=0.0, max_attempts=2)
    v1 = revision(1, replicas=1, restart=policy, update=UpdateConfig(max_failure_ratio=1))
    tasks = [ended(1, v1, ago=float(10 - at), id=f"t{at}") for at in range(ends)]

    assert ("prepare and start web.1, restarted" in actions([v1], tasks)) is restarted


def test_max_attempts_within_a_window() -> None:
    """Only restarts of the last 5 s count."""
    policy = RestartPolicy(delay_s=0.0, max_attempts=2, window_s=5.0)
    v1 = revision(1, replicas=1, restart=policy, update=TOLERANT)
    tasks = [ended(1, v1, ago=ago, after=0.1, id=f"t{ago}") for ago in (9.0, 8.0, 2.0)]

    assert actions([v1], tasks) == ["prepare and start web.1, restarted"]


def test_restarts_by_docker_count_too() -> None:
    """It restarted the task twice before it gave up."""
    policy = RestartPolicy(condition=RestartCondition.ON_FAILURE, delay_s=0.0, max_attempts=2)
    v1 = first(replicas=1, restart=policy)

    assert actions([v1], [ended(1, v1, restarts=2, armed=True)]) == []


def test_while_paused_an_old_task_is_replaced_by_an_old_one() -> None:
    """Handed to Docker before it is started, since nobody will watch."""
    v1 = first(replicas=1, restart=ANY)
    v2 = revision(2, replicas=1, restart=ANY, ended=MarkKind.PAUSED)
    down = ended(1, v1, ago=6.0)

    assert actions([v1, v2], [down]) == ["prepare web.1, restarted"]
    assert actions([v1, v2], [down, ready(1, v1, id="n")]) == ["arm web.1.n, nobody will watch it"]
    assert actions([v1, v2], [down, ready(1, v1, id="n", armed=True)]) == [
        "start web.1.n, restarted"
    ]


def test_while_paused_an_emptied_slot_gets_the_old_definition() -> None:
    """Of the last revision that was complete."""
    v1, v2 = first(replicas=1), revision(2, replicas=1, ended=MarkKind.PAUSED)

    decision = decided([v1, v2], [])

    assert [each.revision.number for each in decision.actions] == [1]  # type: ignore[union-attr]


def test_while_paused_without_an_old_definition_there_is_only_the_new() -> None:
    v1, v2 = revision(1, replicas=1), revision(2, replicas=1, ended=MarkKind.PAUSED)

    decision = decided([v1, v2], [])

    assert [each.revision.number for each in decision.actions] == [2]  # type: ignore[union-attr]


def test_while_paused_the_old_definition_is_tried_like_any_other() -> None:
    """With growing pauses, and until the deadline; then the service is at rest."""
    v1 = first(replicas=1)
    v2 = revision(2, replicas=1, ended=MarkKind.PAUSED, progress_deadline_s=60.0)

    waiting = decided([v1, v2], [], attempts=(attempt(1, v1, count=3, ago=1.0, since=9.0),))
    over = decided([v1, v2], [], attempts=(attempt(1, v1, count=9, ago=1.0, since=60.0),))

    assert (str(waiting), waiting.wake_at) == ("", NOW + 3.0)
    assert (str(over), over.wake_at, over.status.at_rest) == ("", None, True)


def test_what_could_not_be_started_at_last_is_not_tried_for_ever() -> None:
    """It was handed to Docker, which does not try again either."""
    v1 = first(replicas=1, restart=ANY)
    v2 = revision(2, replicas=1, restart=ANY, ended=MarkKind.PAUSED)
    tasks = [unstartable(1, v2, ago=9.0)]

    assert actions([v1, v2], tasks) == ["prepare web.1, restarted"]
    assert actions([v1, v2], [*tasks, unstartable(1, v2, ago=8.0, id="z", armed=True)]) == []


@pytest.mark.parametrize("policy", [ANY, NEVER])
def test_paused_what_never_ran_makes_room_for_what_did(policy: RestartPolicy) -> None:
    """The new task could not even be started, so the old one is put back, whatever the new one's
    restart policy: an outage would be for nothing."""
    v1 = first(replicas=1, restart=ANY)
    v2 = revision(2, replicas=1, restart=policy, ended=MarkKind.PAUSED)
    failed = [ended(1, v1, ago=9.0), unstartable(1, v2, ago=9.0)]

    [back] = decided([v1, v2], failed).actions
    assert isinstance(back, Prepare)
    assert back.revision == v1
    made = ready(1, v1, ago=1.0, id="back")
    assert actions([v1, v2], [*failed, made]) == ["arm web.1.back, nobody will watch it"]
    assert actions([v1, v2], [*failed, running(1, v1, ago=1.0, armed=True, id="back")]) == []
    # It cannot be started either, and nobody will watch.
    over = unstartable(1, v1, ago=1.0, id="back", armed=True)
    assert actions([v1, v2], [*failed, over]) == []


def test_what_ran_once_is_not_put_back_for() -> None:
    """Swarm's rule: it is retried under its own policy."""
    v1 = first(replicas=1, restart=ANY)
    v2 = revision(2, replicas=1, restart=ANY, ended=MarkKind.PAUSED)
    tasks = [ended(1, v1, ago=20.0), ended(1, v2, ago=9.0, after=1.0)]

    [again] = decided([v1, v2], tasks).actions
    assert isinstance(again, Prepare)
    assert again.revision == v2


@pytest.mark.parametrize(("supervised", "restarted"), [(False, False), (True, True)])
def test_what_docker_takes_for_a_success_ends_where_nobody_watches(
    supervised: bool, restarted: bool
) -> None:
    """Unhealthy or out of memory and yet exit code 0, under on-failure: a command that tried again
    for ever would never end."""
    v1 = revision(1, replicas=1, restart=ON_FAILURE, marks=(mark(MarkKind.PAUSED),))
    task = ended(1, v1, ago=5.0, exit_code=0, oom_killed=True, armed=True)

    assert bool(actions([v1], [task], supervised=supervised)) is restarted


def test_tasks_are_handed_over_after_their_window() -> None:
    """Each by its own time, with the policy of the revision it was made for."""
    v2 = revision(2, replicas=2, update=UpdateConfig(delay_s=7))
    tasks = [running(1, v2, ago=8.0), running(2, v2, ago=7.9)]

    decision = decided([first(replicas=2), v2], tasks)

    assert str(decision) == "arm web.1.1b, watched long enough"
    assert decision.wake_at == pytest.approx(NOW + 0.1)


@pytest.mark.parametrize(
    "task",
    [
        running(1, revision(2, restart=NEVER), ago=60.0),
        running(1, revision(2), ago=60.0, armed=True),
        starting(1, revision(2), ago=60.0, running_since=NOW - 50),
        running(1, revision(2), ago=60.0, digest=""),
    ],
    ids=["no policy", "has it", "not well", "made by Compose"],
)
def test_tasks_that_are_not_handed_over(task: Task) -> None:
    restart = NEVER if not task.armed and task.digest == revision(2, restart=NEVER).digest else ANY
    v2 = revision(2, replicas=1, restart=restart)

    assert not [each for each in actions([v2], [task]) if each.startswith("arm")]


def test_paused_or_told_to_stop_tasks_are_handed_over_at_once() -> None:
    """Nobody will watch them."""
    v2 = revision(2, replicas=1, ended=MarkKind.PAUSED)
    task = running(1, v2, ago=0.5)

    assert actions([first(replicas=1), v2], [task]) == ["arm web.1.1b, watched long enough"]
    going_on = revision(2, replicas=1)
    assert actions([first(replicas=1), going_on], [running(1, going_on, ago=0.5)]) == []
    assert actions(
        [first(replicas=1), going_on], [running(1, going_on, ago=0.5)], stopping=True
    ) == ["arm web.1.1b, watched long enough"]


def test_beside_its_predecessor_a_task_is_handed_over_once_it_has_proved_itself() -> None:
    """start-first, and another slot failed that very moment: if this one ends too, the old one
    serves on, and nothing starts the new one again beside it."""
    v2 = revision(
        2, replicas=1, ended=MarkKind.PAUSED, update=UpdateConfig(order=Order.START_FIRST)
    )
    old = running(1, first(replicas=1), ago=60.0, armed=True)

    early = decided([first(replicas=1), v2], [old, running(1, v2, ago=0.2)])

    assert early.actions == ()
    assert early.wake_at == pytest.approx(NOW + 0.3)
    assert not early.status.at_rest
    assert actions([first(replicas=1), v2], [old, running(1, v2, ago=0.6)]) == [
        "stop web.1.1a, replaced by revision 2",
        "arm web.1.1b, watched long enough",
    ]


def test_unhealthy_tasks_are_stopped_while_somebody_watches() -> None:
    """Their restart policy then brings another one; once it is Docker's, it is left to it.  One
    that was so when it was asked for again is replaced, by what is made Ready first."""
    v2 = revision(2, replicas=1)
    done = revision(2, replicas=1, ended=MarkKind.COMPLETED)
    resumed = revision(
        2, replicas=1, marks=(mark(MarkKind.PAUSED, ago=9), mark(MarkKind.RESUMED, 2, ago=1))
    )

    assert "stop web.1.1b, unhealthy" in actions([first(replicas=1), v2], [unhealthy(1, v2)])
    assert actions([first(replicas=1), done], [unhealthy(1, done, armed=True)]) == []
    found = actions([first(replicas=1), resumed], [unhealthy(1, resumed, armed=True, ago=60)])
    assert found == ["prepare web.1, updated to revision 2"]


def test_between_two_restarts_by_docker_there_is_nothing_to_stop() -> None:
    """The engine says unhealthy as its monitor has ended with the process."""
    v2 = revision(2, replicas=1)
    task = unhealthy(
        1, v2, status=ContainerStatus.RESTARTING, unhealthy_since=None, armed=True, restarts=1
    )

    found = actions([first(replicas=1), v2], [task])

    assert not [each for each in found if each.startswith("stop")]


def test_told_to_stop_nothing_new_is_made() -> None:
    """Empty slots and restarts wait for the next controller."""
    v1 = revision(1, replicas=2, update=UpdateConfig(max_failure_ratio=1))

    assert actions([v1], [ended(1, v1, ago=60.0)], stopping=True) == []

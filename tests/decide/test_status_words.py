"""Where a service is, in words and numbers."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.decide.decide import decide
from rollout.model.revision import Revision
from rollout.model.spec import UpdateConfig
from rollout.model.state import Cause, ContainerStatus, Health, MarkKind, TaskState
from rollout.model.task import Task
from tests.decide.given import (
    LONG_AGO,
    NOW,
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
    world,
)

V1 = first()
V2 = revision(2)
OLD = [running(slot, V1) for slot in (1, 2, 3)]


BETWEEN_RESTARTS: dict[str, Any] = {
    "has_healthcheck": False,
    "health": Health.NONE,
    "status": ContainerStatus.RESTARTING,
}


@pytest.mark.parametrize(
    ("revisions", "state", "message"),
    [
        ([V1], None, ""),
        ([V1, V2], "updating", "update in progress"),
        ([V1, revision(2, replicas=4, image="v1")], None, ""),
        (
            [V1, V2, revision(3, "v1", cause=Cause.ROLLBACK)],
            "rollback_started",
            "manually requested rollback",
        ),
        (
            [V1, V2, revision(3, "v1", cause=Cause.AUTO_ROLLBACK, message="update rolled back …")],
            "rollback_started",
            "update rolled back …",
        ),
        (
            [V1, revision(2, marks=(mark(MarkKind.PAUSED, message="update paused …"),))],
            "paused",
            "update paused …",
        ),
        (
            [V1, revision(2, marks=(mark(MarkKind.PAUSED), mark(MarkKind.RESUMED, 2)))],
            "updating",
            "update in progress",
        ),
        (
            [V1, revision(2, marks=(mark(MarkKind.COMPLETED, message="update completed"),))],
            "completed",
            "update completed",
        ),
        (
            [
                V1,
                V2,
                revision(
                    3,
                    cause=Cause.ROLLBACK,
                    marks=(mark(MarkKind.COMPLETED, message="rollback completed"),),
                ),
            ],
            "rollback_completed",
            "rollback completed",
        ),
        (
            [
                V1,
                V2,
                revision(
                    3,
                    cause=Cause.AUTO_ROLLBACK,
                    marks=(mark(MarkKind.PAUSED, message="update paused …"),),
                ),
            ],
            "rollback_paused",
            "update paused …",
        ),
        (
            [revision(1, marks=(mark(MarkKind.FAILED, message="web.1 exited 1"),))],
            None,
            "web.1 exited 1",
        ),
    ],
    ids=[
        "deployed",
        "updating",
        "scaling",
        "rolling back",
        "rolling back by itself",
        "paused",
        "resumed",
        "completed",
        "rolled back",
        "rollback paused",
        "failed",
    ],
)
def test_states_and_messages_are_swarms(
    revisions: list[Revision], state: str | None, message: str
) -> None:
    """None where no task is out of date, as `docker service inspect` shows no update then."""
    status = decided(revisions, OLD).status

    assert (status.state, status.message) == (state, message)


def test_an_automatic_rollback_began_with_the_update_that_failed() -> None:
    """Swarm keeps StartedAt, too."""
    v2, v3 = revision(2, ago=80), revision(3, "v1", ago=20, cause=Cause.AUTO_ROLLBACK)

    assert decided([V1, v2, v3], OLD).status.started_at == NOW - 80
    assert decided([V1, v2], OLD).status.started_at == NOW - 80
    assert decided([V1], OLD).status.started_at is None


def test_when_it_was_complete() -> None:
    v2 = revision(2, marks=(mark(MarkKind.COMPLETED, ago=7, message="update completed"),))

    status = decided([V1, v2], [running(slot, v2) for slot in (1, 2, 3)]).status

    assert status.completed_at == NOW - 7
    assert (status.updated, status.running, status.total, status.desired) == (3, 3, 3, 3)
    assert (status.outcome, status.at_rest) == (MarkKind.COMPLETED, True)


@pytest.mark.parametrize(
    ("tasks", "words", "until"),
    [
        (OLD, "web.1 to be ready", None),
        ([OLD[1], OLD[2], ended(1, V1, ago=0.1), ready(1, V2)], "web.1 to stop", None),
        ([OLD[1], OLD[2], starting(1, V2)], "web.1 to become healthy", NOW + 599),
        (
            [OLD[1], OLD[2], starting(1, V2, **BETWEEN_RESTARTS)],
            "web.1 to run",
            NOW + 599,
        ),
        ([running(1, V2, ago=3), OLD[1], OLD[2]], "delay", NOW + 7),
        ([running(slot, V2, ago=3) for slot in (1, 2, 3)], "monitor", NOW + 18),
        ([*OLD, ready(1, V2)], "web.1 to be replaced", None),
    ],
    ids=["ready", "stop", "healthy", "run", "delay", "monitor", "replaced"],
)
def test_what_it_waits_for(tasks: list[Task], words: str, until: float | None) -> None:
    """One thing at a time, and until when at the latest."""
    v2 = revision(2, update=UpdateConfig(delay_s=10))

    status = decided([V1, v2], tasks).status

    assert (status.waiting_for, status.until) == (words, until)


def test_a_stop_ends_with_its_grace() -> None:
    """Known to whoever stops it; who follows sees the task run."""
    v2 = revision(2)
    tasks = [*OLD, ready(1, V2)]
    (old,) = [task for task in OLD if task.slot == 1]

    status = decided(
        [V1, v2], tasks, busy=doing(old, since=3), leaving=frozenset({old.container_id})
    ).status

    assert (status.waiting_for, status.until) == ("web.1 to stop", NOW - 3 + old.stop_grace_s)


def test_many_are_not_listed() -> None:
    v2 = revision(2, replicas=5, update=UpdateConfig(parallelism=0))
    tasks = [starting(slot, v2) for slot in range(1, 6)]

    status = decided([first(replicas=5), v2], tasks).status

    assert status.waiting_for == "web.1, web.2, web.3 and 2 more to become healthy"


def test_at_the_end_nothing_is_waited_for() -> None:
    done = revision(2, ended=MarkKind.COMPLETED)
    paused = revision(2, ended=MarkKind.PAUSED)

    assert decided([V1, done], [starting(1, done)]).status.waiting_for == ""
    assert decided([V1, paused], OLD).status.waiting_for == ""


def test_a_pull_that_fails_is_shown_with_its_deadline() -> None:
    v2 = revision(2, progress_deadline_s=60.0)
    tries = (attempt(1, v2, count=2, ago=0.5, since=20.0),)

    status = decided([V1, v2], OLD, attempts=tries).status

    assert (status.waiting_for, status.until) == ("web.1 to be ready", NOW + 40)
    assert status.slots[0].note == "no such image"
    for_ever = decided([V1, v2], OLD, attempts=tries, deadline_s=0.0).status
    assert for_ever.until is None


@pytest.mark.parametrize(
    ("tasks", "state", "updated", "number", "note"),
    [
        ([], TaskState.NEW, False, 0, ""),
        ([running(1, V1)], TaskState.RUNNING, False, 1, ""),
        ([running(1, V1), ready(1, V2)], TaskState.RUNNING, False, 1, "replacement ready"),
        ([ended(1, V1, ago=0.1), ready(1, V2)], TaskState.READY, False, 2, ""),
        ([starting(1, V2)], TaskState.STARTING, False, 2, "health: starting"),
        (
            [starting(1, V2, **BETWEEN_RESTARTS)],
            TaskState.STARTING,
            False,
            2,
            "",
        ),
        (
            [starting(1, V2, restarts=1, armed=True)],
            TaskState.STARTING,
            False,
            2,
            "restarted once by Docker",
        ),
        (
            [starting(1, V2, restarts=3, armed=True)],
            TaskState.STARTING,
            False,
            2,
            "restarted 3 times by Docker",
        ),
        ([running(1, V2, ago=1.0)], TaskState.RUNNING, True, 2, ""),
        ([ended(1, V2)], TaskState.FAILED, False, 2, "exited 1 2.0s after start"),
        ([ended(1, V2, exit_code=0)], TaskState.COMPLETE, False, 2, "exited 0 2.0s after start"),
    ],
)
def test_slots(tasks: list[Task], state: TaskState, updated: bool, number: int, note: str) -> None:
    """The task that matters: the new one once it is up, the old one until then."""
    slot = decided([V1, V2], tasks).status.slots[0]

    assert (slot.state, slot.updated, slot.revision, slot.note) == (state, updated, number, note)


def test_a_slot_says_since_when() -> None:
    """Running, starting, ended or made, whichever came last."""
    for task, since in [
        (running(1, V2, ago=9.0), NOW - 9),
        (starting(1, V2, ago=4.0), NOW - 4),
        (ended(1, V2, ago=3.0), NOW - 3),
        (ended(1, V2, finished_at=None, created_at=NOW - 8), NOW - 8),
    ]:
        assert decided([V1, V2], [task]).status.slots[0].since == since
    assert decided([V1, V2], []).status.slots[0].since == 0.0


def test_a_slot_being_stopped_says_so() -> None:
    status = decided([V1, V2], [*OLD, ready(1, V2)], busy=doing(OLD[0])).status

    assert status.slots[0].note == "stopping"
    assert (status.batch, status.in_flux) == ((1,), (1,))


def test_a_restart_says_when() -> None:
    """Five seconds after its end, unless the policy says otherwise."""
    v2 = revision(2, update=UpdateConfig(max_failure_ratio=1.0))

    slot = decided([V1, v2], [ended(1, v2, ago=1.0)]).status.slots[0]

    assert slot.until == NOW + 4


def test_the_batch_is_those_in_flux_and_those_of_it_that_are_through() -> None:
    v2 = revision(2, update=UpdateConfig(parallelism=2, delay_s=10))
    tasks = [starting(1, v2, ago=3.0), running(2, v2, ago=1.0), OLD[2]]

    status = decided([V1, v2], tasks).status

    assert (status.batch, status.in_flux) == ((1, 2), (1,))


def test_at_rest_is_quiet_and_final() -> None:
    """Nothing to do, nothing under way, no moment to wait for; a mark says how it ended."""
    tasks = [running(slot, V1) for slot in (1, 2, 3)]

    assert decided([V1], tasks).status.at_rest
    assert not decided([V1], tasks, busy=doing(tasks[0])).status.at_rest
    assert not decided([V1], tasks[:2]).status.at_rest
    assert not decided([V1, V2], tasks).status.at_rest
    handed_over = starting(1, V1, ago=2.0, armed=True)
    assert not decided([V1], [handed_over, *tasks[1:]]).status.at_rest
    crash_loop = starting(1, V1, ago=2.0, armed=True, restarts=3)
    assert decided([V1], [crash_loop, *tasks[1:]]).status.at_rest


def test_the_order_of_the_engines_list_does_not_matter() -> None:
    tasks = [*OLD, ready(1, V2), ended(1, V1, ago=LONG_AGO, id="old"), ready(2, V2)]

    assert decide(world([V1, V2], tasks)) == decide(world([V1, V2], tasks[::-1]))


def test_moments_to_look_again() -> None:
    """The next try and the deadline, the window's end, the delay: whichever comes first."""
    v2 = revision(2, progress_deadline_s=60.0)
    tries = attempt(1, v2, count=6, ago=1.0, since=50.0)

    assert decided([V1, v2], OLD, attempts=(tries,)).wake_at == NOW + 10
    assert decided([V1, v2], OLD, attempts=(tries,), deadline_s=0.0).wake_at == NOW + 29
    assert decided([V1, V2], [starting(1, V2, ago=9.0), *OLD[1:]]).wake_at == NOW + 591
    never = [starting(1, V2, ago=9.0), *OLD[1:]]
    assert decided([V1, V2], never, deadline_s=0.0).wake_at is None
    slow = revision(2, update=UpdateConfig(delay_s=3))
    assert decided([V1, slow], [running(1, slow, ago=2.0), *OLD[1:]]).wake_at == NOW + 1


def test_a_container_on_its_way_out_is_nobodys_task() -> None:
    """The engine is removing it: neither up nor down."""
    leaving = running(1, V1, status=ContainerStatus.REMOVING)

    assert decided([V1], [leaving, *OLD[1:]]).status.slots[0].state is TaskState.NEW


def test_paused_pending_tries_are_nothing_to_wait_for() -> None:
    """Nobody makes the task ready any more, so the command can end."""
    v2 = revision(2, ended=MarkKind.PAUSED)

    decision = decided([V1, v2], OLD, attempts=(attempt(1, v2, count=3, ago=1.0, since=9.0),))

    assert decision.wake_at is None
    assert decision.status.at_rest


def test_why_it_is_not_healthy_yet_and_what_happens_then() -> None:
    v2 = revision(2)
    task = starting(1, V2, probe="connection refused")

    status = decided([V1, v2], [OLD[1], OLD[2], task]).status

    assert (status.because, status.then) == ("last probe: connection refused", "fails")
    assert status.slots[0].note == "last probe: connection refused"


def test_what_docker_brings_back_is_not_steady() -> None:
    """Up at the moment, twice restarted; for a minute after the last start."""
    done = revision(2, ended=MarkKind.COMPLETED)
    back = {"restarts": 2, "last_exit": 3, "armed": True}
    tasks = [running(1, done, ago=5, **back), running(2, done, ago=70, **back), running(3, done)]

    status = decided([V1, done], tasks).status

    assert (status.running, status.steady, status.restarting) == (3, 2, (1,))
    assert status.slots[0].note == "restarted 2 times by Docker, last exit 3"


def test_a_slot_tells_of_the_new_task_or_of_the_old_and_of_its_end() -> None:
    v2 = revision(2)
    (old,) = [task for task in OLD if task.slot == 2]
    tasks = [running(1, V2, ago=3), *[task for task in OLD if task.slot != 1]]

    status = decided([V1, v2], tasks, leaving=frozenset({old.container_id})).status

    assert [slot.fresh for slot in status.slots] == [True, False, False]
    assert [slot.stopping for slot in status.slots] == [None, old, None]

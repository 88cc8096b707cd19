"""How a run ends, and what the ledger is then told."""

from __future__ import annotations

import pytest

from rollout.model.spec import FailureAction, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import Cause, MarkKind
from rollout.model.task import Task
from tests.decide.given import (
    NOW,
    actions,
    attempt,
    decided,
    ended,
    first,
    ready,
    revision,
    running,
    starting,
)

V1 = first()
LATE = 20.0
NEVER = RestartPolicy(condition=RestartCondition.NONE)
OLD = [running(slot, V1) for slot in (2, 3)]


def acting(action: FailureAction, **fields: float) -> UpdateConfig:
    return UpdateConfig(failure_action=action, **fields)  # type: ignore[arg-type]


def test_pause() -> None:
    """The task that was one too many is named, as Swarm does."""
    v2 = revision(2)

    assert actions([V1, v2], [ended(1, v2), *OLD]) == [
        "mark revision 2 paused, update paused due to failure or early termination of task 1b"
    ]


def test_rollback() -> None:
    """To the last revision that was complete."""
    v2 = revision(2, ended=MarkKind.PAUSED)
    v3 = revision(3, update=acting(FailureAction.ROLLBACK))
    rolled_back = "update rolled back due to failure or early termination of task 1c"

    assert actions([V1, v2, v3], [ended(1, v3), *OLD]) == [
        f"record revision 4 as a copy of 1, {rolled_back}"
    ]


def test_rollback_without_anything_to_go_back_to() -> None:
    """Nothing was ever complete: a pause."""
    v1 = revision(1, ended=MarkKind.FAILED)
    v2 = revision(2, update=acting(FailureAction.ROLLBACK))

    assert actions([v1, v2], [ended(1, v2), *OLD])[0].startswith("mark revision 2 paused")


def test_a_rollback_is_not_rolled_back() -> None:
    """It pauses, with the same words."""
    v2 = revision(2)
    v3 = revision(3, "v1", cause=Cause.AUTO_ROLLBACK, update=acting(FailureAction.ROLLBACK))
    tasks = [ended(1, v3), running(2, v2), running(3, v3)]

    assert actions([V1, v2, v3], tasks) == [
        "mark revision 3 paused, update paused due to failure or early termination of task 1c"
    ]


def test_new_slots_that_fail_have_failed() -> None:
    """A first deployment: nothing to pause or go back to."""
    v1 = revision(1)

    assert actions([v1], [ended(1, v1), running(2, v1), running(3, v1)]) == [
        "mark revision 1 failed, web.1 exited 1 2.0s after start"
    ]


def test_a_deadline_is_told_from_a_failure() -> None:
    """For the exit code: 6 and not 3."""
    v2 = revision(2, progress_deadline_s=60.0)

    late = decided([V1, v2], [running(1, V1), *OLD], attempts=(attempt(1, v2, since=60.0),))
    failed = decided([V1, v2], [ended(1, v2), *OLD])

    assert late.actions[0].reason == "deadline"  # type: ignore[union-attr]
    assert str(late).endswith("early termination of task web.1")
    assert failed.actions[0].reason == "failure"  # type: ignore[union-attr]


def test_what_was_begun_is_finished_all_the_same() -> None:
    """The slot that was emptied for its new task gets it."""
    v2 = revision(2, update=UpdateConfig(parallelism=2))
    tasks = [ended(1, v2), ended(2, V1, ago=0.1), ready(2, v2, ago=3.0), running(3, V1)]

    assert actions([V1, v2], tasks) == [
        "mark revision 2 paused, update paused due to failure or early termination of task 1b",
        "start web.2.2b, its predecessor is down",
    ]


def test_continue_never_counts() -> None:
    """It goes on with the next."""
    v2 = revision(2, update=acting(FailureAction.CONTINUE))

    assert actions([V1, v2], [ended(1, v2), ready(1, v2), *OLD, ready(2, v2)]) == [
        "stop web.2.2a, updated to revision 2"
    ]


def test_the_last_one_that_runs_is_kept() -> None:
    """After a failure, the old task of slot 3 is all there is."""
    v2 = revision(2, update=acting(FailureAction.CONTINUE), restart=NEVER)
    tasks = [ended(1, v2, ago=LATE), ended(2, v2, ago=LATE), running(3, V1), ready(3, v2)]

    assert actions([V1, v2], tasks) == [
        "mark revision 2 paused, update paused: web.3 kept, nothing else of the service would run"
    ]


def test_without_a_failure_all_may_go_at_once() -> None:
    """An operator's choice: parallelism 0."""
    v2 = revision(2, update=UpdateConfig(parallelism=0))
    tasks = [task for slot in (1, 2, 3) for task in (running(slot, V1), ready(slot, v2))]

    assert actions([V1, v2], tasks) == [
        "stop web.1.1a, updated to revision 2",
        "stop web.2.2a, updated to revision 2",
        "stop web.3.3a, updated to revision 2",
    ]


@pytest.mark.parametrize(
    ("ago", "said"),
    [(7.9, []), (8.0, ["mark revision 2 completed, update completed"])],
    ids=["still watched", "long enough"],
)
def test_complete(ago: float, said: list[str]) -> None:
    """Delay 3 s and monitor 5 s after the last one was running."""
    v2 = revision(2, update=UpdateConfig(delay_s=3))
    tasks = [running(slot, v2, ago=ago, armed=True) for slot in (1, 2, 3)]

    assert actions([V1, v2], tasks) == said


def test_complete_is_a_moment_to_look_again() -> None:
    """Though nothing happens until then."""
    v2 = revision(2)
    tasks = [running(slot, v2, ago=2.0, armed=True) for slot in (1, 2, 3)]

    assert decided([V1, v2], tasks).wake_at == NOW + 3.0


def test_a_rollback_completes_with_its_own_words() -> None:
    v2 = revision(2)
    v3 = revision(3, "v1", cause=Cause.ROLLBACK, restores=1)
    tasks = [running(slot, v3, ago=20.0, armed=True) for slot in (1, 2, 3)]

    assert actions([V1, v2, v3], tasks) == ["mark revision 3 completed, rollback completed"]


def test_what_replaced_nothing_completes_without_words() -> None:
    """A change of cadence, a scale, a first deployment: Swarm shows no update."""
    v2 = revision(2, "v1", update=UpdateConfig(parallelism=2))

    decision = decided([V1, v2], [running(slot, V1) for slot in (1, 2, 3)])

    assert str(decision) == "mark revision 2 completed, "


@pytest.mark.parametrize(
    "task",
    [
        starting(1, revision(2), ago=9.0, running_since=NOW - 9),
        running(1, V1),
        ended(1, V1, ago=0.1),
    ],
    ids=["not well", "out of date", "between old and new"],
)
def test_not_while_a_slot_is_on_its_way(task: Task) -> None:
    v2 = revision(2)
    tasks = [task, *[running(slot, v2, ago=50.0) for slot in (2, 3)]]

    assert not [each for each in actions([V1, v2], tasks) if each.startswith("mark")]


def test_not_while_slots_too_many_are_there() -> None:
    v2 = revision(2, "v1", replicas=1)

    assert actions([V1, v2], [running(1, V1), *OLD]) == [
        "stop web.2.2a, one slot too many",
        "stop web.3.3a, one slot too many",
    ]


def test_new_slots_that_cannot_be_made_do_not_hold_an_update_up() -> None:
    """Outside parallelism, delay and counting, as in Swarm: by the deadline it is over."""
    v2 = revision(2, replicas=4, progress_deadline_s=60.0)
    tasks = [running(slot, v2, ago=90.0, armed=True) for slot in (1, 2, 3)]

    waiting = actions([V1, v2], tasks, attempts=(attempt(4, v2, since=59.0),))
    over = actions([V1, v2], tasks, attempts=(attempt(4, v2, since=60.0),))

    assert (waiting, over) == ([], ["mark revision 2 completed, update completed"])


def test_what_docker_restarts_over_and_over_is_seen_to() -> None:
    """It may have passed its window when it was handed over; now it does not run.  Taken back, its
    next end is its last."""
    v2 = revision(2)
    well = [running(slot, v2, ago=50.0, armed=True) for slot in (2, 3)]
    fields = {"created_at": NOW - 60, "restarts": 7}
    looping = starting(1, v2, ago=0.5, armed=True, **fields)

    assert actions([V1, v2], [looping, *well]) == ["arm web.1.1b, restarted by Docker, taken back"]
    assert actions([V1, v2], [running(1, v2, ago=4.9, armed=False, **fields), *well]) == []
    assert actions([V1, v2], [running(1, v2, ago=5.0, armed=True, **fields), *well]) == [
        "mark revision 2 completed, update completed"
    ]
    again = ended(1, v2, after=2.0, armed=False, **fields)
    assert "mark revision 2 paused" in actions([V1, v2], [again, *well])[0]

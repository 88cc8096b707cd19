"""What counts as a failure of a run, when it happened, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.decide.failure import retry_at, too_many
from rollout.model.spec import UpdateConfig
from rollout.model.state import ContainerStatus, MarkKind
from rollout.model.task import Task
from tests.decide.given import (
    NOW,
    attempt,
    ended,
    first,
    mark,
    ready,
    revision,
    running,
    seen,
    starting,
    unhealthy,
    unstartable,
)

V1 = first()
V2 = revision(2, progress_deadline_s=60.0)


def reasons(tasks: list[Task], made_for: Any = V2, **fields: Any) -> list[str]:
    rest = [running(slot, V1) for slot in (2, 3)]
    return [each.reason for each in seen([V1, made_for], [*tasks, *rest], **fields).failures]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (ended(1, V2, exit_code=3), "exited 3 2.0s after start"),
        (ended(1, V2, exit_code=0), "exited 0 2.0s after start"),
        (ended(1, V2, exit_code=137, oom_killed=True), "killed, out of memory, 2.0s after start"),
        (ended(1, V2, running_since=None, after=30.0), "exited 1 30.0s after start"),
        (ended(1, V2, finished_at=None), "exited 1"),
        (unhealthy(1, V2), "unhealthy: refused"),
        (unhealthy(1, V2, error=""), "unhealthy"),
        (ended(1, V2, exit_code=0, unhealthy_since=NOW - 2, error="refused"), "unhealthy: refused"),
        (unstartable(1, V2), "could not be started: port is already allocated"),
        (starting(1, V2, ago=60.0), "not running after 1m0s"),
        (starting(1, V2, ago=61.0, error="refused"), "not running after 1m0s: refused"),
        (running(1, V2, ago=70.0, running_since=NOW - 5), "not running after 1m0s"),
        (
            running(1, V2, ago=61.0, status=ContainerStatus.PAUSED),
            "not running after 1m0s: paused by docker pause",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_counts(task: Task, reason: str) -> None:
    """Anything that ends a task, or keeps it from running, before its window is over."""
    assert reasons([task]) == [reason]


@pytest.mark.parametrize(
    "task",
    [
        running(1, V2, ago=1.0),
        starting(1, V2, ago=59.0),
        ready(1, V2),
        ended(1, V2, after=6.0),
        running(1, V2, ago=59.0, running_since=NOW - 5),
        running(1, V2, ago=59.0, status=ContainerStatus.PAUSED),
        ended(1, V2, after=6.0, armed=True),
        ended(1, V1),
    ],
    ids=[
        "runs",
        "starts",
        "ready",
        "after its window",
        "late but in time",
        "paused",
        "handed over, after its window",
        "old",
    ],
)
def test_what_does_not_count(task: Task) -> None:
    """What runs, may still run, was watched long enough, or was never this run's."""
    assert reasons([task]) == []


def test_a_slot_fails_by_its_first_task() -> None:
    """The second one of the slot fails too, and later: one failure, the first."""
    found = seen(
        [V1, V2],
        [ended(1, V2, ago=9.0, id="x"), ended(1, V2, ago=1.0, exit_code=9, id="y")],
    ).failures

    assert [(each.slot, each.task_id, each.at) for each in found] == [(1, "x", NOW - 9.0)]


def test_a_failure_is_dated_by_what_happened() -> None:
    """The probe, the exit, the deadline; not by when somebody looked."""
    found = seen(
        [V1, V2],
        [unhealthy(1, V2, ago=8.0), ended(2, V2, ago=4.0), starting(3, V2, ago=100.0)],
    ).failures

    assert [(each.slot, each.at) for each in found] == [
        (3, NOW - 40.0),
        (1, NOW - 8.0),
        (2, NOW - 4.0),
    ]


def test_the_window_is_longer_once_the_last_slot_is_begun() -> None:
    """Delay 4 s, monitor 2 s: an end 3 s after the start counts for the last slot (5 s) only."""
    v2 = revision(2, replicas=2, update=UpdateConfig(delay_s=4, monitor_s=2))
    v1 = first(replicas=2)
    failing = ended(1, v2, ago=1.0, after=3.0)

    waiting = seen([v1, v2], [failing, running(2, v1)])
    begun = seen([v1, v2], [failing, running(2, v2, ago=2.0)])

    assert waiting.failures == ()
    assert [each.slot for each in begun.failures] == [1]


def test_a_try_that_is_out_of_time_has_failed() -> None:
    """No task of that name was ever made."""
    in_time = seen([V1, V2], [running(1, V1)], attempts=(attempt(1, V2, since=59.0),))
    late = seen([V1, V2], [running(1, V1)], attempts=(attempt(1, V2, since=60.0),))

    assert in_time.failures == ()
    assert [(each.reason, each.task_id, each.at, each.deadline) for each in late.failures] == [
        ("not ready after 1m0s: no such image", "", NOW, True)
    ]


def test_without_a_deadline_nothing_is_late() -> None:
    """0 is as long as it takes, as in Swarm."""
    v2 = revision(2, progress_deadline_s=0.0)

    assert reasons([starting(1, v2, ago=50_000.0)], v2) == []
    assert reasons([], v2, attempts=(attempt(1, v2, since=90.0),)) == []


def test_after_a_resume_the_deadline_begins_anew() -> None:
    """Still starting when it was resumed: it has all its time again."""
    marks = (mark(MarkKind.PAUSED, ago=50), mark(MarkKind.RESUMED, 2, ago=40))
    v2 = revision(2, progress_deadline_s=60.0, marks=marks)

    assert reasons([starting(1, v2, ago=90.0)], v2) == []


@pytest.mark.parametrize(
    ("failures", "slots", "ratio", "verdict"),
    [
        (0, 3, 0.0, False),
        (1, 10, 0.0, True),
        (2, 4, 0.5, False),
        (3, 4, 0.5, True),
        (3, 3, 1.0, False),
        (0, 0, 0.0, False),
    ],
)
def test_strictly_more_than_the_ratio(
    failures: int, slots: int, ratio: float, verdict: bool
) -> None:
    """Swarm's rule."""
    assert too_many(failures, slots, ratio) is verdict


def test_pauses_between_tries_grow() -> None:
    """1, 2, 4, 8, 16, then every 30 s."""
    pauses = [retry_at(attempt(1, V2, count=count)) - NOW for count in range(1, 8)]

    assert pauses == [1, 2, 4, 8, 16, 30, 30]

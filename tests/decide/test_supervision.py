"""One question at a time: what differs where somebody watches for good."""

from __future__ import annotations

import pytest

from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition, RestartPolicy
from rollout.model.state import ContainerStatus, MarkKind
from rollout.model.task import Task
from tests.decide.given import (
    NOW,
    actions,
    attempt,
    decided,
    ended,
    first,
    revision,
    running,
    unhealthy,
    unstartable,
)

ANY = RestartPolicy(delay_s=5.0)
ONE = first(replicas=1, restart=ANY)


def _supervised(revisions: list[Revision], tasks: list[Task]) -> list[str]:
    return actions(revisions, tasks, supervised=True)


def test_an_unhealthy_task_is_stopped_though_it_is_dockers() -> None:
    task = unhealthy(1, ONE, armed=True)

    assert _supervised([ONE], [task]) == ["stop web.1.1a, unhealthy"]
    assert actions([ONE], [task]) == []


def test_told_to_stop_it_does_so_no_longer() -> None:
    task = unhealthy(1, ONE, armed=True)

    assert actions([ONE], [task], supervised=True, stopping=True) == []


@pytest.mark.parametrize("status", [ContainerStatus.RUNNING, ContainerStatus.RESTARTING])
def test_what_docker_has_restarted_is_taken_back(status: ContainerStatus) -> None:
    """Docker knows neither delay nor window."""
    task = running(1, ONE, status=status, restarts=1)

    assert _supervised([ONE], [task]) == ["arm web.1.1a, restarted by Docker, taken back"]
    assert actions([ONE], [task]) == []


def test_what_was_taken_back_stays_so() -> None:
    """It is Docker's again only when nobody will watch."""
    task = running(1, ONE, restarts=1, armed=False)

    assert _supervised([ONE], [task]) == []
    assert actions([ONE], [task]) == ["arm web.1.1a, watched long enough"]
    assert actions([ONE], [task], supervised=True, stopping=True) == [
        "arm web.1.1a, watched long enough"
    ]


def test_a_replacement_is_not_given_away_again() -> None:
    """The next end is to be followed by the delay."""
    tasks = [ended(1, ONE, ago=50.0, id="o"), running(1, ONE, ago=40.0, armed=False)]

    assert _supervised([ONE], tasks) == []
    assert actions([ONE], tasks) == ["arm web.1.1a, watched long enough"]


def test_what_docker_has_left_down_is_started_again() -> None:
    """After a daemon that was killed: exited 0, though it was to be brought back."""
    task = ended(1, ONE, ago=60.0, exit_code=0, armed=True)

    assert _supervised([ONE], [task]) == ["prepare and start web.1, restarted"]


def test_what_could_not_be_started_at_last_is_tried_on() -> None:
    task = unstartable(1, ONE, ago=9.0, armed=True)

    assert _supervised([ONE], [task]) == ["prepare and start web.1, restarted"]
    assert actions([ONE], [task]) == []


@pytest.mark.parametrize("count", [1, 6, 5000])
def test_a_slot_that_cannot_be_filled_is_tried_for_ever(count: int) -> None:
    """The pauses grow to 30 s, and no further."""
    tried = attempt(1, ONE, count=count, ago=30.0, since=40_000.0)

    assert _filled(count, 30.0) == ["prepare and start web.1, slot is empty"]
    assert actions([ONE], [], attempts=(tried,)) == []
    if count > 1:
        waiting = attempt(1, ONE, count=count, ago=1.0, since=40_000.0)
        decision = decided([ONE], [], supervised=True, attempts=(waiting,))
        assert decision.actions == ()
        assert decision.wake_at == NOW + 29.0
        assert not decision.status.at_rest


def _filled(count: int, ago: float) -> list[str]:
    tried = attempt(1, ONE, count=count, ago=ago, since=40_000.0)
    return actions([ONE], [], supervised=True, attempts=(tried,))


def test_an_update_under_way_still_gives_up_at_its_deadline() -> None:
    """So that it fails, and can be rolled back."""
    v2 = revision(2, replicas=1, progress_deadline_s=60.0)
    tried = attempt(1, v2, count=9, ago=40.0, since=90.0)

    found = actions([ONE, v2], [running(1, ONE)], supervised=True, attempts=(tried,))

    assert any(each.startswith("mark revision 2 paused") for each in found)


def test_while_paused_an_old_unhealthy_task_is_replaced_by_an_old_one() -> None:
    v1 = first(replicas=2, restart=ANY)
    v2 = revision(2, replicas=2, restart=ANY, ended=MarkKind.PAUSED)
    sick = unhealthy(1, v1, armed=True)
    gone = ended(1, v1, ago=6.0)

    assert _supervised([v1, v2], [sick, running(2, v1)]) == ["stop web.1.1a, unhealthy"]
    decision = decided([v1, v2], [gone, running(2, v1)], supervised=True)
    assert [each.revision.number for each in decision.actions] == [1]  # type: ignore[union-attr]


def test_another_definition_in_between_counts_from_nothing() -> None:
    """One attempt; what was stopped for revision 2 was no restart."""
    policy = RestartPolicy(delay_s=0.0, max_attempts=1)
    v1 = first(replicas=1, restart=policy)
    v2 = revision(2, replicas=1, restart=policy, ended=MarkKind.COMPLETED, ago=500.0)
    back = revision(3, "v1", replicas=1, restart=policy, ended=MarkKind.COMPLETED, ago=200.0)
    before = [
        ended(1, v1, ago=499.0, after=400.0, id="a"),
        ended(1, v2, ago=199.0, after=250.0, id="b"),
    ]
    once = [ended(1, back, ago=20.0, after=100.0, id="c")]
    twice = [*once, ended(1, back, ago=2.0, after=10.0, id="d")]

    assert "prepare and start web.1, restarted" in _supervised([v1, v2, back], before + once)
    assert _supervised([v1, v2, back], before + twice) == []


@pytest.mark.parametrize(
    ("made_ago", "started_ago", "again"), [(50.0, 3.0, False), (500.0, 3.0, True)]
)
def test_restarts_by_docker_count_within_the_window(
    made_ago: float, started_ago: float, again: bool
) -> None:
    """All of a task that was made within it; of an older one only the last is known."""
    policy = RestartPolicy(
        condition=RestartCondition.ON_FAILURE, delay_s=0.0, max_attempts=3, window_s=60.0
    )
    v1 = first(replicas=1, restart=policy)
    task = ended(
        1, v1, ago=1.0, after=started_ago - 1.0, created_at=NOW - made_ago, restarts=3, armed=True
    )

    assert bool(_supervised([v1], [task])) is again

"""Batches: who is in flux, who is next, and when."""

from __future__ import annotations

from rollout.model.spec import Order, UpdateConfig
from tests.decide.given import (
    NOW,
    actions,
    attempt,
    doing,
    ended,
    first,
    ready,
    revision,
    running,
    seen,
    starting,
    unhealthy,
)

V1 = first(replicas=6)


def test_a_batch_is_made_ready_first() -> None:
    """Nothing is stopped yet."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=2))

    assert actions([V1, v2], [running(slot, V1) for slot in range(1, 7)]) == [
        "prepare web.1, updated to revision 2",
        "prepare web.2, updated to revision 2",
    ]


def test_a_batch_that_is_ready_is_begun() -> None:
    """And the one after it is prepared once it has room."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=2))
    old = [running(slot, V1) for slot in range(1, 7)]

    assert actions([V1, v2], [*old, ready(1, v2), ready(2, v2)]) == [
        "stop web.1.1a, updated to revision 2",
        "stop web.2.2a, updated to revision 2",
    ]


def test_all_of_a_batch_must_be_ready() -> None:
    """One is not, so none is begun."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=2))
    old = [running(slot, V1) for slot in range(1, 7)]

    assert actions([V1, v2], [*old, ready(1, v2)]) == ["prepare web.2, updated to revision 2"]


def test_start_first_starts() -> None:
    """The old one is stopped once the new one runs."""
    v2 = revision(2, replicas=6, update=UpdateConfig(order=Order.START_FIRST))
    old = [running(slot, V1) for slot in range(1, 7)]

    assert actions([V1, v2], [*old, ready(1, v2)]) == ["start web.1.1b, updated to revision 2"]
    assert actions([V1, v2], [*old, running(1, v2, ago=1.0), ready(2, v2)]) == [
        "stop web.1.1a, replaced by revision 2",
        "start web.2.2b, updated to revision 2",
    ]


def test_a_slot_whose_old_task_is_down_gets_its_new_one() -> None:
    """Whatever else is going on in the batch."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=2))
    old = [running(slot, V1) for slot in range(2, 7)]
    tasks = [*old, ended(1, V1, ago=0.1), ready(1, v2, ago=2.0), ready(2, v2), ready(3, v2)]

    assert actions([V1, v2], tasks, busy=doing(old[0])) == [
        "start web.1.1b, its predecessor is down",
        "prepare web.4, updated to revision 2",
    ]


def test_room_is_what_parallelism_leaves() -> None:
    """Three together: one in flux, one of the same batch through already, so one more."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=3, delay_s=10))
    old = [running(slot, V1) for slot in range(3, 7)]
    new = [starting(1, v2, ago=3.0), running(2, v2, ago=1.0)]

    batch = seen([V1, v2], [*new, *old]).batch

    assert (batch.in_flux, batch.mates, batch.room) == ((1,), (2,), 1)


def test_the_next_batch_waits_for_the_delay() -> None:
    """From the moment when the last one of the batch was through."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=2, delay_s=10))
    old = [running(slot, V1) for slot in range(3, 7)]
    new = [running(1, v2, ago=8.0), running(2, v2, ago=3.0)]

    batch = seen([V1, v2], [*new, *old]).batch

    assert (batch.in_flux, batch.mates, batch.room) == ((), (), 2)
    assert batch.open_at == NOW + 7.0


def test_parallelism_zero_has_room_for_all() -> None:
    """All that the run replaces."""
    v2 = revision(2, replicas=6, update=UpdateConfig(parallelism=0))

    assert seen([V1, v2], [running(slot, V1) for slot in range(1, 7)]).batch.room == 6


def test_down_first_then_unhealthy_then_ascending() -> None:
    """Replacing what does not work costs nothing."""
    v2 = revision(2, replicas=6)
    tasks = [
        running(1, V1),
        running(2, V1),
        unhealthy(3, V1),
        ended(4, V1, ago=500.0),
        running(5, V1),
        running(6, V1),
    ]

    candidates = seen([V1, v2], tasks).batch.candidates

    assert [slot.number for slot in candidates] == [4, 3, 1, 2, 5, 6]


def test_what_is_being_stopped_is_in_flux() -> None:
    """Only the controller that asked for it knows."""
    v2 = revision(2, replicas=6)
    old = [running(slot, V1) for slot in range(1, 7)]
    tasks = [*old, ready(1, v2)]

    assert seen([V1, v2], tasks).batch.in_flux == ()
    assert seen([V1, v2], tasks, busy=doing(old[0])).batch.in_flux == (1,)
    assert seen([V1, v2], tasks, busy=doing(old[0])).batch.room == 0


def test_what_still_starts_from_an_earlier_run_is_in_flux() -> None:
    """A new task of revision 2, up but not running; revision 4 asks for the same again."""
    v2, v3, v4 = revision(2, replicas=6), revision(3, replicas=6), revision(4, "v2", replicas=6)
    old = [running(slot, V1) for slot in range(2, 7)]

    assert seen([V1, v2, v3, v4], [starting(1, v2, ago=3.0), *old]).batch.in_flux == (1,)
    assert seen([V1, v2, v3, v4], [starting(1, v2, ago=700.0), *old]).batch.in_flux == ()
    for_ever = revision(4, "v2", replicas=6, progress_deadline_s=0.0)
    assert seen([V1, v2, v3, for_ever], [starting(1, v2, ago=700.0), *old]).batch.in_flux == (1,)
    handed_over = starting(1, v2, ago=3.0, armed=True)
    assert seen([V1, v2, v3, v4], [handed_over, *old]).batch.in_flux == (1,)


def test_a_slot_that_was_emptied_is_waited_for() -> None:
    """Somebody removed its container: it is down, so it takes up room."""
    v2 = revision(2, replicas=6)
    old = [running(slot, V1) for slot in range(2, 7)]

    batch = seen([V1, v2], old).batch
    assert (batch.in_flux, batch.empty, batch.room) == ((), 1, 0)
    assert actions([V1, v2], [*old, ready(2, v2)]) == [
        "prepare and start web.1, slot is empty",
    ]


def test_a_slot_that_could_not_be_made_ready_is_passed_over() -> None:
    """By the deadline it has failed, and the others have their turn."""
    v2 = revision(2, replicas=6, progress_deadline_s=60.0, update=UpdateConfig(max_failure_ratio=1))
    old = [running(slot, V1) for slot in range(1, 7)]

    batch = seen([V1, v2], old, attempts=(attempt(1, v2, since=61.0),)).batch

    assert [slot.number for slot in batch.candidates] == [2, 3, 4, 5, 6]


def test_a_restart_by_docker_does_not_move_the_delay() -> None:
    """Handed over and restarted since: it was through when it was made, as far as can be told."""
    v2 = revision(2, replicas=6, update=UpdateConfig(delay_s=60))
    restarted = running(1, v2, ago=1.0, created_at=NOW - 100, restarts=1, armed=True)
    back_and_forth = starting(2, v2, ago=1.0, created_at=NOW - 90, restarts=4, armed=True)

    batch = seen([V1, v2], [restarted, back_and_forth]).batch

    assert batch.settled_at == NOW - 90

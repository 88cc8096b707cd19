"""Each slot in exactly one bucket."""

from __future__ import annotations

import pytest
from hypothesis import given as example
from hypothesis import strategies as st
from msgspec import structs

from rollout.decide.run import run_of
from rollout.decide.slots import Bucket, slots_of
from rollout.decide.update import next_batch
from rollout.model.spec import RestartPolicy
from rollout.model.state import ContainerStatus, MarkKind
from rollout.model.task import Task
from tests.decide.given import (
    LONG_AGO,
    NOW,
    actions,
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
V2 = revision(2)

KINDS = [running, starting, unhealthy, ready, ended, unstartable]


@pytest.mark.parametrize(
    ("tasks", "bucket"),
    [
        ([], Bucket.VACANT),
        ([running(1, V2, ago=1.0)], Bucket.UPDATED),
        ([running(1, V1), running(1, V2, ago=1.0)], Bucket.OVERLAP),
        ([starting(1, V2)], Bucket.STARTING),
        ([running(1, V1), starting(1, V2)], Bucket.STARTING),
        ([unhealthy(1, V2)], Bucket.STARTING),
        ([ended(1, V1, ago=0.2), ready(1, V2)], Bucket.VACATED),
        ([ended(1, V1, ago=0.9), ready(1, V2)], Bucket.DOWN),
        ([ended(1, V1, ago=9.0), ended(1, V2)], Bucket.FAILED),
        ([running(1, V1), ended(1, V2)], Bucket.FAILED),
        ([running(1, V1), unstartable(1, V2)], Bucket.FAILED),
        ([running(1, V1)], Bucket.DIRTY),
        ([running(1, V1), ready(1, V2)], Bucket.DIRTY),
        ([starting(1, V1)], Bucket.DIRTY),
        ([ended(1, V1)], Bucket.DOWN),
        ([ready(1, V2)], Bucket.VACANT),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_a_slot_is(tasks: list[Task], bucket: Bucket) -> None:
    """The buckets, one example each."""
    view = seen([V1, V2], tasks)

    assert view.slots[0].bucket == bucket


def test_the_last_task_had_the_right_definition_and_ended() -> None:
    """Of an earlier run: that is the restart policy's business."""
    v1 = first()

    assert seen([v1], [ended(1, v1)]).slots[0].bucket is Bucket.FAILED
    assert seen([v1, revision(2, "v1")], [ended(1, v1)]).slots[0].bucket is Bucket.LOST


def test_what_failed_before_a_rollback_that_was_not_carried_out_is_down() -> None:
    """v2 failed in slot 1, v1 was asked for, and v2 again: slot 1 goes first, slot 2 stays up."""
    revisions = [V1, V2, revision(3, "v1", ago=10.0), revision(4, "v2", ago=5.0)]
    view = seen(revisions, [ended(1, V2, ago=20.0), running(2, V1), running(3, V1)])

    assert [slot.bucket for slot in view.slots] == [Bucket.DOWN, Bucket.DIRTY, Bucket.DIRTY]
    assert [slot.number for slot in next_batch(view)] == [1]


def test_what_was_stopped_for_something_no_longer_asked_for_leaves_the_slot_empty() -> None:
    """v1 was stopped for v2 when v1 was asked for again."""
    back = revision(3, "v1")
    tasks = [ended(1, V1, ago=0.2), ready(1, V2)]

    assert seen([V1, V2, back], tasks).slots[0].bucket is Bucket.VACANT


def test_what_was_scaled_away_has_not_failed() -> None:
    """5 slots, then 1, then 3: slot 2 was being stopped when it was asked for again."""
    revisions = [
        first(replicas=5),
        revision(2, "v1", replicas=1, ago=8),
        revision(3, "v1", replicas=3, ago=5),
    ]
    stopped = ended(2, V1, ago=2.0, after=50.0, revision=2)

    slot = seen(revisions, [running(1, V1), stopped]).slots[1]

    assert (slot.bucket, slot.run) == (Bucket.VACANT, ())
    before = ended(2, V1, ago=9.0, after=50.0)
    slot = seen(revisions, [running(1, V1), before]).slots[1]
    assert (slot.bucket, slot.run, slot.gone) == (Bucket.VACANT, (), (before,))


def test_a_slot_that_comes_back_begins_anew() -> None:
    """Its earlier tasks are history, of whatever definition and however they ended: it is new, not
    replaced, and they count for no restart policy."""
    down, up = revision(2, "v1", replicas=0, ago=8), revision(3, "v2", replicas=1, ago=5)
    before = [ended(1, V1, ago=20.0, id="x"), ended(1, V1, ago=9.0, id="y")]

    (slot,) = seen([first(replicas=1), down, up], before).slots

    assert (slot.bucket, slot.existed, slot.last) == (Bucket.VACANT, False, None)
    twice = RestartPolicy(max_attempts=2, delay_s=0.0)
    one = first(replicas=1, restart=twice)
    down = revision(2, "v1", replicas=0, ago=8, restart=twice, ended=MarkKind.COMPLETED)
    up = revision(3, "v1", replicas=1, ago=5, restart=twice, ended=MarkKind.COMPLETED)
    tasks = [*before, ended(1, up, ago=1.0, after=1.0, id="z")]
    assert actions([one, down, up], tasks) == ["prepare web.1, restarted"]


def test_a_slot_that_was_kept_when_others_went_is_no_history() -> None:
    """3 slots, then 2: 2 was down and went, 3 stayed.  What ends in it later is looked after."""
    down = revision(2, "v1", replicas=2, ago=50, ended=MarkKind.COMPLETED)
    gone, later = ended(2, V1, ago=60.0), running(3, down, ago=20.0, status=ContainerStatus.EXITED)
    later = structs.replace(later, finished_at=NOW - 1.0, exit_code=1)

    view = seen([V1, down], [running(1, V1), gone, later])

    assert [slot.number for slot in view.slots] == [1, 3]
    assert view.slots[1].last == later


def test_what_ended_last_counts_not_what_was_made_last() -> None:
    """Start-first: the new one was stopped first, and the old one now, for another new one."""
    again = revision(4, "v2")
    tasks = [
        ended(1, V1, ago=0.1, after=LONG_AGO),
        ended(1, V2, ago=20.0),
        ready(1, again, ago=9.0),
    ]

    assert seen([V1, V2, revision(3), again], tasks).slots[0].bucket is Bucket.VACATED


def test_a_task_being_stopped_is_not_what_is_wanted() -> None:
    """It has the right definition and runs, but is on its way out."""
    back = revision(3, "v1")
    task = running(1, V1)
    view = seen([V1, V2, back], [task], leaving=frozenset({task.container_id}))

    assert view.slots[0].bucket is Bucket.DIRTY
    assert view.slots[0].old == (task,)


def test_a_task_that_somebody_else_was_stopping_is_not_what_is_wanted() -> None:
    """Whoever stopped it, for a definition that was taken back, may be dead: it ends all the same.
    What the run itself has started stays what it is (`docker restart`), and so does all at rest."""
    back = revision(3, "v1")
    before, of_run = running(1, V1, stop_ends_at=NOW + 5), running(1, back, stop_ends_at=NOW + 5)
    outlived = running(1, V1, stop_ends_at=NOW)
    completed = revision(3, "v1", marks=(mark(MarkKind.COMPLETED, ago=1),))

    assert seen([V1, V2, back], [before]).slots[0].bucket is Bucket.DIRTY
    assert seen([V1, V2, back], [of_run]).slots[0].bucket is Bucket.UPDATED
    assert seen([V1, V2, back], [outlived]).slots[0].bucket is Bucket.UPDATED
    assert seen([V1, V2, completed], [before]).slots[0].bucket is Bucket.UPDATED


def test_a_ready_task_of_an_earlier_run_is_stale() -> None:
    """Started, it would not be judged by the run that is on now."""
    again = revision(4, "v2")
    view = seen([V1, V2, revision(3), again], [running(1, V1), ready(1, V2)])

    assert view.slots[0].ready is None
    assert [task.id for task in view.slots[0].stale] == ["1b"]


def test_of_two_new_ones_the_one_that_runs_is_kept() -> None:
    """Whatever order the engine lists them in."""
    well, unwell = running(1, V2, ago=1.0), starting(1, V2, ago=9.0, id="other")

    for tasks in ([well, unwell], [unwell, well]):
        slot = seen([V1, V2], tasks).slots[0]
        assert slot.new == well
        assert slot.surplus == (unwell,)


def test_resuming_forgives_what_had_failed() -> None:
    """What ended before is of no run; what was still starting then is."""
    v2 = revision(2, marks=(mark(MarkKind.PAUSED, ago=8), mark(MarkKind.RESUMED, 2, ago=5)))

    assert seen([V1, v2], [ended(1, v2, ago=7.0)]).slots[0].run == ()
    assert seen([V1, v2], [ended(1, v2, ago=7.0)]).slots[0].bucket is Bucket.DOWN
    assert seen([V1, v2], [ended(1, v2, ago=2.0, after=20.0)]).slots[0].run == ()
    assert seen([V1, v2], [running(1, v2, ago=20.0)]).slots[0].run == ()
    assert len(seen([V1, v2], [starting(1, v2, ago=20.0)]).slots[0].run) == 1
    assert len(seen([V1, v2], [ended(1, v2, ago=1.0)]).slots[0].run) == 1


def test_slots_beyond_the_number_there_was_are_new() -> None:
    """2 replicas before, 4 now."""
    v2 = revision(2, replicas=4)
    view = seen([first(replicas=2), v2], [running(1, V1), running(2, V1)])

    assert [(slot.number, slot.existed) for slot in view.slots] == [
        (1, True),
        (2, True),
        (3, False),
        (4, False),
    ]
    assert [slot.number for slot in view.members] == [1, 2]


@example(
    st.lists(
        st.tuples(
            st.integers(1, 3), st.sampled_from(KINDS), st.booleans(), st.sampled_from([0.1, 3, 9])
        ),
        max_size=12,
    )
)
def test_every_task_is_in_one_place(tasks: list[tuple[int, object, bool, float]]) -> None:
    """A slot's tasks are new, old, surplus, ready, stale or ended: each exactly one of these."""
    made = [
        make(slot, V2 if new else V1, ago=ago, id=f"{at}")  # type: ignore[operator]
        for at, (slot, make, new, ago) in enumerate(tasks)
    ]

    for slot in slots_of(made, run_of((V1, V2))):
        one = [each for each in (slot.new, slot.ready) if each is not None]
        places = [*one, *slot.old, *slot.surplus, *slot.stale]
        places += [task for task in slot.tasks if task.ended]
        assert sorted(task.id for task in places) == sorted(task.id for task in slot.tasks)
    assert sorted(t.id for s in slots_of(made, run_of((V1, V2))) for t in s.tasks) == sorted(
        task.id for task in made
    )


def test_tries_before_the_run_do_not_count() -> None:
    """An attempt of last week's update to the same image; one of this run has its whole time."""
    v2 = revision(2, ago=10.0)

    assert seen([V1, v2], [], attempts=(attempt(1, v2, ago=20, since=30),)).attempts == {}
    assert seen([V1, v2], [], attempts=(attempt(1, v2, ago=5, since=30),)).attempts[1].first_at == (
        NOW - 10
    )

"""What is no longer needed: slots too many, stale Ready tasks, history."""

from __future__ import annotations

from msgspec import structs

from rollout.model.action import Prepare
from rollout.model.spec import Order, RestartCondition, RestartPolicy, UpdateConfig
from rollout.model.state import ContainerStatus, MarkKind
from tests.decide.given import (
    actions,
    decided,
    doing,
    ended,
    first,
    mark,
    ready,
    revision,
    running,
    seen,
    starting,
    unhealthy,
)

V1 = first(replicas=1)


def test_slots_too_many_are_stopped_and_kept_as_history() -> None:
    """So that what failed can be looked into; within the limit, and never to be started again."""
    v2 = revision(2, "v1", replicas=1)
    kept = running(1, V1)

    assert actions([V1, v2], [kept, ended(2, V1, ago=99.0), running(2, V1, id="x")]) == [
        "stop web.2.x, one slot too many"
    ]
    assert actions([V1, v2], [kept, ended(2, V1, ago=99.0), ended(2, V1, id="x")]) == [
        "mark revision 2 completed, "
    ]
    done = revision(2, "v1", replicas=1, ended=MarkKind.COMPLETED)
    many = [ended(2, V1, ago=float(99 - at), id=f"t{at}", armed=at == 5) for at in range(6)]
    assert actions([V1, done], [kept, *many]) == [
        "stop web.2.t5, one slot too many",
        "remove web.2.t0, history limit",
    ]
    assert actions([V1, done], [kept, ready(2, V1)]) == ["remove web.2.2a, one slot too many"]


def test_history_of_a_slot_is_in_nobodys_way() -> None:
    """Slots 2 to 4 were scaled away, and slot 3 failed before: what is asked for next is slot 2."""
    down = revision(2, "v1", replicas=1, ago=50.0, ended=MarkKind.COMPLETED)
    left = [ended(2, V1, ago=49.0), ended(3, V1, ago=80.0), ended(4, V1, ago=49.0)]
    up = revision(3, "v1", replicas=2, ago=5.0)

    view = seen([first(replicas=4), down, up], [running(1, V1), *left])

    assert [slot.number for slot in view.slots] == [1, 2]
    assert [slot.number for slot in view.extra] == [3, 4]
    assert actions([first(replicas=4), down, up], [running(1, V1), *left]) == [
        "prepare and start web.2, slot is empty"
    ]


def test_a_slot_that_was_down_does_not_come_back_for_one_that_ends() -> None:
    """3 of 1 2 3 4 where 2 was down; then 4 ends: that is what is looked after."""
    down = revision(2, "v1", replicas=3, ago=50.0, ended=MarkKind.COMPLETED)
    tasks = [running(1, V1), ended(2, V1, ago=60.0), running(3, V1), ended(4, V1, ago=1.0)]

    view = seen([first(replicas=4), down], tasks)

    assert [slot.number for slot in view.slots] == [1, 3, 4]


def test_slots_that_do_not_run_go_first() -> None:
    """3 of 1 2 3 4 5 where 2 is down: 1, 3 and 4 stay."""
    v2 = revision(2, "v1", replicas=3)
    tasks = [running(slot, V1) for slot in (1, 3, 4, 5)]

    for bad in (ended(2, V1), unhealthy(2, V1, armed=True)):
        view = seen([first(replicas=5), v2], [*tasks, bad])
        assert [slot.number for slot in view.slots] == [1, 3, 4]
        assert [slot.number for slot in view.extra] == [2, 5]


def test_a_slot_between_old_and_new_stays() -> None:
    """It is down on purpose."""
    v2 = revision(2, replicas=2)
    tasks = [ended(1, V1, ago=0.1), ready(1, v2, ago=1.0), running(2, V1), running(3, V1)]

    view = seen([first(replicas=3), v2], tasks)

    assert [slot.number for slot in view.slots] == [1, 2]


def test_free_numbers_are_taken_from_the_lowest() -> None:
    """Slot 2 went in an earlier scale-down."""
    view = seen([revision(1, replicas=4)], [running(1, V1), running(3, V1)])

    assert [slot.number for slot in view.slots] == [1, 2, 3, 4]


def test_ready_tasks_nobody_asks_for_are_removed() -> None:
    """Made for revision 2; revision 3 asks for something else."""
    v2, v3 = revision(2, replicas=1), revision(3, replicas=1)

    assert actions([V1, v2, v3], [running(1, V1), ready(1, v2)]) == [
        "prepare web.1, updated to revision 3",
        "remove web.1.1b, no longer asked for",
    ]


def test_a_second_ready_task_is_removed() -> None:
    v2 = revision(2, replicas=1)
    tasks = [running(1, V1), ready(1, v2, ago=3.0, id="x"), ready(1, v2, ago=1.0, id="y")]

    assert actions([V1, v2], tasks) == [
        "stop web.1.1a, updated to revision 2",
        "remove web.1.y, no longer asked for",
    ]


def test_a_ready_task_beside_one_that_runs_is_removed() -> None:
    v2 = revision(2, replicas=1)

    assert actions([V1, v2], [running(1, v2, ago=1.0), ready(1, v2)]) == [
        "remove web.1.1b, no longer asked for"
    ]


def test_paused_what_was_prepared_ahead_is_removed() -> None:
    """But not what an old task is being stopped for."""
    v2 = revision(2, replicas=1, ended=MarkKind.PAUSED)
    old = running(1, V1)

    assert actions([V1, v2], [old, ready(1, v2)]) == ["remove web.1.1b, update paused"]
    assert actions([V1, v2], [old, ready(1, v2)], busy=doing(old)) == []


def test_what_an_empty_slot_was_emptied_for_is_kept() -> None:
    """Its times say that the old task was stopped, and did not fail."""
    v2, back = revision(2, replicas=1), revision(3, "v1", replicas=1)

    assert actions([V1, v2, back], [ended(1, V1, ago=0.1), ready(1, v2, ago=1.0)]) == [
        "prepare and start web.1, slot is empty"
    ]


def test_two_that_run_in_one_slot() -> None:
    """Two controllers, each with its own: one stays."""
    tasks = [running(1, V1, ago=50.0, id="x", armed=True), running(1, V1, ago=9.0, id="y")]

    assert actions([V1], tasks)[0] == "stop web.1.y, twice in its slot"


def test_history() -> None:
    """Five a slot, the live one included; more where the restart policy must count them."""
    tasks = [ended(1, V1, ago=float(100 - at), id=f"t{at}") for at in range(6)]
    live = running(1, V1, ago=50.0, armed=True)

    assert actions([V1], [*tasks, live]) == [
        "remove web.1.t0, history limit",
        "remove web.1.t1, history limit",
    ]
    many = first(replicas=1, restart=RestartPolicy(max_attempts=6))
    assert actions([many], [*tasks, live]) == []


def test_where_a_name_is_one_containers_history_goes_once_the_slot_has_settled() -> None:
    """Docker Compose would take what was replaced for the service's container, and remove the task
    that runs.  Until its watch is over, and while the restart policy counts them, they stay."""
    v1 = first(replicas=1, container_name="db")
    under_way = revision(2, "v1", replicas=1, container_name="db", force=1)
    done = structs.replace(under_way, marks=(mark(MarkKind.COMPLETED, ago=9.0),))
    paused = structs.replace(under_way, marks=(mark(MarkKind.PAUSED, ago=9.0),))
    old = [ended(1, v1, ago=99.0, id="t0"), ended(1, v1, ago=55.0, id="t1")]
    gone = ["remove web.1.t0, history limit", "remove web.1.t1, history limit"]

    live = running(1, done, ago=50.0, armed=True)
    assert actions([v1, done], [*old, live]) == gone
    new = running(1, under_way, ago=2.0)
    assert not [each for each in actions([v1, under_way], [*old, new]) if "history" in each]
    unproven = running(1, done, ago=50.0, restarts=1)
    assert not [
        each for each in actions([v1, done], [*old, unproven], supervised=True) if "limit" in each
    ]
    # What has failed stays to be looked into, as long as nothing newer is there.
    looping = structs.replace(running(1, paused, ago=10.0, armed=True), restarts=3)
    assert actions([v1, paused], [*old, looping]) == gone
    once = RestartPolicy(condition=RestartCondition.NONE)
    paused = revision(
        2, replicas=1, container_name="db", restart=once, marks=(mark(MarkKind.PAUSED, ago=9.0),)
    )
    assert actions([v1, paused], [*old, ended(1, paused, ago=10.0, id="t2")]) == gone


def test_what_is_being_removed_is_no_reason_to_remove_the_next() -> None:
    """A busy engine shows it for a while; it once cost a task of the history."""
    leaving = structs.replace(ended(1, V1, ago=100.0, id="t0"), status=ContainerStatus.REMOVING)
    past = [ended(1, V1, ago=99.0 - at, id=f"t{at + 1}") for at in range(4)]

    assert actions([V1], [leaving, *past, running(1, V1, ago=50.0, armed=True)]) == []


def test_what_was_replaced_cannot_come_back_with_the_engine() -> None:
    """Who stopped it died before it took the restart policy away: the next one does."""
    v2 = revision(2, replicas=1, ended=MarkKind.COMPLETED)
    live = running(1, v2, ago=50.0, armed=True)

    assert actions([V1, v2], [ended(1, V1, ago=55.0, armed=True), live]) == [
        "stop web.1.1a, replaced, must not come back"
    ]
    assert actions([V1, v2], [ended(1, V1, ago=55.0), live]) == []


def test_a_replacement_that_waits_pushes_no_history_out() -> None:
    """Made Ready twice, by a look that was behind, it once cost a task of the history."""
    v2 = revision(2)
    past = [ended(1, V1, ago=100.0 - at, id=f"t{at}") for at in range(4)]
    tasks = [*past, running(1, V1, ago=50.0), ready(1, v2, id="r1"), ready(1, v2, id="r2")]

    assert not [each for each in actions([V1, v2], tasks) if "history" in each]


def test_a_new_task_follows_the_one_that_was_seen_last() -> None:
    """So two who decide on the same sight make the same task."""
    v2 = revision(2, replicas=1)
    tasks = [ended(1, V1, ago=100.0, id="old"), running(1, V1, ago=50.0, id="live")]

    chosen = decided([V1, v2], tasks).actions

    assert [each.after for each in chosen if isinstance(each, Prepare)] == ["live"]


def test_the_task_a_slot_is_judged_by_stays_while_the_run_is_on() -> None:
    """A crash loop does not push its own evidence out."""
    v2 = revision(2, replicas=1, update=UpdateConfig(max_failure_ratio=1, delay_s=60))
    tasks = [ended(1, v2, ago=float(30 - at), id=f"t{at}") for at in range(6)]

    assert "remove web.1.t1, history limit" in actions([V1, v2], tasks)
    assert "remove web.1.t0, history limit" not in actions([V1, v2], tasks)


def test_a_failed_new_task_goes_where_its_predecessor_stays() -> None:
    """Start-first: not running by the deadline, so it is stopped, and kept to be looked into."""
    v2 = revision(
        2, replicas=1, progress_deadline_s=60.0, update=UpdateConfig(order=Order.START_FIRST)
    )

    found = actions([V1, v2], [running(1, V1), starting(1, v2, ago=60.0)])

    assert found == [
        "mark revision 2 paused, update paused due to failure or early termination of task 1b",
        "stop web.1.1b, failed, its predecessor is kept",
    ]

"""What a service waits for before anything new of it is started."""

from __future__ import annotations

import pytest

from rollout.decide.decide import decide
from rollout.decide.dependencies import waits_for
from rollout.decide.world import World
from rollout.model.action import Note
from rollout.model.dependencies import dependencies_first
from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition, RestartPolicy
from rollout.model.state import Cause, ContainerStatus, MarkKind
from rollout.model.task import Task
from tests.decide import given

STARTED, HEALTHY = "service_started", "service_healthy"
COMPLETED = "service_completed_successfully"
DB = given.revision(1, replicas=1, ago=10.0)
STABLE_DB = given.first(replicas=1)
FAILED_DB = given.revision(1, replicas=1, ended=MarkKind.FAILED, restart=RestartPolicy(
    condition=RestartCondition.NONE))  # fmt: skip


def _waits(
    condition: str, db: Revision, *tasks: Task, before: bool = False
) -> list[tuple[str, bool]]:
    web = given.revision(2, depends_on={"db": condition})
    histories = {"db": (db,), "web": (given.first(), web) if before else (web,)}
    seen = {"db": tasks, "web": ()}
    world = World(revisions=(db,), tasks=tasks, now=given.NOW)
    return list(waits_for(histories["web"], histories, seen, {"db": decide(world)}))


def _ended(made_for: Revision, code: int) -> Task:
    return given.running(
        1,
        made_for,
        ago=5.0,
        status=ContainerStatus.EXITED,
        exit_code=code,
        finished_at=given.NOW - 1,
    )


@pytest.mark.parametrize(
    ("condition", "db", "task", "waits"),
    [
        (STARTED, DB, None, [("db to run", False)]),
        (STARTED, DB, given.starting(1, DB), []),
        (HEALTHY, DB, given.starting(1, DB), [("db to be healthy", False)]),
        (HEALTHY, DB, given.running(1, DB, ago=1.0), []),
        (HEALTHY, STABLE_DB, given.running(1, STABLE_DB), []),
        (STARTED, FAILED_DB, _ended(FAILED_DB, 1), [("db to run", True)]),
        (COMPLETED, DB, given.running(1, DB, ago=1.0), [("db to complete", False)]),
        (COMPLETED, STABLE_DB, given.running(1, STABLE_DB), [("db to complete", False)]),
        (COMPLETED, FAILED_DB, _ended(FAILED_DB, 0), []),
        (COMPLETED, FAILED_DB, _ended(FAILED_DB, 1), [("db to complete", True)]),
    ],
)
def test_what_is_waited_for(
    condition: str, db: Revision, task: Task | None, waits: list[tuple[str, bool]]
) -> None:
    """And whether in vain: what it depends on has come to its end otherwise."""
    assert _waits(condition, db, *([task] if task else [])) == waits


def test_a_service_that_was_complete_goes_on_without_a_neighbour_that_is_down() -> None:
    """But never with what should have completed before it."""
    down = _ended(FAILED_DB, 1)

    assert _waits(STARTED, FAILED_DB, down, before=True) == []
    assert _waits(COMPLETED, FAILED_DB, down, before=True) == [("db to complete", True)]


def test_nothing_new_is_started_while_it_waits() -> None:
    """An update's tasks are made Ready meanwhile."""
    v1, v2 = given.first(replicas=1), given.revision(2, replicas=1)
    new = World(revisions=(DB,), tasks=(), now=given.NOW, waits_for=("db to run",))
    update = World(
        revisions=(v1, v2),
        tasks=(given.running(1, v1),),
        now=given.NOW,
        waits_for=("db to run",),
    )

    assert str(decide(new)) == ""
    assert decide(new).status.waiting_for == "db to run"
    assert str(decide(update)) == "prepare web.1, updated to revision 2"


@pytest.mark.parametrize(
    ("revisions", "kind", "message"),
    [
        ((DB,), MarkKind.FAILED, "waited for db to run"),
        (
            (given.first(replicas=1), given.revision(2, replicas=1)),
            MarkKind.PAUSED,
            "update paused: waited for db to run",
        ),
    ],
)
def test_waiting_in_vain_is_the_end(
    revisions: tuple[Revision, ...], kind: MarkKind, message: str
) -> None:
    world = World(
        revisions=revisions,
        tasks=tuple(given.running(1, each) for each in revisions[:-1]),
        now=given.NOW,
        waits_for=("db to run",),
        in_vain="db to run",
    )

    (action,) = decide(world).actions

    assert isinstance(action, Note)
    assert (action.kind, action.message) == (kind, message)


def test_who_begins_nothing_waits_for_nobody() -> None:
    """A rollback before anything was replaced, though what it depends on will not come."""
    v1, v2 = given.first(replicas=1), given.revision(2, replicas=1, ended=MarkKind.PAUSED)
    back = given.revision(3, "v1", replicas=1, cause=Cause.ROLLBACK, restores=1, ago=1.0)
    world = World(
        revisions=(v1, v2, back),
        tasks=(given.running(1, v1),),
        now=given.NOW,
        waits_for=("db to complete",),
        in_vain="db to complete",
    )

    (action,) = decide(world).actions

    assert isinstance(action, Note)
    assert (action.kind, action.message) == (MarkKind.COMPLETED, "rollback completed")
    assert decide(world).status.waiting_for == ""


def test_a_task_that_others_wait_for_may_end_well() -> None:
    """Exit code 0 is no failure of its update, another one is."""
    v1 = given.first(replicas=1, completes=True)
    v2 = given.revision(2, replicas=1, completes=True)
    ends = [
        decide(World(revisions=(v1, v2), tasks=(_ended(v2, code),), now=given.NOW)).status.failures
        for code in (0, 1)
    ]

    assert [len(failures) for failures in ends] == [0, 1]


def test_the_order_is_dependencies_first_and_a_circle_is_broken() -> None:
    assert dependencies_first({"a": ["b", "x"], "b": ["c"], "c": []}) == ["c", "b", "a"]
    assert sorted(dependencies_first({"a": ["b"], "b": ["a"]})) == ["a", "b"]

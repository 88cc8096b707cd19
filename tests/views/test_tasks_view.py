"""`ps` shows what `docker service ps` shows."""

from __future__ import annotations

from rollout.model.state import ContainerStatus, Health
from rollout.model.task import Task
from rollout.views.tasks import task_documents, task_rows, task_table
from tests.support.shown import NOW, task


def _ended(number: int, *, slot: int, at: float, code: int, **fields: object) -> Task:
    return task(
        slot,
        number=number,
        status=ContainerStatus.EXITED,
        created_at=at - 3,
        started_at=at - 2,
        finished_at=at,
        exit_code=code,
        **fields,
    )


def test_the_tasks_of_a_slot_hang_below_the_newest() -> None:
    """Newest first; one that ended once its successor was made is Shutdown whatever its exit code,
    one that ended before has failed.
    """
    tasks = [
        task(2, number=4, running_since=NOW - 1),
        task(1, number=3, created_at=NOW - 5, running_since=NOW - 2),
        _ended(2, slot=1, at=NOW - 4, code=137),
        _ended(1, slot=1, at=NOW - 16, code=3),
    ]

    shown = task_table(task_rows(tasks, node="vm"), now=NOW)

    assert shown.splitlines() == [
        (
            "ID             NAME           IMAGE     NODE      DESIRED STATE   CURRENT STATE"
            "            ERROR                       PORTS"
        ),
        "0301xxxxxxxx   st_web.1       bb:v1     vm        Running         Running 2 seconds ago",
        "0201xxxxxxxx    \\_ st_web.1   bb:v1     vm        Shutdown        Shutdown 4 seconds ago",
        (
            "0101xxxxxxxx    \\_ st_web.1   bb:v1     vm        Shutdown        "
            'Failed 16 seconds ago    "task: non-zero exit (3)"'
        ),
        "0402xxxxxxxx   st_web.2       bb:v1     vm        Running         Running 1 second ago",
    ]


def test_a_task_that_is_made_and_not_started_is_ready() -> None:
    made = task(1, number=2, status=ContainerStatus.CREATED, created_at=NOW, started_at=None)

    newest, old = task_rows([task(1), made], node="vm")

    assert (newest.desired_state, newest.current_state) == ("ready", "ready")
    assert (old.desired_state, old.current_state) == ("running", "running")


def test_why_a_task_is_not_well_is_said() -> None:
    """Exit code and OOM, the engine's words for a failed start, the last probe of an unhealthy."""
    killed = _ended(1, slot=1, at=NOW, code=137, oom_killed=True)
    unstarted = task(2, status=ContainerStatus.CREATED, error="exec: no such file", started_at=None)
    stopped = _ended(
        1, slot=4, at=NOW, code=0, health=Health.UNHEALTHY, unhealthy_since=NOW - 1, error="refused"
    )
    sick = task(3, has_healthcheck=True, health=Health.UNHEALTHY, error="connection refused")

    errors = [row.error for row in task_rows([killed, unstarted, sick, stopped], node="vm")]

    assert errors == [
        "task: non-zero exit (137): out of memory",
        "exec: no such file",
        "unhealthy: connection refused",
        "task: unhealthy: refused",
    ]


def test_long_errors_are_cut_unless_asked_for() -> None:
    rows = task_rows([_ended(1, slot=1, at=NOW, code=1, oom_killed=True)], node="vm")

    assert '"task: non-zero exit (1): out…' in task_table(rows, now=NOW)
    assert '"task: non-zero exit (1): out of memory"' in task_table(rows, now=NOW, trunc=False)


def test_the_document_has_the_promised_fields() -> None:
    """DESIGN's contract: the names, lower case states, times in RFC 3339."""
    (row,) = task_documents(task_rows([task(1)], node="vm"))

    assert {
        "id", "name", "stack", "service", "slot", "revision", "image", "desired_state",
        "current_state", "since", "error", "exit_code", "health", "container_id", "node",
    } <= row.keys()  # fmt: skip
    assert row["name"] == "st_web.1"
    assert row["current_state"] == "running"
    assert row["since"] == "1970-01-12T13:46:21.000Z"
    assert row["exit_code"] is None


def test_a_crash_loop_is_not_running() -> None:
    """Between two restarts by Docker a task is up for a moment."""
    crashing = task(
        1,
        restarts=12,
        last_exit=3,
        last_ended_at=NOW - 3,
        started_at=NOW - 2,
        running_since=NOW - 2,
    )
    waiting = task(2, restarts=1, last_exit=137, status=ContainerStatus.RESTARTING)
    steady = task(3, restarts=1, started_at=NOW - 3600, running_since=NOW - 3600)
    rows = task_rows([crashing, waiting, steady], node="vm", now=NOW)

    first, second, third = task_table(rows, now=NOW).splitlines()[1:]
    assert "Restarting 2 seconds ago" in first
    assert '"exit 3, restarted 12 times"' in first
    assert "Restarting" in second
    assert '"exit 137, restarted once"' in second
    assert "Running about an hour ago" in third
    assert '"restarted once"' in third
    one, two, three = task_documents(rows, now=NOW, words={crashing.id: ["no db"]})
    assert (one["restarts"], one["last_exit"], one["restarting"]) == (12, 3, True)
    assert one["current_state"] == "running"
    assert (one["log"], two["log"]) == (["no db"], [])
    assert (two["restarting"], three["restarting"]) == (True, False)


def test_a_task_that_does_not_become_healthy_says_why_and_how_long_still() -> None:
    stuck = task(1, has_healthcheck=True, health=Health.STARTING, probe="refused")
    (row,) = task_rows([stuck], node="vm", now=NOW, untils={stuck.id: NOW + 90})

    (document,) = task_documents([row], now=NOW, next_steps={stuck.id: ["rollout pause st_web"]})

    assert row.error == "last probe: refused"
    assert (document["last_probe"], document["seconds_left"]) == ("refused", 90.0)
    assert document["next_steps"] == ["rollout pause st_web"]

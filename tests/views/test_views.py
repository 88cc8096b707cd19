"""Tables and documents of services, stacks, history, differences and single services."""

from __future__ import annotations

from msgspec.structs import replace

from rollout.model.secrets import MASK
from rollout.model.spec import Port, Resources, TaskSpec, UpdateConfig
from rollout.model.state import Cause, ContainerStatus, MarkKind, TaskState, UpdateState
from rollout.model.status import Failure
from rollout.views.diff import diff_text, differences
from rollout.views.history import history_documents, history_table
from rollout.views.inspect import inspect_document, inspect_text
from rollout.views.services import (
    StackRow,
    ports,
    service_documents,
    service_table,
    stack_documents,
    stack_table,
)
from rollout.views.status import (
    failure_lines,
    reasons,
    result_line,
    status_documents,
    status_table,
    struggles,
)
from rollout.views.table import table
from tests.support.shown import NOW, PINNED, revision, slot, spec, status, task

_DONE = MarkKind.COMPLETED


def test_columns_are_ten_wide_and_three_apart_as_docker_s() -> None:
    """The very text that `docker stack ls` printed."""
    shown = stack_table([StackRow("st", 2, "ann@host", 10.0)], now=70.0)

    assert [line.split() for line in shown.splitlines()] == [
        ["NAME", "SERVICES", "HELD", "BY", "SINCE"],
        ["st", "2", "ann@host", "about", "a", "minute", "ago"],
    ]


def test_no_cell_can_steer_the_terminal() -> None:
    assert table(("NAME",), [("\x1b[2J",)]) == "NAME\n\\x1b[2J"


def test_services_say_how_much_of_them_runs() -> None:
    shown = status(desired=3, revision=revision(4, spec=spec(replicas=3), mark=MarkKind.COMPLETED))

    assert service_table([shown]).splitlines() == [
        "NAME      MODE         REPLICAS   IMAGE     REVISION   STATE      PORTS",
        "st_web    replicated   2/3        bb:v1     4          deployed",
    ]
    (document,) = service_documents([shown])
    assert document["replicas"] == {"running": 2, "desired": 3}
    assert document["state"] == "deployed"
    assert document["revision"] == 4


def test_ports_are_written_as_docker_writes_them() -> None:
    task = TaskSpec(
        image="x",
        ports=(
            Port(target=80, published=(8080, 8080)),
            Port(target=53, published=(53, 53), protocol="udp", host_ip="127.0.0.1"),
            Port(target=90, published=(9000, 9002), host_ip="::1"),
        ),
    )

    assert ports(spec(task=task)) == [
        "127.0.0.1:53->53/udp",
        "*:8080->80/tcp",
        "[::1]:9000-9002->90/tcp",
    ]


def test_stacks_are_listed_naturally() -> None:
    rows = [StackRow("b10", 1), StackRow("b9", 2, "ann@host (pid 7)", 0.0)]
    since = "1970-01-01T00:00:00"

    free, held = reversed(stack_documents(rows))

    assert free == {"stack": "b10", "services": 1, "holder": None, "held_since": None}
    assert (held["stack"], held["holder"]) == ("b9", "ann@host (pid 7)")
    assert str(held["held_since"]).startswith(since)


def test_history_says_what_made_a_revision_and_how_it_ended() -> None:
    revisions = (revision(1), revision(2, cause=Cause.ROLLBACK, restores=1))
    outcomes = {1: "completed", 2: "in progress"}

    text = history_table(revisions, outcomes=outcomes, on_host={1: True, 2: False}, now=NOW)
    first, second = history_documents(revisions, outcomes=outcomes, on_host={1: True, 2: False})

    assert text.splitlines() == [
        (
            "REVISION   ACTION     RESTORES   OUTCOME       IMAGE     DIGEST         CREATED"
            "              BY         ON HOST"
        ),
        (
            "1          deploy                completed     bb:v1     aaaaaaaaaaaa   "
            "about a minute ago   ann@host   yes"
        ),
        (
            "2          rollback   1          in progress   bb:v1     aaaaaaaaaaaa   "
            "about a minute ago   ann@host   no"
        ),
    ]
    assert first["restores"] is None
    assert second["restores"] == 1
    assert second["digest"] == PINNED.partition("@")[2]
    assert second["spec"]["replicas"] == 1


def test_a_difference_is_told_field_by_field() -> None:
    before = spec(task=TaskSpec(image="bb:v1", environment={"MODE": "a", "GONE": "1"}))
    after = spec(
        task=TaskSpec(image="bb:v2", environment={"MODE": "b"}, command=("sleep", "1")),
        update=UpdateConfig(parallelism=2),
    )

    assert diff_text(differences(before, after)).splitlines() == [
        "task.command",
        '  + ["sleep","1"]',
        "task.environment.GONE",
        "  - 1",
        "task.environment.MODE",
        "  - a",
        "  + b",
        "task.image",
        "  - bb:v1",
        "  + bb:v2",
        "update.parallelism",
        "  - 1",
        "  + 2",
    ]


def test_secrets_are_masked_in_differences_unless_asked_for() -> None:
    """That a secret changed is said; what it was is not."""
    before = spec(task=TaskSpec(image="x", environment={"DB_PASSWORD": "one", "API_TOKEN": "t"}))
    after = spec(task=TaskSpec(image="x", environment={"DB_PASSWORD": "two"}))

    masked = {each.field: (each.before, each.after) for each in differences(before, after)}
    shown = {
        each.field: (each.before, each.after)
        for each in differences(before, after, show_secrets=True)
    }

    assert masked["task.environment.DB_PASSWORD"] == (MASK, MASK)
    assert masked["task.environment.API_TOKEN"] == (MASK, None)
    assert shown["task.environment.DB_PASSWORD"] == ("one", "two")


def test_equal_definitions_have_no_difference() -> None:
    assert differences(spec(), spec()) == ()


def test_inspect_has_the_promised_fields() -> None:
    shown = status(
        state=UpdateState.COMPLETED, message="update completed", started_at=0.0, completed_at=1.0
    )

    document = inspect_document(shown, revision(1))

    assert {"name", "revision", "spec", "previous_spec", "update_status"} <= document.keys()
    assert document["update_status"] == {
        "state": "completed",
        "message": "update completed",
        "started_at": "1970-01-01T00:00:00.000Z",
        "completed_at": "1970-01-01T00:00:01.000Z",
    }
    assert document["previous_spec"]["task"]["image"] == PINNED
    assert inspect_document(status(), None)["previous_spec"] is None


def test_inspect_pretty_has_docker_s_paragraphs() -> None:
    task = TaskSpec(
        image="bb:v1",
        command=("sleep", "1000"),
        environment={"A": "b", "SECRET": "s"},
        init=True,
        resources=Resources(memory_limit=64 * 2**20, cpu_limit=500_000_000),
    )
    shown = status(
        revision=revision(3, spec=spec(task=task, labels={"a": "b"}), mark=MarkKind.PAUSED),
        state=UpdateState.PAUSED,
        message="update paused due to failure or early termination of task x",
        started_at=NOW - 5,
    )

    lines = inspect_text(shown, now=NOW).splitlines()

    for line in (
        "Name:                st_web",
        " a=b",
        " State:              paused",
        " Started:            5 seconds ago",
        " Parallelism:        1",
        " Monitoring Period:  5s",
        " Rollback order:     stop-first",
        " Args:               sleep 1000",
        f" Env:                A=b SECRET={MASK}",
        "  CPU:               0.5",
        "  Memory:            64MiB",
    ):
        assert line in lines


def test_a_paused_update_says_why_and_what_to_type_next() -> None:
    shown = status(
        revision=revision(4, mark=MarkKind.PAUSED),
        outcome=MarkKind.PAUSED,
        state=UpdateState.PAUSED,
        message="update paused due to failure or early termination of task abc",
        failures=(Failure(slot=2, task_id="abc", reason="exited 3 1.2s after start", at=NOW),),
    )

    lines = [
        result_line(shown),
        *failure_lines(shown, reasons(shown, ()), {"abc": ("boom\x1b[2J",)}),
    ]

    assert lines == [
        (
            "st_web: update paused due to failure or early termination of task abc "
            "(revision 4, 2/2 running)"
        ),
        "  st_web.2 (abc): exited 3 1.2s after start",
        "    | boom\\x1b[2J",
        "  to go on as it is: rollout resume st_web",
        "  to go back: rollout rollback st_web",
        "  to look closer: rollout ps st_web; rollout logs st_web",
    ]


def test_what_went_well_needs_no_advice() -> None:
    assert list(failure_lines(status(), (), {})) == []
    assert result_line(status()) == "st_web: deployed (revision 1, 2/2 running)"


def test_an_automatic_rollback_says_what_it_undid_and_why() -> None:
    """It is not taken for success: the failed task of the revision before is named."""
    shown = status(
        revision=revision(
            5,
            cause=Cause.AUTO_ROLLBACK,
            restores=3,
            message="update rolled back due to failure or early termination of task abc",
            mark=MarkKind.COMPLETED,
        ),
        state=UpdateState.ROLLBACK_COMPLETED,
        message="rollback completed",
    )
    failed = task(
        1,
        id="abc",
        revision=4,
        status=ContainerStatus.EXITED,
        finished_at=NOW - 5,
        exit_code=4,
    )
    stopped = task(2, revision=4, status=ContainerStatus.EXITED, finished_at=NOW, exit_code=137)
    after = [task(slot, number=9, revision=5, created_at=NOW - 1) for slot in (1, 2)]

    why = reasons(shown, [failed, stopped, *after])

    assert [result_line(shown), *failure_lines(shown, why, {"abc": ("no db",)})] == [
        (
            "st_web: rollback completed: update rolled back due to failure or early termination "
            "of task abc (revision 5, 2/2 running)"
        ),
        "  st_web.1 (abc): task: non-zero exit (4)",
        "    | no db",
        "  what was asked for: rollout diff st_web 3 4",
        "  to look closer: rollout ps st_web; rollout logs st_web",
    ]


def test_status_says_what_is_waited_for() -> None:
    shown = replace(
        status(state=UpdateState.UPDATING, message="update in progress", outcome=None),
        waiting_for="delay",
    )

    assert "delay" in status_table([shown])


def test_a_difference_of_ports_is_told_port_by_port() -> None:
    """A list of objects has a leaf for each, named by what it is for."""
    before = spec(task=TaskSpec(image="x", ports=(Port(target=80), Port(target=443))))
    after = spec(task=TaskSpec(image="x", ports=(Port(target=80), Port(target=443, mode="host"))))

    assert [each.field for each in differences(before, after)] == ["task.ports[443]"]


def test_a_crash_loop_is_told_wherever_a_service_is() -> None:
    crashing = slot(1, note="restarted 12 times by Docker, last exit 3", task=task(1))
    shown = status(slots=(crashing, slot(2)), restarting=(1,), revision=revision(3, mark=_DONE))

    assert "1/2 (1 restarting)" in service_table([shown])
    assert "1/2 (1 restarting)" in status_table([shown], now=NOW)
    assert result_line(shown).endswith("(revision 3, 1/2 running, 1 restarting)")
    (document,) = service_documents([shown])
    assert document["restarting"] == 1
    why = struggles(shown)
    assert list(failure_lines(shown, why, {why[0].task_id: ("no db",)})) == [
        "  st_web.1 (0101xxxxxxxx): restarted 12 times by Docker, last exit 3",
        "    | no db",
        "  to go back: rollout rollback st_web",
        "  to look closer: rollout ps st_web; rollout logs st_web",
    ]


def test_while_something_is_stuck_it_is_said_why_how_long_and_what_to_type() -> None:
    starting = slot(1, state=TaskState.STARTING, updated=False, note="last probe: no", task=task(1))
    shown = status(
        revision=revision(2),
        state=UpdateState.UPDATING,
        message="update in progress",
        outcome=None,
        slots=(starting, slot(2)),
        waiting_for="web.1 to become healthy",
        because="last probe: no",
        until=NOW + 60,
        then="fails",
    )
    sentence = "waiting for web.1 to become healthy (last probe: no), fails in 1m0s"

    assert status_table([shown], now=NOW).endswith(sentence)
    why = struggles(shown)
    told = {"web": (why, {why[0].task_id: ("hello",)})}
    (document,) = status_documents([shown], now=NOW, told=told)
    assert document["sentence"] == sentence
    assert document["seconds_left"] == 60.0
    assert document["reasons"] == [
        {"slot": 1, "task": task(1).id, "reason": "last probe: no", "log": ["hello"]}
    ]
    assert document["next_steps"] == [
        "rollout status st_web --wait",
        "rollout pause st_web",
        "rollout rollback st_web",
        "rollout ps st_web; rollout logs st_web",
    ]

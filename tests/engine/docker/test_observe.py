"""What list and inspect show → tasks.  The JSON is an engine's own (20.10), cut to what is read."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.engine.docker.observe import (
    Seen,
    fingerprint,
    is_half_made,
    is_task,
    name_of,
    parse_time,
    signal_number,
    task_of,
    unreadable,
)
from rollout.model.canonical import canonical, task_digest
from rollout.model.state import ContainerStatus, Health
from rollout.model.task import Task
from tests.support.engine import service

Json = dict[str, Any]

SPEC = service("app:v1@sha256:" + "a" * 64)
NEVER = "0001-01-01T00:00:00Z"
AT_20 = 1795416620.0
"""2026-11-23T06:50:20Z"""


def _row(**fields: Any) -> Json:
    labels = {
        "com.docker.compose.project": "st",
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "2",
        "com.docker.compose.oneoff": "False",
        "rollout.stack": "st",
        "rollout.service": "web",
        "rollout.slot": "2",
        "rollout.revision": "7",
        "rollout.task": "t1",
        "rollout.spec": canonical(SPEC),
    }
    return {
        "Id": "c" * 64,
        "Names": ["/st_web.2.t1", "/other/alias"],
        "State": "running",
        "Status": "Up 3 seconds",
        "Ports": [],
        "Labels": labels,
        **fields,
    }


def _inspected(row: Json, config: Json | None = None, restart: str = "", **state: Any) -> Json:
    return {
        "Id": row["Id"],
        "Name": row["Names"][0],
        "Created": "2026-11-23T06:50:18.961671253Z",
        "RestartCount": 0,
        "Config": {"Image": "app:v1", "Labels": row["Labels"], **(config or {})},
        "HostConfig": {"RestartPolicy": {"Name": restart, "MaximumRetryCount": 0}},
        "State": {
            "Status": row["State"],
            "Running": row["State"] in ("running", "paused", "restarting"),
            "OOMKilled": False,
            "ExitCode": 0,
            "Error": "",
            "StartedAt": "2026-11-23T06:50:19.906199503Z",
            "FinishedAt": NEVER,
            **state,
        },
    }


def _task(row: Json, seen: Seen | None = None, **fields: Any) -> Task:
    return task_of(row, _inspected(row, **fields), seen or Seen())[0]


def test_a_running_task() -> None:
    task = _task(_row())

    assert task == Task(
        id="t1",
        container_id="c" * 64,
        name="st_web.2.t1",
        stack="st",
        service="web",
        slot=2,
        revision=7,
        digest=task_digest(SPEC.task),
        image=SPEC.task.image,
        status=ContainerStatus.RUNNING,
        created_at=AT_20 - 2 + 0.961671253,
        started_at=AT_20 - 1 + 0.906199503,
        running_since=AT_20 - 1 + 0.906199503,
        spec=canonical(SPEC),
    )
    assert task.running


def test_a_prepared_task() -> None:
    task = _task(_row(State="created"), StartedAt=NEVER)

    assert task.prepared
    assert (task.started_at, task.running_since, task.exit_code) == (None, None, None)


def test_a_task_that_could_not_be_started() -> None:
    """It stays `created`; its error says that it has ended."""
    error = (
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to "
        'start container process: exec: "/nosuch": stat /nosuch: no such file or directory: unknown'
    )
    task = _task(_row(State="created"), StartedAt=NEVER, ExitCode=127, Error=error)

    assert task.ended
    assert not task.prepared
    assert task.exit_code == 127
    assert task.error == 'exec: "/nosuch": stat /nosuch: no such file or directory'

    silent = _task(_row(State="created"), StartedAt=NEVER, ExitCode=128)
    assert silent.error == "could not be started: exit code 128"


def test_a_task_that_has_ended() -> None:
    finished = "2026-11-23T06:50:23.500531867Z"
    row = _row(State="exited", Status="Exited (137) 5 seconds ago")
    task = _task(row, restart="on-failure", ExitCode=137, OOMKilled=True, FinishedAt=finished)

    assert task.ended
    assert (task.exit_code, task.oom_killed, task.armed) == (137, True, True)
    assert task.finished_at == pytest.approx(AT_20 + 3.500531867, abs=1e-6)


def test_a_container_that_compose_made() -> None:
    """Revision 0, the slot of its number, no definition."""
    row = _row(Names=["/st-web-3"])
    for label in [key for key in row["Labels"] if key.startswith("rollout.")]:
        del row["Labels"][label]
    row["Labels"]["com.docker.compose.container-number"] = "3"

    task = _task(row, restart="always", config={"StopTimeout": 3, "StopSignal": "SIGQUIT"})

    assert (task.id, task.slot, task.revision) == ("c" * 25, 3, 0)
    assert (task.digest, task.spec, task.image) == ("", "", "app:v1")
    assert (task.armed, task.stop_grace_s, task.stop_signal) == (True, 3.0, "SIGQUIT")


def test_a_label_that_cannot_be_read() -> None:
    """A definition of a future version, or a broken one, is no reason to see nothing."""
    for spec in ('{"name":1}', "[" * 100_000, "", "\ud800"):
        row = _row()
        row["Labels"] = {**row["Labels"], "rollout.spec": spec}

        task = _task(row)

        assert unreadable(row) == ""
        assert (task.digest, task.slot, task.revision) == ("", 2, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rollout.slot", "abc"),
        ("rollout.slot", "0"),
        ("rollout.slot", "-1"),
        ("rollout.slot", "1" + "0" * 9),
        ("rollout.slot", "9" * 5000),
        ("rollout.slot", "\u0663"),
        ("rollout.slot", None),
        ("rollout.revision", "1" + "0" * 30),
        ("rollout.revision", ""),
        ("rollout.revision", None),
        ("rollout.task", "../x"),
        ("rollout.task", "a" * 200),
        ("rollout.task", None),
        ("rollout.stack", "other"),
        ("rollout.stack", None),
        ("rollout.service", "\x1b[31mweb"),
        ("rollout.service", None),
        ("com.docker.compose.service", None),
        ("com.docker.compose.service", "w/b"),
        ("com.docker.compose.service", "\x1b]0;x"),
    ],
)
def test_labels_of_ours_that_cannot_be_are_those_of_no_task(name: str, value: str | None) -> None:
    """Each is named, short, and none costs more than a look."""
    row = _row()
    row["Labels"] = {k: v for k, v in {**row["Labels"], name: value}.items() if v is not None}

    why = unreadable(row)

    assert name in why or name.replace("rollout.", "com.docker.compose.") in why
    assert why.isprintable()
    assert len(why) < 300


def test_a_container_of_compose_bears_none_of_our_labels() -> None:
    row = _row()
    row["Labels"] = {k: v for k, v in row["Labels"].items() if not k.startswith("rollout.")}

    assert unreadable(row) == ""
    assert is_task(row)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, True),
        ({"com.docker.compose.oneoff": "True"}, False),
        ({"com.docker.compose.service": ""}, False),
    ],
)
def test_what_counts_as_a_task(change: dict[str, str], shown: bool) -> None:
    row = _row()
    row["Labels"] |= change

    assert is_task(row) is shown


def test_half_made() -> None:
    row = _row(Names=["/st_web.2.t1.preparing"], State="created")

    assert is_half_made(row)
    assert not is_task(row)
    assert is_task(_row(Names=["/somebodys.preparing"], State="created"))
    assert is_task(_row(Names=["/st_web.2.t1.preparing"], State="running"))
    assert name_of(_row()) == "st_web.2.t1"


def _probe(second: float, code: int, output: str = "") -> Json:
    at = f"2026-11-23T06:50:{20 + second:05.2f}0000000Z"
    end = f"2026-11-23T06:50:{20 + second:05.2f}5000000Z"
    return {"Start": at, "End": end, "ExitCode": code, "Output": output}


CHECK = {"Healthcheck": {"Test": ["CMD", "true"], "Retries": 2}}


def _checked(
    log: list[Json], status: str, streak: int = 0, seen: Seen | None = None, **fields: Any
) -> Task:
    health = {"Status": status, "FailingStreak": streak, "Log": log}
    return _task(_row(), seen=seen, config=CHECK, Health=health, **fields)


def test_running_since_is_the_first_success() -> None:
    """A short log, or one that begins with failures, shows it."""
    short = _checked([_probe(0, 0), _probe(1, 0)], "healthy")
    after = _checked([_probe(0, 1), *(_probe(n, 0) for n in (1, 2, 3, 4))], "healthy")

    assert short.running_since == pytest.approx(AT_20 + 0.005)
    assert after.running_since == pytest.approx(AT_20 + 1.005)
    assert (after.health, after.running) == (Health.HEALTHY, True)


def test_running_since_when_the_first_success_is_out_of_sight() -> None:
    """The oldest probe's start bounds it; what was seen before wins."""
    log = [_probe(n, 0) for n in (5, 6, 7, 8, 9)]

    assert _checked(log, "healthy").running_since == pytest.approx(AT_20 + 5)
    seen = Seen(started_at=parse_time("2026-11-23T06:50:19.906199503Z"), running_since=AT_20)
    assert _checked(log, "healthy", seen=seen).running_since == AT_20
    other_start = Seen(started_at=AT_20 - 100, running_since=AT_20 - 90)
    assert _checked(log, "healthy", seen=other_start).running_since == pytest.approx(AT_20 + 5)


def test_probes_of_an_earlier_start_do_not_count() -> None:
    log = [_probe(-10, 0), _probe(-9, 0)]

    assert _checked(log, "starting").running_since is None


def test_starting() -> None:
    task = _checked([_probe(0, 1)], "starting", 1)

    assert (task.health, task.running, task.running_since) == (Health.STARTING, False, None)
    assert task.unhealthy_since is None


def test_unhealthy_since_is_the_failure_that_did_it() -> None:
    """Retries 2, a streak of 3: the last probe but one."""
    log = [_probe(0, 0), _probe(1, 1), _probe(2, 1), _probe(3, 1, "no\n  answer \x1b[0m\n")]

    task = _checked(log, "unhealthy", 3)

    assert task.unhealthy_since == pytest.approx(AT_20 + 2.005)
    assert task.running_since == pytest.approx(AT_20 + 0.005)
    assert task.error == "no answer [0m"
    assert task.unhealthy


def test_unhealthy_since_beyond_the_log() -> None:
    log = [_probe(n, 1) for n in (5, 6, 7, 8, 9)]

    assert _checked(log, "unhealthy", 9).unhealthy_since == pytest.approx(AT_20 + 5)


def test_health_of_a_task_that_was_stopped_well() -> None:
    """The engine calls it unhealthy; its probes say otherwise."""
    row = _row(State="exited", Status="Exited (0) 1 second ago")
    health = {"Status": "unhealthy", "FailingStreak": 0, "Log": [_probe(0, 0)]}
    task = _task(row, config=CHECK, Health=health, FinishedAt="2026-11-23T06:50:30Z")

    assert task.health is Health.HEALTHY
    assert task.unhealthy_since is None
    assert task.error == ""


@pytest.mark.parametrize("test", [None, [], ["NONE"]])
def test_no_healthcheck(test: list[str] | None) -> None:
    task = _task(_row(), config={"Healthcheck": {"Test": test}})

    assert (task.has_healthcheck, task.health) == (False, Health.NONE)
    assert task.running_since == task.started_at


def test_ports_as_docker_ps_writes_them() -> None:
    ports = [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"},
        {"PrivatePort": 81, "Type": "tcp"},
    ]

    assert _task(_row(Ports=ports)).ports == ("0.0.0.0:8000->80/tcp", ":::8000->80/tcp")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        (NEVER, None),
        ("2026-11-23T06:50:20Z", AT_20),
        ("2026-11-23T07:50:20+01:00", AT_20),
        ("2026-11-23T06:50:20.25Z", AT_20 + 0.25),
    ],
)
def test_times(text: str | None, seconds: float | None) -> None:
    assert parse_time(text) == seconds


def test_a_fingerprint_has_no_age() -> None:
    """Time passing changes nothing; health, state, exit code and name do."""
    base = fingerprint(_row())

    assert fingerprint(_row(Status="Up 9 minutes")) == base
    others = [
        _row(Status="Up 3 seconds (healthy)"),
        _row(Status="Up 3 seconds (health: starting)"),
        _row(State="exited", Status="Exited (0) 2 seconds ago"),
        _row(State="exited", Status="Exited (1) 2 seconds ago"),
        _row(Names=["/renamed"]),
    ]
    assert len({base, *map(fingerprint, others)}) == len(others) + 1


def test_a_start_that_was_given_up_has_not_failed() -> None:
    """Whoever asked for it was killed: an engine of today leaves the task Ready, with an error."""
    said = "failed to create task for container: context canceled"

    task = _task(_row(State="created"), StartedAt=NEVER, ExitCode=128, Error=said)

    assert task.prepared
    assert (task.error, task.exit_code, task.finished_at) == ("", None, None)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", "15"),
        ("quit", "3"),
        ("SIGUSR1", "10"),
        ("28", "28"),
        ("SIGRTMIN+3", "37"),
        ("RTMAX-2", "62"),
        ("RTMIN+", ""),
        ("SIG", ""),
        ("_DFL", ""),
        ("SIGSIGTERM", ""),
    ],
)
def test_signals_by_name_and_number(name: str, number: str) -> None:
    """As images and files write them; what is none asks nobody to end."""
    assert signal_number(name) == number


def test_what_the_run_before_left_behind() -> None:
    """While it is brought back its exit code is there; once it is up, only when it had ended."""
    ended = "2026-11-23T06:50:19.000000000Z"
    row = _row(State="restarting")
    inspected = {**_inspected(row, ExitCode=3, FinishedAt=ended), "RestartCount": 4}
    down = task_of(row, inspected, Seen())[0]
    inspected = {**_inspected(_row(), FinishedAt=ended), "RestartCount": 4}
    up = task_of(_row(), inspected, Seen())[0]

    assert (down.restarts, down.last_exit, down.exit_code) == (4, 3, None)
    assert (up.restarts, up.last_exit, up.last_ended_at) == (4, None, AT_20 - 1)


def test_the_last_probe_is_known_while_it_starts() -> None:
    def probed(*probes: tuple[int, str]) -> str:
        log = [
            {
                "Start": "2026-11-23T06:50:21.0Z",
                "End": "2026-11-23T06:50:22.0Z",
                "ExitCode": code,
                "Output": said,
            }
            for code, said in probes
        ]
        check = {"Healthcheck": {"Test": ["CMD", "x"], "Retries": 3}}
        health = {"Status": "starting", "FailingStreak": 0, "Log": log}
        return _task(_row(), config={**check}, Health=health).probe

    assert probed() == ""
    assert probed((1, "no route\n"), (1, "refused\n")) == "refused"
    assert probed((1, "")) == "exit code 1"
    assert probed((1, "refused"), (0, "ok")) == ""

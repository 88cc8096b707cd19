"""The front: help, usage errors, and errors that end as one line and an exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
import pytest

from rollout.cli import main as front
from rollout.cli.main import COMMANDS, execute
from rollout.cli.messages import asks_for_json
from rollout.errors import (
    EngineUnavailableError,
    FileError,
    FileErrors,
    HeldError,
    NotFoundError,
    UsageError,
)
from rollout.log import log


@pytest.fixture(autouse=True)
def _usual_log() -> Iterator[None]:
    yield
    log.configure(level="warning", fmt="console")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there(name: str) -> None:
    """Its module has it under that name, and it explains itself."""
    module, line = COMMANDS[name]

    command = import_module(module).command

    assert command.name == name
    assert command.help
    assert line


def _fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `rollout ls` end with an error."""

    @click.command("ls")
    def command() -> None:
        raise error

    monkeypatch.setattr(front.Table, "get_command", lambda *_: command)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no such thing", hint="try this"), 2, "rollout: no such thing (try this)"),
        (EngineUnavailableError("nobody answers"), 1, "rollout: nobody answers"),
        (HeldError("st is held"), 7, "rollout: st is held"),
        (
            FileError("unknown", file="a.yml", line=3, column=5, key="x.y"),
            2,
            "rollout: a.yml:3:5: x.y: unknown",
        ),
        (KeyboardInterrupt(), 130, "rollout: interrupted"),
        (UsageError("evil \x1b[2J"), 2, r"rollout: evil \x1b[2J"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    _fails(monkeypatch, error)

    assert execute(["ls"]) == code

    printed = capsys.readouterr()
    assert printed.err.strip() == line
    assert printed.out == ""


_PLACE: dict[str, Any] = {"file": "a.yml", "line": 3, "column": 5, "key": "x.y"}


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (
            NotFoundError("no such stack", hint="`rollout ls` lists them"),
            {
                "error": "no such stack",
                "hint": "`rollout ls` lists them",
                "reference": "not-found",
                "exit_code": 1,
            },
        ),
        (
            FileError("unknown", hint="known", **_PLACE),
            {
                "error": "a.yml:3:5: x.y: unknown (known)",
                "hint": "",
                "reference": "bad-file",
                "exit_code": 2,
                "errors": [{"error": "unknown", "hint": "known", **_PLACE}],
            },
        ),
        (
            KeyboardInterrupt(),
            {"error": "interrupted", "hint": "", "reference": "interrupted", "exit_code": 130},
        ),
        (
            KeyError(1),
            {
                "error": "this is a bug, sorry: KeyError: 1",
                "hint": "reference internal-error; --log-level debug shows the traceback",
                "reference": "internal-error",
                "exit_code": 1,
            },
        ),
    ],
)
def test_where_json_is_asked_for_an_error_is_one_object(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    fields: dict[str, Any],
) -> None:
    _fails(monkeypatch, error)

    assert execute(["--log-format", "json", "ls"]) == fields["exit_code"]

    assert json.loads(capsys.readouterr().err) == fields


@pytest.mark.parametrize(
    "arguments",
    [
        ["--log-format=json", "ls", "--nonsense"],
        ["ls", "--format", "json", "--nonsense"],
        ["ls", "--format=json", "--nonsense"],
        ["deploy", "--progress", "json", "--nonsense"],
        ["deploy", "--nonsense", "--progress=json"],
    ],
)
def test_a_wrong_flag_beside_one_that_asks_for_json(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert execute(arguments) == 2

    said = json.loads(capsys.readouterr().err)
    assert (said["reference"], said["exit_code"]) == ("usage", 2)
    assert "--nonsense" in said["error"]


def test_json_is_not_asked_for_by_what_is_handed_on() -> None:
    assert not asks_for_json(["update", "st_web", "--", "--format", "json"])
    assert not asks_for_json(["ls", "--format"])
    assert not asks_for_json([])
    assert not asks_for_json(["ls", "--format", "table", "json"])


def test_all_that_is_wrong_with_a_file_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = [FileError("one", file="a", line=1), FileError("two", file="a", line=2)]
    _fails(monkeypatch, FileErrors(errors))

    assert execute(["ls"]) == 2

    assert capsys.readouterr().err.splitlines() == ["rollout: a:1: one", "rollout: a:2: two"]


def test_a_bug_is_one_line_that_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fails(monkeypatch, ZeroDivisionError("oops"))

    assert execute(["ls"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: oops" in line
    assert "internal-error" in line
    assert "--log-level debug" in line


def test_a_traceback_is_shown_for_debugging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a log line, so that machines get it in theirs."""
    _fails(monkeypatch, ZeroDivisionError("oops"))

    execute(["--log-level", "debug", "--log-format", "json", "ls"])

    traced, said = capsys.readouterr().err.splitlines()
    assert "Traceback" in traced
    assert '"level": "debug"' in traced
    assert json.loads(said)["reference"] == "internal-error"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "no such command 'nonsense'"),
        (["ps"], "missing argument"),
        (["update", "st_web", "--replicas", "x"], "'x' is not a valid integer"),
        (["update", "st_web", "--replicas", "-1"], "-1 is not in the range x>=0"),
        (["-H", "unix:///x", "--context", "y", "ls"], "--host and --context exclude each other"),
        (["rollback", "st_web", "--to", "0"], "0 is not in the range x>=1"),
        (["scale", "web"], 'invalid scale specifier "web"'),
        (["scale", "web=x"], "web: invalid replicas value x"),
        (["scale", "web=-1"], "web: invalid replicas value -1"),
        (["update", "st_web", "--rollback", "--image", "x"], "other flags may not be combined"),
        (["--engine", "swarm", "ls"], "--engine swarm is not in this version"),
        (["logs", "st_web", "--tail", "x"], "use a number or all"),
        (["update", "st_web", "--timeout", "5"], "a unit is missing"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    """Found before any engine is asked."""
    assert execute(["-H", "unix:///nowhere"] * ("-H" not in arguments) + arguments) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rollout: ")
    assert text in line


def test_an_engine_that_does_not_answer_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["-H", "unix:///nowhere/docker.sock", "ls"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert "/nowhere/docker.sock" in line


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rollout 0.")

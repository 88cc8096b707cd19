"""Ctrl-C, SIGTERM and SIGHUP in every phase; readers and terminals that go away."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command import compose_file, finish, rollout, start
from tests.support.witness import eventually, witness

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"{more}}}
        stop_grace_period: {grace}
        deploy:
          replicas: 2
          update_config: {{delay: {delay}, monitor: 100ms}}
"""
HEALTH = """
        healthcheck: {test: [CMD, test, -e, /ready], interval: 1s, retries: 30}
"""
AT_ONCE_S = 5.0


def _file(folder: Path, image: str, version: int, **given: str) -> str:
    fields = {"delay": "0s", "grace": "10s", "more": "", **given}
    health = HEALTH if "READY_AFTER" in fields["more"] else ""
    text = FILE.format(image=image, version=version, **fields).rstrip() + "\n" + health.lstrip("\n")
    return compose_file(folder, text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_while_the_delay_is_waited_for(
    tmp_path: Path, stack: str, image: str, number: signal.Signals
) -> None:
    """Nothing is in flight, so it leaves at once and says how to go on."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2, delay="60s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        update.send_signal(number)
        ran = finish(update, expect=130)

    assert f"rollout status {stack} --wait" in ran.err
    assert len(seen.of("die")) == len(seen.of("start", revision=2)) == 1


def test_while_health_is_waited_for(tmp_path: Path, stack: str, image: str) -> None:
    """The slot that was begun is carried through; the next is not begun."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        slow = _file(tmp_path, image, 2, more=', READY_AFTER: "2"')
        update = start("deploy", "-c", slow, stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        update.send_signal(signal.SIGINT)
        finish(update, expect=130)

    assert len(seen.of("die")) == len(seen.of("start", revision=2)) == 1
    tasks = rollout("ps", stack, "--format", "json").json
    assert sum(task["current_state"] == "running" for task in tasks) == 2


def test_what_may_never_finish_is_left(tmp_path: Path, stack: str, image: str) -> None:
    """A task that does not become healthy has ten minutes for it, whoever interrupts has not: it is
    said how long is waited, that it is left, and the next command goes on with it."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        stuck = _file(tmp_path, image, 2, more=', READY_AFTER: "45"')
        update = start("deploy", "-c", stuck, stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        update.send_signal(signal.SIGINT)
        ran = finish(update, expect=130)
        assert len(seen.of("start", revision=2)) == 1
        (task,) = (
            task
            for task in rollout("ps", stack, "--format", "json").json
            if task["current_state"] == "starting"
        )
        assert task["seconds_left"] > 0
        rollout("rollback", f"{stack}_web")

    assert "for 20s at most; once more leaves at once" in ran.err
    assert "what takes long is left as it is" in ran.err
    assert f"rollout status {stack} --wait" in ran.err
    tasks = rollout("ps", stack, "--format", "json").json
    assert sum(task["current_state"] == "running" for task in tasks) == 2


def test_the_second_leaves_at_once(tmp_path: Path, stack: str, image: str) -> None:
    """In the middle of a long stop; whoever comes next finishes what was begun."""
    stubborn = ', STUBBORN: "1"'
    rollout("deploy", "-c", _file(tmp_path, image, 1, grace="8s", more=stubborn), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2, grace="8s", more=stubborn), stack)
        seen.wait_for(lambda: seen.of("kill", revision=1))
        update.send_signal(signal.SIGTERM)
        assert update.stderr is not None
        assert "finishing what is in flight" in update.stderr.readline() + update.stderr.readline()
        began = time.monotonic()
        update.send_signal(signal.SIGINT)
        finish(update, expect=130)
        took = time.monotonic() - began
        assert not seen.of("die")
        rollout("scale", f"{stack}_web=1")

    assert took < AT_ONCE_S
    assert len(seen.of("start", revision=2)) + len(seen.of("start", revision=3)) >= 1
    tasks = rollout("ps", stack, "--format", "json").json
    assert [task["slot"] for task in tasks if task["current_state"] == "running"] == [1]


def test_a_follower_leaves_at_once(tmp_path: Path, stack: str, image: str) -> None:
    """It has nothing in flight; who drives goes on to the end."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2, delay="3s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        follower = start("status", stack, "--wait", "--progress", "plain")
        shown = follower.stdout
        assert shown is not None
        eventually(lambda: "followed" in shown.readline())
        follower.send_signal(signal.SIGINT)
        finish(follower, expect=130)
        finish(update, expect=0)


def test_before_anything_was_begun(tmp_path: Path) -> None:
    """The engine has not even answered."""
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(tmp_path / "docker.sock"))
    silent.listen()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        command = start("-H", f"unix://{tmp_path}/docker.sock", "rm", "nothing")
        connection, _ = silent.accept()
        command.send_signal(number)
        ran = finish(command, expect=130)
        connection.close()
        assert ran.err.strip() == "rollout: interrupted"
    silent.close()


def test_what_nohup_ignores_stays_ignored(tmp_path: Path, stack: str, image: str) -> None:
    """The terminal is closed, the update goes on to its end."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        file = _file(tmp_path, image, 2, delay="1s")
        update = subprocess.Popen(
            ["nohup", sys.executable, "-m", "rollout", "deploy", "-c", file, stack],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        seen.wait_for(lambda: seen.of("start", revision=2))
        update.send_signal(signal.SIGHUP)
        finish(update, expect=0)

    assert len(seen.of("start", revision=2)) == 2


def test_a_reader_that_goes_away_stops_nothing(tmp_path: Path, stack: str, image: str) -> None:
    """Of stdout and of stderr: no slot is left half replaced, the update comes to its end."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2, delay="1s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        assert update.stdout is not None
        assert update.stderr is not None
        update.stdout.close()
        update.stderr.close()
        assert update.wait(30) == 0

    assert len(seen.of("start", revision=2)) == 2


def test_in_a_terminal(tmp_path: Path, stack: str, image: str) -> None:
    """Ctrl-C twice from the keyboard; the cursor is there again, and nothing is printed after."""
    stubborn = ', STUBBORN: "1"'
    rollout("deploy", "-c", _file(tmp_path, image, 1, grace="4s", more=stubborn), stack)
    file = _file(tmp_path, image, 2, grace="4s", more=stubborn)

    with witness(stack) as seen:
        pid, keyboard = pty.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "rollout", "deploy", "-c", file, stack])
        seen.wait_for(lambda: seen.of("kill", revision=1))
        os.write(keyboard, b"\x03")
        shown = _read_until(keyboard, b"once more leaves at once")
        os.write(keyboard, b"\x03")
        shown += _read_until(keyboard, None)
        _, status = os.waitpid(pid, 0)
        seen.wait_for(lambda: seen.of("die", revision=1))

    os.close(keyboard)
    assert os.waitstatus_to_exitcode(status) == 130
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") >= 0
    assert b"Traceback" not in shown


def _read_until(terminal: int, words: bytes | None) -> bytes:
    """What a program shows, up to these words, or up to its end."""
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that its program has ended
        while words is None or words not in shown:
            shown += os.read(terminal, 4096)
    return shown

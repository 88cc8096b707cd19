"""`rollout controller`, a process of its own, on the real engine; each watches one stack only."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import docker
import pytest

from rollout.model import labels
from tests.support.command import compose_file, finish, rollout, start
from tests.support.engine import eventually
from tests.support.witness import witness

pytestmark = pytest.mark.docker

_WITHIN_S = 60.0

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}", {environment}}}
        {more}
        deploy:
          replicas: {replicas}
          restart_policy: {{{restart}}}
          update_config: {{parallelism: 1, delay: {delay}, monitor: 200ms, max_failure_ratio: 1}}
"""


def _file(folder: Path, image: str, version: int = 1, **words: Any) -> str:
    given = {
        "environment": "",
        "more": "",
        "replicas": 2,
        "restart": "delay: 1s",
        "delay": "0s",
        **words,
    }
    return compose_file(folder, FILE.format(image=image, version=version, **given))


class Controller:
    """A running controller; `log` is what it has said so far."""

    def __init__(self, stack: str, output: Path) -> None:
        self._output = output
        with output.open("ab") as written:
            self._start(stack, written)
        eventually(lambda: "watching" in self.log, within_s=_WITHIN_S)

    def _start(self, stack: str, written: IO[bytes]) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "rollout", "--log-format", "json"),
                *("controller", "--listen", "127.0.0.1:0", "--stack", stack),
            ],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )

    @property
    def log(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def page(self, path: str) -> tuple[int, str]:
        found = re.search(r'"address": "([^"]+)"', self.log)
        assert found, self.log
        try:
            with urllib.request.urlopen(f"http://{found.group(1)}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert "Traceback" not in self.log, self.log
        return code


@contextmanager
def _controller(stack: str) -> Iterator[Controller]:
    with tempfile.TemporaryDirectory() as folder:
        found = Controller(stack, Path(folder) / "log")
        try:
            yield found
        finally:
            if found.process.poll() is None:
                found.process.kill()
                found.process.wait()


@pytest.fixture
def controller(stack: str) -> Iterator[Controller]:
    with _controller(stack) as found:
        yield found


def _running(stack: str) -> list[dict[str, Any]]:
    found = rollout("ps", stack, "--format", "json").json
    return [task for task in found if task["current_state"] == "running"]


def _update_state(stack: str) -> str:
    found = rollout("inspect", f"{stack}_web").json["update_status"] or {}
    return str(found.get("state", ""))


def _records(client: docker.APIClient, stack: str, kind: str) -> list[str]:
    wanted = {"label": [f"{labels.STACK}={stack}", f"{labels.RECORD}={kind}"]}
    return [each["Name"] for each in client.volumes(filters=wanted)["Volumes"] or []]


def _containers(client: docker.APIClient, stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.containers(
        filters={"label": f"{labels.COMPOSE_PROJECT}={stack}", "status": "running"}
    )
    return found


def test_what_was_detached_is_driven_and_then_nothing_is_held(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient, controller: Controller
) -> None:
    """A stack that is new, then an update of it; health and metrics say how it stands."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), "--detach", stack)
    eventually(lambda: len(_running(stack)) == 2, within_s=_WITHIN_S)

    rollout("deploy", "-c", _file(tmp_path, image, 2), "--detach", stack)
    eventually(lambda: _update_state(stack) == "completed", within_s=_WITHIN_S)

    assert {task["revision"] for task in _running(stack)} == {2}
    eventually(lambda: not _records(client, stack, "lease"), within_s=_WITHIN_S)
    status, health = controller.page("/healthz")
    assert (status, json.loads(health)["stacks"]) == (200, [stack])
    status, metrics = controller.page("/metrics")
    assert status == 200
    web = f'{{service="web",stack="{stack}"}}'
    assert f"rollout_service_revision{web} 2.0" in metrics
    assert f"rollout_service_replicas_running{web} 2.0" in metrics
    assert controller.end() == 0


def test_what_goes_down_is_replaced(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient, controller: Controller
) -> None:
    """A container that was removed by hand, at once; one that turns unhealthy, after the delay."""
    check = (
        'healthcheck: {test: ["CMD", "test", "-e", "/ready"], interval: 200ms, '
        "timeout: 5s, retries: 2}"
    )
    file = _file(tmp_path, image, environment='READY_AFTER: "0"', more=check)
    rollout("deploy", "-c", file, stack)
    first, second = _containers(client, stack)

    with witness(stack) as seen:
        client.remove_container(first["Id"], force=True)
        seen.wait_for(lambda: seen.of("start"), _WITHIN_S)
        eventually(lambda: len(_running(stack)) == 2, within_s=_WITHIN_S)
        made = client.exec_create(second["Id"], ["rm", "/ready"])
        client.exec_start(made["Id"])
        seen.wait_for(lambda: len(seen.of("start")) == 2, _WITHIN_S)
        eventually(lambda: len(_running(stack)) == 2, within_s=_WITHIN_S)

    died = next(event for event in seen.of("die") if event.container == second["Id"])
    again = seen.of("start")[1]
    assert again.slot == died.slot
    assert again.at - died.at >= 0.95


def test_attempts_are_used_up(
    tmp_path: Path, stack: str, image: str, controller: Controller
) -> None:
    """Two restarts whatever restarts it, though each life is longer than its monitor window."""
    file = _file(
        tmp_path,
        image,
        replicas=1,
        environment='EXIT_AFTER: "3"',
        restart="delay: 1s, max_attempts: 2",
    )

    with witness(stack) as seen:
        rollout("deploy", "-c", file, "--detach", stack)
        seen.wait_for(lambda: len(seen.of("die")) == 3, _WITHIN_S)
        rest = f'rollout_service_at_rest{{service="web",stack="{stack}"}} 1.0'
        eventually(lambda: rest in controller.page("/metrics")[1], within_s=_WITHIN_S)

    assert len(seen.of("start")) == 3
    assert controller.end() == 0


def test_a_command_works_beside_it(
    tmp_path: Path, stack: str, image: str, controller: Controller
) -> None:
    """It drives or follows, whoever was quicker, and ends with the outcome."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)
    rollout("deploy", "-c", _file(tmp_path, image, 2), stack)
    rollout("scale", f"{stack}_web=3")

    assert len(_running(stack)) == 3
    eventually(lambda: "revision 3: " in controller.log, within_s=_WITHIN_S)


def test_what_a_killed_command_began_is_finished(
    tmp_path: Path, stack: str, image: str, controller: Controller
) -> None:
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        file = _file(tmp_path, image, 2, delay="1s")
        update = start("deploy", "-c", file, stack)
        seen.wait_for(lambda: seen.of("die", revision=1), _WITHIN_S)
        update.kill()
        update.communicate()
        eventually(lambda: _update_state(stack) == "completed", within_s=_WITHIN_S)

    assert {task["revision"] for task in _running(stack)} == {2}
    assert len(seen.of("start", revision=2)) == 2


def test_killed_and_started_again_it_goes_on(tmp_path: Path, stack: str, image: str) -> None:
    """SIGKILL in the middle of an update that it drives."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        with _controller(stack) as first:
            rollout("deploy", "-c", _file(tmp_path, image, 2, delay="2s"), "--detach", stack)
            seen.wait_for(lambda: seen.of("start", revision=2), _WITHIN_S)
            first.process.kill()
            first.process.wait()
        with _controller(stack) as second:
            eventually(lambda: _update_state(stack) == "completed", within_s=_WITHIN_S)
            assert second.end() == 0

    assert len(seen.of("start", revision=2)) == len(seen.of("die", revision=1)) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_finishes_what_is_in_flight(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient, number: int
) -> None:
    """Exit 0, no slot down, no lease, and every task is Docker's to restart."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen, _controller(stack) as controller:
        rollout("deploy", "-c", _file(tmp_path, image, 2, delay="60s"), "--detach", stack)
        seen.wait_for(lambda: seen.of("kill", revision=1), _WITHIN_S)
        assert controller.end(number) == 0

    assert len(seen.of("die", revision=1)) == len(seen.of("start", revision=2)) == 1
    assert not _records(client, stack, "lease")
    policies = {
        client.inspect_container(each["Id"])["HostConfig"]["RestartPolicy"]["Name"]
        for each in _containers(client, stack)
    }
    assert policies == {"unless-stopped"}


def test_a_removed_stack_stays_removed(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient, controller: Controller
) -> None:
    """`rm` beside it: no container, no record, no lease; and it is let go."""
    rollout("deploy", "-c", _file(tmp_path, image), stack)
    eventually(lambda: stack in controller.page("/healthz")[1], within_s=_WITHIN_S)

    finish(start("rm", stack))

    eventually(lambda: stack not in controller.page("/healthz")[1], within_s=_WITHIN_S)
    assert not client.containers(all=True, filters={"label": f"{labels.STACK}={stack}"})
    wanted = {"label": f"{labels.STACK}={stack}"}
    assert not client.volumes(filters=wanted)["Volumes"]

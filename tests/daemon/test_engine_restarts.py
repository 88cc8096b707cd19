"""The engine itself is killed, stopped, powered off: a real one, of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ran, compose_file, finish, hears, rollout, start
from tests.support.engine import eventually, new_stack
from tests.support.own_engine import TCP, OwnEngine
from tests.support.witness import witness

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("own-engine")]

FILE = """
    services:
      web:
        image: rollout-enginetest:v2
        environment: {{VERSION: "{version}"}}
        deploy:
          replicas: {replicas}
          restart_policy: {{condition: {condition}, delay: 100ms}}
          update_config: {{monitor: 300ms, delay: {delay}, failure_action: rollback}}
"""


@pytest.fixture(scope="module")
def own() -> Iterator[OwnEngine]:
    found = OwnEngine()
    yield found
    found.close()


@pytest.fixture(params=[False, True], ids=["plain", "live-restore"])
def restarted(own: OwnEngine, request: pytest.FixtureRequest) -> OwnEngine:
    """The engine with and without `live-restore`."""
    if own.live_restore != request.param:
        own.live_restore = request.param
        own.stop()
        own.start()
    return own


@pytest.fixture
def stack(own: OwnEngine) -> Iterator[str]:
    name = new_stack()
    yield name
    rollout("-H", own.host, "rm", name, expect=None)


def _file(folder: Path, version: int, **given: Any) -> str:
    fields = {"replicas": 3, "condition": "any", "delay": "0s", **given}
    return compose_file(folder, FILE.format(version=version, **fields))


def _deploy(own: OwnEngine, folder: Path, stack: str, version: int, **given: Any) -> Ran:
    return rollout("-H", own.host, "deploy", "-c", _file(folder, version, **given), stack)


def _running(own: OwnEngine, stack: str) -> list[tuple[int, int]]:
    """Slots and revisions of what the engine itself says is running."""
    rows = own.client.containers(filters={"label": f"rollout.stack={stack}"})
    return sorted(
        (int(row["Labels"]["rollout.slot"]), int(row["Labels"]["rollout.revision"])) for row in rows
    )


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_an_update_goes_on_when_the_engine_is_back(
    tmp_path: Path, restarted: OwnEngine, stack: str, end: str
) -> None:
    """The running command itself waits, says so, and ends with exit 0 and the right tasks; what
    the engine took down with it is no failure of the update."""
    own = restarted
    _deploy(own, tmp_path, stack, 1)
    file = _file(tmp_path, 2, delay="1s")

    with witness(stack, own.host) as seen:
        update = start("-H", own.host, "deploy", "--progress", "plain", "-c", file, stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        getattr(own, end)()
    # A quick restart is bridged without a word: it stays away until the command has spoken.
    hears(update, f"{stack}: the engine does not answer, waiting for it: ")
    own.start()
    ran = finish(update)

    assert f"{stack}: the engine is back after " in ran.out
    assert _running(own, stack) == [(1, 2), (2, 2), (3, 2)]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_quick_restart_is_bridged(
    tmp_path: Path, restarted: OwnEngine, stack: str, end: str
) -> None:
    """Back at once, as after an upgrade of the package: the update ends as it would have."""
    own = restarted
    _deploy(own, tmp_path, stack, 1)

    with witness(stack, own.host) as seen:
        update = start("-H", own.host, "deploy", "-c", _file(tmp_path, 2), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        getattr(own, end)()
    own.start()
    finish(update)

    assert _running(own, stack) == [(1, 2), (2, 2), (3, 2)]


def test_command_and_machine_die_in_mid_update(tmp_path: Path, own: OwnEngine, stack: str) -> None:
    """Everything is gone at once; the next command brings the update to its end."""
    _deploy(own, tmp_path, stack, 1)

    with witness(stack, own.host) as seen:
        update = start("-H", own.host, "deploy", "-c", _file(tmp_path, 2, delay="3s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        update.kill()
        update.communicate()
        own.power_off()
    own.start()
    rollout("-H", own.host, "status", stack, "--wait")

    assert _running(own, stack) == [(1, 2), (2, 2), (3, 2)]


def test_after_an_update_nothing_old_comes_back(tmp_path: Path, own: OwnEngine, stack: str) -> None:
    """Stopped or without power, the engine itself starts what ran, and nothing else.  Killed, it
    may leave down what it finds alive (20.10 does): the next deploy starts that anew."""
    _deploy(own, tmp_path, stack, 1)
    _deploy(own, tmp_path, stack, 2)

    for end in (own.stop, own.power_off, own.kill):
        end()
        own.start()
        if end != own.kill:
            eventually(lambda: len(_running(own, stack)) == 3)
        assert {revision for _, revision in _running(own, stack)} <= {2}

    rollout("-H", own.host, "deploy", "-c", _file(tmp_path, 2), stack)
    assert _running(own, stack) == [(1, 2), (2, 2), (3, 2)]


def test_an_engine_that_stays_away(tmp_path: Path, own: OwnEngine, stack: str) -> None:
    """It is waited for until the deadline; then one line says so and how to go on, with exit 1."""
    _deploy(own, tmp_path, stack, 1)
    file = _file(tmp_path, 2, delay="60s")

    with witness(stack, own.host) as seen:
        update = start("-H", own.host, "deploy", "--timeout", "4s", "-c", file, stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        own.stop()
    ran = finish(update, expect=1)
    own.start()

    last = ran.err.splitlines()[-1]
    assert last.startswith(f"rollout: {stack}: the engine has been away for 4s: no engine answers")
    assert f"`rollout status {stack} --wait` goes on" in last


def test_over_tcp_with_another_clock(tmp_path: Path, own: OwnEngine, stack: str) -> None:
    """From a machine whose clock is an hour ahead: what counts is the engine's."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nreal = time.time\ntime.time = lambda: real() + 3600\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])

    def far(*arguments: str) -> str:
        done = subprocess.run(
            own.inside(sys.executable, "-m", "rollout", "-H", TCP, *arguments),
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        return done.stdout

    for version in (1, 2):
        far("deploy", "-c", _file(tmp_path, version), stack)

    assert _running(own, stack) == [(1, 2), (2, 2), (3, 2)]
    (_, newest) = json.loads(far("history", f"{stack}_web", "--format", "json"))
    created = datetime.fromisoformat(newest["created_at"])
    assert abs(created.timestamp() - time.time()) < 120

"""The engine itself is killed, stopped, powered off: a real one, of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ran, compose_file, finish, rollout, start
from tests.support.engine import new_stack
from tests.support.own_engine import OwnEngine
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
    own.start()
    finish(update)

    assert _running(own, stack) == [(1, 2), (2, 2), (3, 2)]

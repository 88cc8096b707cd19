"""An engine whose disk is full: what runs goes on running, and so does the update, later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import compose_file, finish, rollout, start
from tests.support.own_engine import OwnEngine

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("own-engine")]

FILE = """
    services:
      web:
        image: rollout-enginetest:v2
        environment: {{VERSION: "{version}"}}
        deploy:
          replicas: 3
          update_config: {{monitor: 300ms}}
"""


@pytest.fixture(scope="module")
def small() -> Iterator[OwnEngine]:
    found = OwnEngine(room="48m")
    yield found
    found.close()


def _fill(engine: OwnEngine) -> Path:
    """The last byte is taken."""
    found = engine.data / "filler"
    with found.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 65536):
            pass
    return found


def _file(folder: Path, version: int) -> str:
    return compose_file(folder, FILE.format(version=version))


def _running(engine: OwnEngine) -> list[tuple[int, int]]:
    rows = engine.client.containers(filters={"label": "rollout.stack=st"})
    return sorted(
        (int(row["Labels"]["rollout.slot"]), int(row["Labels"]["rollout.revision"])) for row in rows
    )


def test_nothing_is_touched_until_there_is_room_again(tmp_path: Path, small: OwnEngine) -> None:
    """The running command says what is wrong and what to do, waits, and ends well."""
    rollout("-H", small.host, "deploy", "-c", _file(tmp_path, 1), "st")
    filler = _fill(small)

    file = _file(tmp_path, 2)
    update = start("-H", small.host, "deploy", "--progress", "plain", "-c", file, "st")
    assert update.stdout is not None
    said = next(line for line in update.stdout if "no space left on device" in line)
    running = _running(small)
    filler.unlink()
    finish(update)

    assert "free space on the engine's host: docker system df" in said
    assert running == [(1, 1), (2, 1), (3, 1)]
    assert _running(small) == [(1, 2), (2, 2), (3, 2)]

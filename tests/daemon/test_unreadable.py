"""Containers and volumes with our labels and nonsense in them, on a real engine: every command goes
on, names each once, and `rm` and `doctor` remove them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.model import labels
from tests.support.command import Ran, compose_file, rollout

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        deploy:
          update_config: {{monitor: 100ms}}
"""


def _deploy(folder: Path, stack: str, image: str, version: int) -> Ran:
    file = compose_file(folder, FILE.format(image=image, version=version))
    return rollout("deploy", "-c", file, stack)


def _labels(stack: str, **changed: str) -> dict[str, str]:
    found = {
        labels.COMPOSE_PROJECT: stack,
        labels.COMPOSE_SERVICE: "web",
        labels.STACK: stack,
        labels.SERVICE: "web",
        labels.SLOT: "1",
        labels.REVISION: "1",
        labels.TASK: "z" * 25,
        labels.SPEC: "{}",
    }
    return {**found, **changed}


def _left(client: docker.APIClient, stack: str) -> list[str]:
    ours: dict[str, Any] = {"label": f"{labels.STACK}={stack}"}
    rows = [row["Names"][0] for row in client.containers(all=True, filters=ours)]
    return rows + [each["Name"] for each in client.volumes(filters=ours)["Volumes"] or []]


def test_others_trouble_is_not_ours(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    _deploy(tmp_path, stack, image, 1)
    strange = {
        f"{stack}-slot": _labels(stack, **{labels.SLOT: "abc"}),
        f"{stack}-far": _labels(stack, **{labels.SLOT: "1000000000"}),
        f"{stack}-late": _labels(stack, **{labels.REVISION: "1" + "0" * 30}),
        f"{stack}-escape": _labels(stack, **{labels.SERVICE: "\x1b]0;title\x07"}),
    }
    for name, found in strange.items():
        client.create_container(image, name=name, labels=found, volumes=["/data"])
    mounts = client.inspect_container(f"{stack}-slot")["Mounts"]
    record = f"rollout.{stack}_web.r2"
    client.create_volume(record, labels={labels.RECORD: "revision", labels.STACK: stack})

    for command in (
        ["ls"],
        ["services"],
        ["ps", stack],
        ["status", stack],
        ["history", f"{stack}_web"],
        ["logs", stack],
    ):
        ran = rollout(*command)
        assert "\x1b" not in ran.out + ran.err
        named = [name for name in (*strange, record) if name in ran.err]
        assert all(ran.err.count(f" {name} ") == 1 for name in named), str(ran)
        assert named or command[0] == "ls"
    assert len(rollout("ps", stack, "--format", "json").json) == 1
    assert "revision 3" in _deploy(tmp_path, stack, image, 2).out
    rollout("rollback", f"{stack}_web")
    assert [
        each["revision"] for each in rollout("history", f"{stack}_web", "--format", "json").json
    ] == [1, 3, 4]

    listed = {each["name"] for each in rollout("doctor", "--format", "json", expect=1).json}
    assert listed >= {*strange, record}
    rollout("doctor", "--remove", f"{stack}-web", expect=2)
    removed = rollout("doctor", "--remove", f"{stack}-slot").out
    assert removed == f"Removed container {stack}-slot\n"
    assert client.inspect_volume(mounts[0]["Name"])
    said = rollout("rm", stack).out
    assert f"Removing container {stack}-far, which cannot be read" in said
    assert f"Removing volume {record}, which cannot be read" in said
    assert not _left(client, stack)
    client.remove_volume(mounts[0]["Name"])

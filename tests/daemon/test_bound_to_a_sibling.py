"""What shares something with a task of another service, on the real engine: the namespaces that a
process is in are compared, and what it sees of a volume."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from tests.support.command import compose_file, rollout

pytestmark = pytest.mark.docker

_FILE = """
    x-other: &other
      image: {image}
      stop_grace_period: 1s
      deploy: {{update_config: {{monitor: 200ms}}}}
    services:
      vpn:
        image: {image}
        environment: {{VERSION: "{version}"}}
        ipc: shareable
        stop_grace_period: 1s
        volumes: [/data]
        deploy: {{update_config: {{monitor: 200ms}}}}
      net: {{<<: *other, environment: {{A: "{other}"}}, network_mode: "service:vpn"}}
      pid: {{<<: *other, pid: "service:vpn"}}
      ipc: {{<<: *other, ipc: "service:vpn"}}
      files: {{<<: *other, volumes_from: [vpn]}}
    """


def _running(client: docker.APIClient, stack: str, service: str) -> str:
    labels = [f"com.docker.compose.project={stack}", f"com.docker.compose.service={service}"]
    (found,) = client.containers(filters={"label": labels})
    return str(found["Id"])


def _run(client: docker.APIClient, container: str, *command: str) -> str:
    made = client.exec_create(container, list(command))
    printed: bytes = client.exec_start(made["Id"])
    return printed.decode().strip()


def _namespace(client: docker.APIClient, stack: str, service: str, kind: str) -> str:
    container = _running(client, stack, service)
    found = _run(client, container, "readlink", f"/proc/self/ns/{kind}")
    assert found.startswith(f"{kind}:["), found
    return found


def _assert_shared(client: docker.APIClient, stack: str) -> None:
    for kind in ("net", "pid", "ipc"):
        owner = _namespace(client, stack, "vpn", kind)
        assert _namespace(client, stack, kind, kind) == owner, kind


def _assert_volume_shared(client: docker.APIClient, stack: str, word: str) -> None:
    _run(client, _running(client, stack, "vpn"), "sh", "-c", f"echo {word} > /data/word")
    assert _run(client, _running(client, stack, "files"), "cat", "/data/word") == word


def _file(folder: Path, image: str, version: int, other: int = 0) -> str:
    return compose_file(folder, _FILE.format(image=image, version=version, other=other))


def test_what_is_bound_to_a_task_goes_with_it(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """The owner is updated, and one of the others as well: each is replaced once.  Then the owner
    is restarted by hand: its container is the same, its namespaces are not, and no engine tells
    those that are in the old ones."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)
    _assert_shared(client, stack)
    file = _file(tmp_path, image, 2, other=2)

    rollout("deploy", "-c", file, stack)

    _assert_shared(client, stack)
    _assert_volume_shared(client, stack, "word")
    mine = {"label": [f"rollout.stack={stack}"]}
    assert len(client.containers(all=True, filters=mine)) == 10

    client.restart(_running(client, stack, "vpn"), timeout=1)

    seen = rollout("status", stack).out
    assert "net.1 to be bound anew: vpn.1 was started again after it" in seen
    rollout("deploy", "-c", file, stack)
    _assert_shared(client, stack)
    assert "anew" not in rollout("status", stack).out

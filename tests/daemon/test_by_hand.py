"""Containers that somebody treats by hand: at rest, and in the middle of an update.

One stack, one service for each kind of treatment, all treated at once.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.command import compose_file, finish, rollout, start
from tests.support.engine import eventually
from tests.support.witness import witness

pytestmark = pytest.mark.docker

SERVICE = """
      {name}:
        image: {image}
        environment: {{VERSION: "{version}"}}
        volumes: ["kept:/kept"]
        deploy:
          replicas: {replicas}
          restart_policy: {{delay: 100ms}}
          update_config: {{monitor: 200ms, delay: {delay}}}
"""


def _file(
    folder: Path,
    image: str,
    names: list[str],
    version: int,
    *,
    replicas: int = 1,
    delay: str = "0s",
) -> str:
    services = "".join(
        SERVICE.format(name=name, image=image, version=version, replicas=replicas, delay=delay)
        for name in names
    )
    return compose_file(folder, f"    services:{services}    volumes: {{kept: }}\n")


def _rows(client: docker.APIClient, stack: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.containers(
        all=True, filters={"label": f"rollout.stack={stack}"}
    )
    return found


def _container(client: docker.APIClient, stack: str, service: str, slot: int, revision: int) -> str:
    """The one container of a slot that was made for a revision."""
    wanted = {
        "rollout.service": service,
        "rollout.slot": str(slot),
        "rollout.revision": str(revision),
    }
    (found,) = [
        str(row["Id"])
        for row in _rows(client, stack)
        if wanted.items() <= row["Labels"].items()  # type: ignore[attr-defined]
    ]
    return found


def _running(client: docker.APIClient, stack: str) -> dict[str, list[tuple[int, int]]]:
    """Service → slots and revisions of what runs, by the engine's own word."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in _rows(client, stack):
        if row["State"] == "running" and "Paused" not in str(row["Status"]):
            marks = row["Labels"]
            where = (int(marks["rollout.slot"]), int(marks["rollout.revision"]))  # type: ignore[index]
            found.setdefault(marks["rollout.service"], []).append(where)  # type: ignore[index]
    return {service: sorted(where) for service, where in found.items()}


def _set_policy(client: docker.APIClient, container: str, name: str) -> None:
    policy: Any = {"Name": name}
    client.update_container(container, restart_policy=policy)


def test_at_rest_the_next_command_puts_it_right(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Removed, stopped or killed: a task like it.  Renamed or restarted: the same task, and no
    second one.  A restart policy that was taken away is set again."""
    names = ["removed", "stopped", "killed", "renamed", "restarted", "disarmed"]
    rollout("deploy", "-c", _file(tmp_path, image, names, 1), stack)
    before = {name: _container(client, stack, name, 1, 1) for name in names}

    client.remove_container(before["removed"], force=True)
    client.stop(before["stopped"], timeout=5)
    client.kill(before["killed"])
    client.rename(before["renamed"], f"{stack}-renamed")
    client.restart(before["restarted"], timeout=5)
    _set_policy(client, before["disarmed"], "no")
    looked = rollout("status", stack, "--wait", expect=1)
    assert f"{stack}_killed: down: 0/1" in looked.err
    assert f"rollout deploy -c FILE... {stack}" in looked.err
    rollout("deploy", "-c", _file(tmp_path, image, names, 1), stack)

    assert _running(client, stack) == {name: [(1, 1)] for name in names}
    ours = {row["Id"] for row in _rows(client, stack) if row["State"] == "running"}
    assert {name for name in names if before[name] in ours} == {"renamed", "restarted", "disarmed"}
    policy = client.inspect_container(before["disarmed"])["HostConfig"]["RestartPolicy"]
    assert policy["Name"] == "unless-stopped"


def test_paused_at_rest_it_is_not_running_until_it_is_unpaused(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """The next command says so; no second task is made beside it."""
    rollout("deploy", "-c", _file(tmp_path, image, ["web"], 1), stack)
    task = _container(client, stack, "web", 1, 1)

    client.pause(task)
    paused = rollout("status", stack, "--wait", expect=1)
    client.unpause(task)
    rollout("status", stack, "--wait")

    assert "0/1 running" in paused.err
    assert [row["Id"] for row in _rows(client, stack)] == [task]


def test_removed_after_an_update_it_is_made_again(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Though its predecessor is still there, in the slot's history."""
    rollout("deploy", "-c", _file(tmp_path, image, ["web"], 1), stack)
    rollout("deploy", "-c", _file(tmp_path, image, ["web"], 2), stack)

    client.remove_container(_container(client, stack, "web", 1, 2), force=True)
    rollout("deploy", "-c", _file(tmp_path, image, ["web"], 2), stack)

    assert _running(client, stack) == {"web": [(1, 2)]}


def test_in_mid_update_it_still_ends_well(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Between the batches, with slot 1 updated and slot 2 still to come: every service ends with
    both slots updated, one task each."""
    names = [
        "new-removed", "ready-removed", "old-removed", "old-stopped", "old-paused",
        "ready-renamed", "old-disarmed", "image-removed",
    ]  # fmt: skip
    client.tag(image, stack, "gone")
    image = f"{stack}:gone"
    rollout("deploy", "-c", _file(tmp_path, image, names, 1, replicas=2), stack)

    with witness(stack) as seen:
        file = _file(tmp_path, image, names, 2, replicas=2, delay="8s")
        update = start("deploy", "-c", file, stack)
        seen.wait_for(lambda: len(seen.of("start", revision=2)) == len(names))
        seen.wait_for(lambda: len(seen.of("create", revision=2)) == 2 * len(names))

        def of(service: str, slot: int, revision: int) -> str:
            return _container(client, stack, service, slot, revision)

        client.remove_container(of("new-removed", 1, 2), force=True)
        client.remove_container(of("ready-removed", 2, 2), force=True)
        client.remove_container(of("old-removed", 2, 1), force=True)
        client.stop(of("old-stopped", 2, 1), timeout=5)
        client.pause(of("old-paused", 2, 1))
        client.rename(of("ready-renamed", 2, 2), f"{stack}-renamed")
        _set_policy(client, of("old-disarmed", 2, 1), "always")
        client.remove_image(image, force=True)
        with pytest.raises(docker.errors.APIError, match="in use"):
            client.remove_volume(f"{stack}_kept", force=True)
        finish(update)

    assert _running(client, stack) == {name: [(1, 2), (2, 2)] for name in names}
    eventually(lambda: not [row for row in _rows(client, stack) if row["State"] == "paused"])


def test_a_network_that_was_removed_in_mid_update(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """The new task cannot be started: the update pauses and says why.  The network is made again
    with the next try, so `resume` is all it takes."""
    text = SERVICE.format(name="web", image=image, version="{version}", replicas=1, delay="0s")
    text = text.replace('"{version}"', '"{version}", STOP_TAKES: "3"')
    file = f"    services:{text}    volumes: {{kept: }}\n"
    rollout("deploy", "-c", compose_file(tmp_path, file.replace("{version}", "1")), stack)

    with witness(stack) as seen:
        new = compose_file(tmp_path, file.replace("{version}", "2"))
        update = start("deploy", "-c", new, stack)
        seen.wait_for(lambda: seen.of("kill", revision=1))
        network = f"{stack}_default"
        old = _container(client, stack, "web", 1, 1)
        client.disconnect_container_from_network(old, network, force=True)
        client.remove_network(network)
        ran = finish(update, expect=3)

    assert "not found" in ran.err
    assert network in ran.err
    rollout("resume", f"{stack}_web")
    assert _running(client, stack) == {"web": [(1, 2)]}


def test_a_port_that_somebody_else_has_taken(tmp_path: Path, stack: str, image: str) -> None:
    """One line says which and that it is taken; once it is free, the same file again is enough."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = compose_file(
            tmp_path,
            f"""
            services:
              web:
                image: {image}
                ports: ["127.0.0.1:{port}:80"]
                deploy:
                  restart_policy: {{condition: none}}
                  update_config: {{monitor: 200ms}}
            """,
        )
        said = rollout("deploy", "-c", file, stack, expect=None)

    assert f"port {port}/tcp is taken by " in said.err
    assert said.code == 1, str(said)
    rollout("deploy", "-c", file, stack)

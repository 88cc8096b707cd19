"""`rm`, a pruned ledger and `unlock` on a real engine, with other processes at work."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.model import labels
from tests.support.command import compose_file, finish, rollout, start
from tests.support.engine import eventually
from tests.support.witness import witness

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        networks: [front]
        configs: [settings]
        volumes: [/anonymous]
        deploy:
          replicas: 2
          update_config: {{delay: {delay}, monitor: 100ms}}
    networks: {{front: {{}}}}
    configs: {{settings: {{content: "version {version}"}}}}
"""


def _file(folder: Path, image: str, version: int, delay: str = "0s") -> str:
    return compose_file(folder, FILE.format(image=image, version=version, delay=delay))


def _left(client: docker.APIClient, stack: str) -> list[str]:
    """Names of all containers, networks and volumes that a stack has on the engine."""
    ours: dict[str, Any] = {"label": f"{labels.COMPOSE_PROJECT}={stack}"}
    rows = [name for row in client.containers(all=True, filters=ours) for name in row["Names"]]
    networks = [each["Name"] for each in client.networks(filters=ours)]
    return rows + networks + _records(client, stack)


def _records(client: docker.APIClient, stack: str) -> list[str]:
    ours = [f"{labels.STACK}={stack}", labels.RECORD]
    found = client.volumes(filters={"label": ours})["Volumes"] or []
    return sorted(volume["Name"] for volume in found)


def _anonymous(client: docker.APIClient, stack: str) -> list[str]:
    ours = {"label": f"{labels.COMPOSE_PROJECT}={stack}"}
    return [
        mount["Name"]
        for row in client.containers(all=True, filters=ours)
        for mount in row["Mounts"]
        if mount["Type"] == "volume"
    ]


def test_rm_takes_down_what_another_process_is_driving(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Nothing is left: no container, no network, no volume of the ledger; but for the volumes
    without a name, which are named.  The other command says what has become of its update."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)
    with witness(stack) as seen:
        driver = start("deploy", "-c", _file(tmp_path, image, 2, "60s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
    anonymous = _anonymous(client, stack)
    assert anonymous

    removed = rollout("rm", stack)
    ended = finish(driver, expect=1)

    assert f"Removing service {stack}_web" in removed.out
    assert "removed meanwhile" in ended.err
    assert _left(client, stack) == []
    everything = {volume["Name"] for volume in client.volumes()["Volumes"]}
    assert set(anonymous) <= everything
    assert all(f"Leaving volume {name} (web: /anonymous)" in removed.out for name in anonymous)


def test_a_deploy_after_a_killed_rm_finishes_it_and_works(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """It says so; the stack is a new one then."""
    file = _file(tmp_path, image, 1)
    rollout("deploy", "-c", file, stack)
    removing = start("rm", stack)
    eventually(lambda: f"rollout.{stack}.removal" in _records(client, stack))
    removing.send_signal(signal.SIGKILL)
    removing.communicate()

    ran = rollout("deploy", "-c", file, stack)

    assert f"finishing the removal of {stack}, begun by" in ran.err
    assert [each["revision"] for each in _history(stack)] == [1]
    assert [name for name in _records(client, stack) if "lease" in name or "removal" in name] == []


def test_a_pruned_ledger_is_rebuilt_by_the_next_command(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Nothing that runs is touched, numbers go on, and a lost config is named."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)
    rollout("deploy", "-c", _file(tmp_path, image, 2), stack)
    running = _up(client, stack)
    for name in _records(client, stack):
        client.remove_volume(name)

    assert [each["action"] for each in _history(stack)] == ["rebuilt", "rebuilt"]
    assert rollout("status", stack, "--format", "json").json[0]["revision"] == 2
    assert _records(client, stack) == []

    waited = rollout("status", stack, "--wait")
    assert "the ledger had lost revisions 1, 2" in waited.err
    assert _up(client, stack) == running

    refused = rollout("rollback", f"{stack}_web", expect=1)
    assert "config settings" in refused.err
    assert "deploy" in refused.err
    assert _up(client, stack) == running
    rollout("deploy", "-c", _file(tmp_path, image, 3), stack)
    assert [each["revision"] for each in _history(stack)] == [1, 2, 3]


def test_who_holds_a_stack_is_shown_and_can_be_unlocked(
    tmp_path: Path, stack: str, image: str
) -> None:
    """The next command drives; the one that held it follows, and both end well."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)
    assert "nobody holds it" in rollout("unlock", stack).out
    with witness(stack) as seen:
        holder = start("deploy", "-c", _file(tmp_path, image, 2, "20s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
    pid = f"pid {holder.pid}"

    assert pid in rollout("status", stack).out
    assert pid in rollout("status", stack, "--format", "json").json[0]["holder"]
    assert pid in rollout("ls").out
    listed = {each["stack"]: each for each in rollout("ls", "--format", "json").json}
    assert listed[stack]["held_since"]
    assert pid in rollout("unlock", stack).out
    rollout("update", f"{stack}_web", "--update-delay", "0s")
    followed = finish(holder)

    assert "unlocked by" in followed.out or "driven by" in followed.out
    assert rollout("status", stack, "--format", "json").json[0]["holder"] is None


def test_what_a_dead_controller_had_half_made_goes_with_the_next_command(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """A container that still has the name of one that is being prepared."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)
    name = f"{stack}_web.1.{'0' * 25}.preparing"
    mine = {
        labels.COMPOSE_PROJECT: stack,
        labels.COMPOSE_SERVICE: "web",
        labels.STACK: stack,
        labels.SERVICE: "web",
        labels.SLOT: "1",
        labels.TASK: "0" * 25,
    }
    client.create_container(image, name=name, labels=mine)
    assert f"/{name}" in _left(client, stack)

    rollout("status", stack, "--wait")

    assert f"/{name}" not in _left(client, stack)
    assert len(_up(client, stack)) == 2


def _history(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rollout("history", f"{stack}_web", "--format", "json").json
    return found


def _up(client: docker.APIClient, stack: str) -> set[str]:
    ours = {"label": f"{labels.COMPOSE_PROJECT}={stack}"}
    return {row["Id"] for row in client.containers(filters=ours)}

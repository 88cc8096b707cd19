"""What cannot work is said before anything is touched, whichever command asks for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from rollout.engine.docker.engine import DockerEngine
from rollout.model.spec import Mount
from tests.support.command import Ran, compose_file, rollout
from tests.support.engine import service
from tests.support.witness import witness

pytestmark = pytest.mark.docker


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def taken(image: str, port: int) -> Iterator[str]:
    """The name of somebody's container that publishes the port once it is started."""
    raw = docker.APIClient()
    host = raw.create_host_config(port_bindings={80: port})
    made = raw.create_container(image, ports=[80], host_config=host)["Id"]
    try:
        yield str(raw.inspect_container(made)["Name"]).lstrip("/")
    finally:
        raw.remove_container(made, force=True)
        raw.close()


def _deploy(folder: Path, stack: str, services: str, *flags: str, expect: int = 0) -> Ran:
    file = compose_file(folder, f"services:\n{services}\n")
    return rollout("deploy", "-c", file, *flags, stack, expect=expect)


def _web(image: str, *more: str, name: str = "web") -> str:
    lines = (f"image: {image}", "stop_grace_period: 1s", *more)
    update = "deploy: {update_config: {monitor: 200ms}}"
    return f"  {name}:\n" + "".join(f"    {line}\n" for line in (*lines, update))


def test_a_renamed_service_takes_over_what_the_old_one_has(
    tmp_path: Path, stack: str, image: str, port: int
) -> None:
    """Its port and its name: with --prune the old one goes first."""
    has = (f'ports: ["{port}:80"]', f"container_name: {stack}-fixed")
    _deploy(tmp_path, stack, _web(image, *has, name="old"))

    refused = _deploy(tmp_path, stack, _web(image, *has, name="new"), expect=1)
    assert f"{stack}_new: port {port}/tcp is also what {stack}_old asks for" in refused.err

    with witness(stack) as seen:
        _deploy(tmp_path, stack, _web(image, *has, name="new"), "--prune")
        happened = [(each.what, each.service) for each in seen.of("start", "die")]

    assert happened == [("die", "old"), ("start", "new")]
    [left] = rollout("ps", stack, "--format", "json").json
    assert (left["service"], left["current_state"]) == ("new", "running")


def test_a_port_that_changes_hands_within_a_stack(
    tmp_path: Path, stack: str, image: str, port: int
) -> None:
    """`b` takes what `a` gives up in the same file."""
    has = f'ports: ["{port}:80"]'
    _deploy(tmp_path, stack, _web(image, has, name="b") + _web(image, name="a"))

    with witness(stack) as seen:
        _deploy(tmp_path, stack, _web(image, name="b") + _web(image, has, name="a"))
        starts = [each.service for each in seen.of("start")]

    assert starts == ["b", "a"]


def test_scale_asks_too(tmp_path: Path, stack: str, image: str, port: int) -> None:
    _deploy(tmp_path, stack, _web(image, f'ports: ["{port}:80"]'))

    ran = rollout("scale", f"{stack}_web=2", expect=1)

    assert f"port {port} can be published once, not by 2 replicas" in ran.err
    assert len(rollout("history", f"{stack}_web", "--format", "json").json) == 1


def test_a_rollback_asks_too(tmp_path: Path, stack: str, image: str, port: int, taken: str) -> None:
    """To a definition whose port somebody else has by now; what runs goes on."""
    raw = docker.APIClient()
    _deploy(tmp_path, stack, _web(image, f'ports: ["{port}:80"]'))
    _deploy(tmp_path, stack, _web(image))
    raw.start(taken)
    raw.close()

    with witness(stack) as seen:
        ran = rollout("rollback", f"{stack}_web", expect=1)
        assert seen.of("start", "die", "create") == []

    assert f"port {port}/tcp is taken by {taken}" in ran.err
    assert len(rollout("history", f"{stack}_web", "--format", "json").json) == 2


def test_what_the_engine_refuses_is_not_waited_for(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, _web(image))

    bad = _web(image, "logging: {driver: json-file, options: {nosuch: x}}")
    ran = _deploy(tmp_path, stack, bad, expect=1)

    assert f"{stack}_web: unknown log opt 'nosuch'" in ran.err
    assert len(rollout("history", f"{stack}_web", "--format", "json").json) == 1


def test_a_port_taken_between_the_check_and_the_start_puts_the_old_task_back(
    tmp_path: Path, stack: str, image: str, port: int, taken: str
) -> None:
    """Nobody could know; the update is paused, and what served goes on serving."""
    _deploy(tmp_path, stack, _web(image, 'environment: {STOP_TAKES: "1"}'))
    raw = docker.APIClient()

    with witness(stack) as seen:
        more = (f'ports: ["{port}:80"]', "restart: 'no'")
        file = compose_file(tmp_path, f"services:\n{_web(image, *more)}\n")
        rollout("deploy", "-c", file, "--detach", stack)
        raw.start(taken)
        ran = rollout("status", stack, "--wait", expect=3)
        assert seen.of("start", revision=1)
    raw.close()

    assert "port is already allocated" in ran.err
    up = [each for each in rollout("ps", stack, "--format", "json").json
          if each["current_state"] == "running"]  # fmt: skip
    assert [each["revision"] for each in up] == [1]


def test_a_file_that_is_not_on_the_engines_host(
    engine: DockerEngine, tmp_path: Path, stack: str, image: str
) -> None:
    """An empty folder would be made there and mounted; here such a path leads to a file for this
    process only."""
    file = tmp_path / "app.conf"
    file.write_text("x")
    number = os.dup2(os.open(file, os.O_RDONLY), 987)
    path = f"/proc/self/fd/{number}"
    try:
        mounts = (Mount(type="bind", source=path, target="/app.conf"),)
        [line] = engine.check(service(image, mounts=mounts), stack)
    finally:
        os.close(number)

    assert line.startswith(f"{path} is a file here, and not there on the engine's host")
    there = (Mount(type="bind", source=str(file), target="/app.conf"),)
    assert engine.check(service(image, mounts=there), stack) == ()

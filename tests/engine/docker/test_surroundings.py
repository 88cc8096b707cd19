"""Networks and volumes around a service, what speaks against running it, and logs."""

from __future__ import annotations

import socket

import docker
import pytest

from rollout.engine.docker.check import too_large
from rollout.engine.docker.engine import DockerEngine
from rollout.engine.docker.streams import frames, lines, raise_pull_error
from rollout.engine.docker.surroundings import network_config
from rollout.errors import EngineError, NotFoundError
from rollout.model.action import Stop
from rollout.model.spec import Network, Port, Resources, ServiceSpec, Volume
from tests.support.engine import (
    again,
    eventually,
    no_contents,
    revision,
    service,
    started,
)


def _spec(image: str = "app:v1", **fields: object) -> ServiceSpec:
    base = service(image)
    return ServiceSpec(name="web", task=base.task, **fields)  # type: ignore[arg-type]


def test_a_network_of_a_file() -> None:
    config = network_config(
        Network(
            key="front",
            name="st_front",
            driver="overlay",
            internal=True,
            subnets=({"subnet": "10.9.0.0/24", "ip_range": "10.9.0.0/25"},),
            labels={"team": "blue"},
        ),
        "st",
    )

    assert config["Driver"] == "bridge"
    assert config["IPAM"]["Config"] == [{"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.0/25"}]
    assert config["Labels"] == {
        "team": "blue",
        "rollout.stack": "st",
        "com.docker.compose.project": "st",
        "com.docker.compose.network": "front",
    }


@pytest.mark.docker
def test_ensure_and_clear(engine: DockerEngine, stack: str) -> None:
    """Made once, with Compose's labels; networks go again, volumes stay."""
    raw = docker.APIClient()
    spec = _spec(
        networks=(Network(key="default", name=f"{stack}_default"),),
        volumes=(Volume(key="data", name=f"{stack}_data"),),
    )

    assert engine.missing_volumes([spec], stack) == (f"{stack}_data",)
    for _ in range(2):
        engine.ensure(spec, stack)
    assert engine.missing_volumes([spec], stack) == ()

    (network,) = raw.networks(names=[f"{stack}_default"])
    assert network["Labels"]["com.docker.compose.network"] == "default"
    volume = raw.inspect_volume(f"{stack}_data")
    assert volume["Labels"]["com.docker.compose.volume"] == "data"
    engine.clear(stack)
    engine.clear(stack)
    assert raw.networks(names=[f"{stack}_default"]) == []
    assert raw.inspect_volume(f"{stack}_data")


@pytest.mark.docker
def test_a_network_in_use_is_left(engine: DockerEngine, stack: str, image: str) -> None:
    raw = docker.APIClient()
    name = f"{stack}_default"
    engine.ensure(_spec(networks=(Network(key="default", name=name),)), stack)
    task = started(engine, revision(stack, service(image)))
    raw.connect_container_to_network(task.container_id, name)

    (left,) = engine.clear(stack)

    assert raw.networks(names=[name])
    assert left == (
        f"network {name} stays, used by {task.name}; "
        f"`docker network rm {name}` when nothing uses it"
    )


@pytest.mark.docker
def test_what_is_external_must_be_there(engine: DockerEngine, stack: str) -> None:
    networks = (Network(key="n", name=f"{stack}_n", external=True),)
    volumes = (Volume(key="v", name=f"{stack}_v", external=True),)

    with pytest.raises(NotFoundError, match=f"docker network create {stack}_n"):
        engine.ensure(_spec(networks=networks), stack)
    with pytest.raises(NotFoundError, match=f"docker volume create {stack}_v"):
        engine.ensure(_spec(volumes=volumes), stack)
    assert engine.check(_spec(networks=networks, volumes=volumes), stack) == (
        f"external network {stack}_n does not exist (docker network create {stack}_n)",
        f"external volume {stack}_v does not exist (docker volume create {stack}_v)",
    )


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.docker
def test_a_port_that_another_service_holds(
    engine: DockerEngine, stack: str, image: str, free_port: int
) -> None:
    """Foreign containers count, the service's own do not."""
    ports = (Port(target=80, published=(free_port, free_port)),)
    task = started(engine, revision(stack, service(image, ports=ports)))

    assert f"0.0.0.0:{free_port}->80/tcp" in again(engine, task).ports
    assert engine.check(service(image, ports=ports), stack) == ()
    assert engine.check(service(image, name="other", ports=ports), stack) == (
        f"port {free_port}/tcp is taken by {task.name}",
    )


@pytest.mark.docker
def test_a_port_that_is_taken_when_it_starts(
    engine: DockerEngine, stack: str, image: str, free_port: int
) -> None:
    ports = (Port(target=80, published=(free_port, free_port)),)
    with socket.create_server(("0.0.0.0", free_port)):
        with pytest.raises(EngineError, match=str(free_port)):
            started(engine, revision(stack, service(image, ports=ports)))
        (task,) = engine.observe(stack)

    assert task.ended
    assert str(free_port) in task.error


def test_what_is_too_large() -> None:
    info = {"MemTotal": 2**30, "NCPU": 2}
    large = Resources(memory_reservation=2**31, cpu_limit=4 * 10**9)

    assert too_large(service(resources=large), info) == [
        "a task reserves 2GiB of memory, the host has 1GiB",
        "a task may use 4 CPUs, the host has 2",
    ]
    assert too_large(service(), info) == []


@pytest.mark.docker
def test_logs_in_the_order_of_time(engine: DockerEngine, stack: str, image: str) -> None:
    """Of several tasks, both streams, the last lines of each."""
    wanted = revision(stack, service(image, environment={"EXIT_AFTER": "0.2"}, command=("/task",)))
    tasks = tuple(started(engine, wanted, slot) for slot in (1, 2))
    for task in tasks:
        eventually(lambda task=task: again(engine, task).ended)  # type: ignore[misc]

    found = list(engine.logs(tasks))

    assert [line.at for line in found] == sorted(line.at for line in found)
    assert sorted((line.task.slot, line.stream, line.text) for line in found) == [
        (1, "stderr", "leaving"),
        (1, "stdout", "task is up"),
        (2, "stderr", "leaving"),
        (2, "stdout", "task is up"),
    ]
    assert [line.text for line in engine.logs(tasks[:1], tail=1)] == ["leaving"]
    assert list(engine.logs(tasks, since=engine.now() + 60)) == []
    assert engine.last_words(tasks[0], 1) == ("leaving",)


@pytest.mark.docker
def test_logs_are_followed_to_the_end(engine: DockerEngine, stack: str, image: str) -> None:
    tasks = tuple(
        started(engine, revision(stack, service(image, tty=slot == 2), slot), slot)
        for slot in (1, 2)
    )
    followed = engine.logs(tasks, follow=True)
    first = [next(followed).text, next(followed).text]
    for task in tasks:
        engine.act(Stop(task=task, cause="test"), no_contents)

    assert first == ["task is up"] * 2
    assert [line.text for line in followed] == ["stopping"] * 2


@pytest.mark.docker
def test_following_ends_when_the_reader_has_had_enough(
    engine: DockerEngine, stack: str, image: str
) -> None:
    task = started(engine, revision(stack, service(image)))
    followed = engine.logs((task,), follow=True)
    assert next(followed).text == "task is up"

    followed.close()  # type: ignore[attr-defined]

    assert list(followed) == []


@pytest.mark.docker
def test_no_last_words_of_what_is_gone(engine: DockerEngine, stack: str, image: str) -> None:
    task = started(engine, revision(stack, service(image)))
    docker.APIClient().remove_container(task.container_id, force=True)

    assert engine.last_words(task) == ()
    assert list(engine.logs((task,))) == []
    assert list(engine.logs((task,), follow=True)) == []


def test_frames_cut_anywhere() -> None:
    """Both streams, in any pieces, an unfinished line at the end."""
    whole = b"".join(
        bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content
        for stream, content in ((1, b"a\r\nb"), (2, b"err\n"), (1, b"c\n"), (1, b"tail"))
    )
    expected = [("stdout", "a"), ("stderr", "err"), ("stdout", "bc"), ("stdout", "tail")]

    for size in (1, 3, 7, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert list(lines(frames(pieces))) == expected


def test_what_a_pull_says() -> None:
    raise_pull_error(b'{"status":"Pulling"}', "pull x")
    raise_pull_error(b"not json", "pull x")
    with pytest.raises(NotFoundError, match="pull x: manifest unknown"):
        raise_pull_error(b'{"error":"manifest unknown"}', "pull x")
    with pytest.raises(EngineError, match="no space left"):
        raise_pull_error(b'{"error":"write /x: no space left on device"}', "pull x")

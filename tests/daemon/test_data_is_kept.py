"""Data in volumes that nobody has named outlives whatever is done to a stack."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from rollout.model import labels
from tests.support.command import compose_file, rollout
from tests.support.compose_made import compose_up

pytestmark = pytest.mark.docker

FILE = """
    services:
      db:
        image: {image}
        pull_policy: never
        environment: {{VERSION: "{version}"}}
        volumes: [/more]
        deploy: {{replicas: {replicas}, update_config: {{monitor: 100ms}}}}
    """


@pytest.fixture(scope="module")
def database(image: str) -> Iterator[str]:
    """An image with a VOLUME."""
    client = docker.APIClient()
    tag = "rollout-volumetest:v1"
    text = f"FROM {image}\nVOLUME /data\n".encode()
    for _ in client.build(fileobj=io.BytesIO(text), tag=tag, rm=True):
        pass
    yield tag
    client.close()


def _file(folder: Path, image: str, version: int, replicas: int = 1) -> str:
    text = FILE.format(image=image, version=version, replicas=replicas)
    return compose_file(folder, text)


def _running(client: docker.APIClient, stack: str) -> dict[str, str]:
    """Slot → container."""
    ours = {"label": f"{labels.COMPOSE_PROJECT}={stack}"}
    return {
        row["Labels"][labels.COMPOSE_NUMBER]: row["Id"] for row in client.containers(filters=ours)
    }


def _write(client: docker.APIClient, container: str, path: str, text: str) -> None:
    made = client.exec_create(container, ["sh", "-c", f"echo {text} > {path}"])
    client.exec_start(made["Id"])
    assert _read(client, container, path) == text


def _read(client: docker.APIClient, container: str, path: str) -> str:
    packed, _ = client.get_archive(container, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(packed))) as archive:
        content = archive.extractfile(archive.getmembers()[0])
        assert content is not None
        return content.read().decode().strip()


def _volumes(client: docker.APIClient, container: str) -> dict[str, str]:
    found = client.inspect_container(container)["Mounts"]
    return {each["Destination"]: each["Name"] for each in found}


def test_from_compose_over_updates_and_by_hand_to_rm(
    tmp_path: Path, stack: str, database: str, client: docker.APIClient
) -> None:
    """Taken over, updated more often than history is long, removed by hand; `rm` leaves the volumes
    and says which they are, and `rm --volumes` takes them."""
    compose_up(client, stack, _file(tmp_path, database, 0))
    (first,) = _running(client, stack).values()
    _write(client, first, "/data/x", "precious")
    _write(client, first, "/more/x", "too")
    mine = _volumes(client, first)

    for version in range(1, 7):
        rollout("deploy", "-c", _file(tmp_path, database, version), stack)
    rollout("rollback", f"{stack}_db")
    (now,) = _running(client, stack).values()
    assert _volumes(client, now) == mine
    client.remove_container(now, force=True)
    rollout("deploy", "-c", _file(tmp_path, database, 5), stack)
    (now,) = _running(client, stack).values()
    assert _read(client, now, "/data/x") == "precious"
    assert _read(client, now, "/more/x") == "too"

    removed = rollout("rm", stack)

    for target, volume in mine.items():
        assert f"Leaving volume {volume} (db: {target})" in removed.out
        client.inspect_volume(volume)
        client.remove_volume(volume)


def test_slots_have_their_own_and_find_them_again(
    tmp_path: Path, stack: str, database: str, client: docker.APIClient
) -> None:
    """After all containers were removed by hand, and scaling down and up."""
    file = _file(tmp_path, database, 1, replicas=2)
    rollout("deploy", "-c", file, stack)
    for slot, container in _running(client, stack).items():
        _write(client, container, "/data/x", slot)
    rollout("scale", f"{stack}_db=1")
    (left,) = _running(client, stack).values()
    client.remove_container(left, force=True)
    rollout("scale", f"{stack}_db=2")

    found = _running(client, stack)
    assert {slot: _read(client, each, "/data/x") for slot, each in found.items()} == {
        "1": "1",
        "2": "2",
    }
    volumes = {volume for each in found.values() for volume in _volumes(client, each).values()}
    removed = rollout("rm", stack, "--volumes")
    for volume in volumes:
        assert f"Removing volume {volume}" in removed.out
    there = {each["Name"] for each in client.volumes()["Volumes"]}
    assert not there & volumes


def test_removing_volumes_leaves_what_others_use_and_can_be_repeated(
    tmp_path: Path, stack: str, database: str, client: docker.APIClient
) -> None:
    rollout("deploy", "-c", _file(tmp_path, database, 1), stack)
    (task,) = _running(client, stack).values()
    shared = _volumes(client, task)["/data"]
    host = client.create_host_config(binds=[f"{shared}:/x"])
    other = client.create_container(database, host_config=host, volumes=["/x"])["Id"]
    try:
        removed = rollout("rm", stack, "--volumes")
        name = client.inspect_container(other)["Name"].lstrip("/")
        assert f"Leaving volume {shared} (db: /data): in use by {name}" in removed.out
        client.inspect_volume(shared)
    finally:
        client.remove_container(other, v=True)
    again = rollout("rm", stack, "--volumes")
    assert f"Removing volume {shared}" in again.out
    assert shared not in {each["Name"] for each in client.volumes()["Volumes"]}


def test_start_first_is_refused_unless_they_hold_nothing(
    tmp_path: Path, stack: str, database: str, client: docker.APIClient
) -> None:
    text = """
        services:
          db:
            image: {image}
            pull_policy: never
            environment: {{VERSION: "{version}"}}
            x-rollout: {{anonymous_volumes: {kind}}}
            deploy: {{update_config: {{monitor: 100ms, order: start-first}}}}
        """
    keep = compose_file(tmp_path, text.format(image=database, version=1, kind="keep"))
    refused = rollout("deploy", "-c", keep, stack, expect=1)
    assert "two tasks would write the volume without a name at /data" in refused.err
    assert _running(client, stack) == {}

    volumes = []
    for version in (1, 2):
        file = compose_file(tmp_path, text.format(image=database, version=version, kind="fresh"))
        rollout("deploy", "-c", file, stack)
        (task,) = _running(client, stack).values()
        volumes.append(_volumes(client, task)["/data"])
    assert volumes[0] != volumes[1]
    rollout("rm", stack)
    assert not {each["Name"] for each in client.volumes()["Volumes"]} & set(volumes)

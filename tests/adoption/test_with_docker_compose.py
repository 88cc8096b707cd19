"""The real docker-compose beside us: it sees ours, and we see its."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest

from tests.support.command import compose_file, rollout
from tests.support.compose_made import run_compose
from tests.support.engine import WORDS

pytestmark = pytest.mark.docker

_FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        volumes: ["data:/data"]
        depends_on: [db]
        deploy: {{replicas: 2, update_config: {{monitor: 100ms}}}}
      db:
        image: {image}
        deploy: {{update_config: {{monitor: 100ms}}}}
    volumes: {{data: {{}}}}
    """


def _ps(stack: str, file: str) -> list[str]:
    lines = run_compose(stack, file, "ps", "--format", "json").splitlines()
    return sorted(json.loads(line)["Service"] for line in lines)


def test_it_sees_lists_logs_and_removes_ours(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    file = compose_file(tmp_path, _FILE.format(image=image, version=1))
    rollout("deploy", "-c", file, stack)

    assert _ps(stack, file) == ["db", "web", "web"]
    assert stack in run_compose(stack, file, "ls", "-q").split()
    assert run_compose(stack, file, "logs", "web").count(WORDS) == 2
    run_compose(stack, file, "down")
    ours = {"label": f"com.docker.compose.project={stack}"}
    assert client.containers(all=True, filters=ours) == []
    assert client.networks(filters=ours) == []
    assert [each["Name"] for each in client.volumes(filters=ours)["Volumes"]] == [f"{stack}_data"]


def test_back_and_forth_nothing_runs_twice(stack: str, image: str, tmp_path: Path) -> None:
    """Up, deploy, up again with its own containers, deploy again: always as many as are asked
    for."""
    file = compose_file(tmp_path, _FILE.format(image=image, version=1))
    run_compose(stack, file, "up", "-d")
    for version in (2, 3):
        file = compose_file(tmp_path, _FILE.format(image=image, version=version))
        rollout("deploy", "-c", file, stack)
        assert _ps(stack, file) == ["db", "web", "web"]
        run_compose(stack, file, "up", "-d")
        assert _ps(stack, file) == ["db", "web", "web"]

    rollout("deploy", "-c", file, stack)

    assert _ps(stack, file) == ["db", "web", "web"]
    services = rollout("services", stack, "--format", "json").json
    assert {each["name"]: each["replicas"] for each in services} == {
        f"{stack}_db": {"running": 1, "desired": 1},
        f"{stack}_web": {"running": 2, "desired": 2},
    }


def test_the_project_is_the_folder_s(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """Both take the same name where none is given."""
    folder = tmp_path / stack
    folder.mkdir()
    file = compose_file(folder, _FILE.format(image=image, version=1))
    run_compose("", file, "up", "-d")

    rollout("deploy", cwd=folder)

    rows = client.containers(filters={"label": f"com.docker.compose.project={stack}"})
    assert {row["Labels"].get("rollout.stack") for row in rows} == {stack}
    assert len(rows) == 3


def test_what_the_file_no_longer_has_is_named_and_pruned(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """An orphan of Compose's, too: it was never recorded."""
    file = compose_file(tmp_path, _FILE.format(image=image, version=1))
    run_compose(stack, file, "up", "-d")
    text = _FILE.format(image=image, version=2).replace("depends_on: [db]", "")
    before, db_on = text.split("      db:\n")
    left = compose_file(tmp_path, before + db_on[db_on.index("    volumes:") :])

    assert "orphans, services that are not in the file any more: db" in (
        rollout("deploy", "-c", left, stack).err
    )
    db = {"label": [f"com.docker.compose.project={stack}", "com.docker.compose.service=db"]}
    assert len(client.containers(filters=db)) == 1
    assert "orphans" not in rollout("deploy", "--prune", "-c", left, stack).err

    assert client.containers(all=True, filters=db) == []


def test_it_takes_a_service_with_a_container_name_back(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """Over and over: it runs under its name, and with what is in its volume, whoever was last."""
    text = """
        services:
          db:
            image: {image}
            container_name: {stack}-fixed
            environment: {{VERSION: "{version}"}}
            volumes: [/data]
            deploy: {{update_config: {{monitor: 100ms}}}}
        """

    def file(version: int) -> str:
        return compose_file(tmp_path, text.format(image=image, stack=stack, version=version))

    rollout("deploy", "-c", file(1), stack)
    made = client.exec_create(f"{stack}-fixed", ["sh", "-c", "echo precious > /data/x"])
    client.exec_start(made["Id"])
    for version in (2, 5):
        rollout("deploy", "-c", file(version), stack)
        rollout("deploy", "-c", file(version + 1), stack)
        run_compose(stack, file(version + 2), "up", "-d")
        now = client.inspect_container(f"{stack}-fixed")
        assert now["State"]["Running"]
        assert f"VERSION={version + 2}" in now["Config"]["Env"]
        seen = client.exec_create(f"{stack}-fixed", ["cat", "/data/x"])
        assert client.exec_start(seen["Id"]).decode().strip() == "precious"

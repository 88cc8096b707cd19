"""Keys whose meaning inspect does not show: what a task sees and does on the real engine."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from tests.support.command import compose_file, rollout
from tests.support.engine import eventually

pytestmark = pytest.mark.docker


def _container(client: docker.APIClient, stack: str, service: str) -> str:
    """The one that runs."""
    wanted = {"label": [f"rollout.stack={stack}", f"rollout.service={service}"]}
    (found,) = client.containers(filters=wanted)
    return str(found["Id"])


def _run(client: docker.APIClient, container: str, *command: str) -> str:
    made = client.exec_create(container, list(command))
    printed: bytes = client.exec_start(made["Id"])
    return printed.decode().strip()


def _names(client: docker.APIClient, stack: str) -> list[str]:
    rows = client.containers(all=True, filters={"label": f"rollout.stack={stack}"})
    return sorted(row["Names"][0] for row in rows)


@pytest.mark.parametrize("place", ["", "read_only: true", "tmpfs: [/run]"], ids=str)
def test_configs_and_secrets_are_there_with_owner_and_mode(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path, place: str
) -> None:
    """Put in before the start, from a file, a variable or the text itself; a new text is a new
    definition, and the next task has it."""
    (tmp_path / "key").write_text("one")
    file = compose_file(
        tmp_path,
        f"""
        services:
          web:
            image: {image}
            {place}
            configs: [{{source: conf, target: /etc/web/conf, mode: 0640, gid: "9"}}]
            secrets: [{{source: key, uid: "7", mode: 0400}}, word]
            deploy: {{update_config: {{monitor: 100ms}}}}
        configs: {{conf: {{content: "port=$PORT"}}}}
        secrets: {{key: {{file: ./key}}, word: {{environment: WORD}}}}
        """,
    )
    where = ("/etc/web/conf", "/run/secrets/key", "/run/secrets/word")

    rollout("deploy", "-c", file, stack, env={"PORT": "80", "WORD": "w"})

    first = _container(client, stack, "web")
    assert _run(client, first, "tail", "-n1", *where).split() == [
        "==>", where[0], "<==", "port=80",
        "==>", where[1], "<==", "one",
        "==>", where[2], "<==", "w",
    ]  # fmt: skip
    assert _run(client, first, "stat", "-c", "%u %g %a", *where) == "0 9 640\n7 0 400\n0 0 444"

    (tmp_path / "key").write_text("two")
    rollout("deploy", "-c", file, stack, env={"PORT": "80", "WORD": "w"})

    second = _container(client, stack, "web")
    assert second != first
    assert _run(client, second, "cat", where[1]) == "two"


def test_hooks_run_as_the_file_says(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """post_start and pre_stop with a user, a folder and variables of their own."""
    say = "echo $$(id -u) $$(pwd) $$WHO $$VERSION >> /kept/said"
    template = f"""
        services:
          web:
            image: {image}
            environment: {{VERSION: "@"}}
            volumes: ["kept:/kept"]
            post_start:
              - {{command: [chmod, "777", /kept]}}
              - {{command: &say [sh, -c, "{say}"], user: "7", working_dir: /bin,
                 environment: [WHO=post]}}
            pre_stop: [{{command: *say, environment: {{WHO: pre}}}}]
            deploy: {{update_config: {{monitor: 100ms}}}}
        volumes: {{kept: {{}}}}
        """
    for version in ("1", "2"):
        rollout("deploy", "-c", compose_file(tmp_path, template.replace("@", version)), stack)

    said = _run(client, _container(client, stack, "web"), "cat", "/kept/said")
    assert said.split("\n") == ["7 /bin post 1", "0 / pre 1", "7 /bin post 2"]


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_a_container_name_goes_from_task_to_task(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path, order: str
) -> None:
    """Whoever runs has it, and no task before it stays: Compose would take that one for its own."""
    name = f"{stack}-db"
    template = f"""
        services:
          db:
            image: {image}
            container_name: {name}
            environment: {{VERSION: "@"}}
            deploy: {{update_config: {{monitor: 100ms, order: {order}}}}}
        """
    rollout("deploy", "-c", compose_file(tmp_path, template.replace("@", "1")), stack)
    first = client.inspect_container(name)["Id"]

    rollout("deploy", "-c", compose_file(tmp_path, template.replace("@", "2")), stack)

    second = client.inspect_container(name)
    assert second["Id"] != first
    assert second["State"]["Running"]
    assert "VERSION=2" in second["Config"]["Env"]
    assert _names(client, stack) == [f"/{name}"]
    assert rollout("ps", f"{stack}_db", "--format", "json").json[0]["name"] == f"{stack}_db.1"
    rollout("rm", stack)
    assert _names(client, stack) == []


def test_a_container_name_of_somebody_else_is_refused(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    other = client.create_container(
        image, name=f"{stack}-db", labels={"com.docker.compose.project": stack}
    )
    file = compose_file(
        tmp_path, f"services: {{db: {{image: {image}, container_name: {stack}-db}}}}"
    )

    ran = rollout("deploy", "-c", file, stack, expect=1)

    assert f"{stack}_db: the container name {stack}-db is taken" in ran.err
    assert client.inspect_container(other["Id"])["Name"] == f"/{stack}-db"


def test_a_link_is_one_more_name_for_all_tasks_of_a_service(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """New tasks too: nothing is restarted for it."""
    template = f"""
        services:
          web: {{image: {image}, links: ["db:store"]}}
          db: {{image: {image}, environment: {{VERSION: "@"}},
                deploy: {{update_config: {{monitor: 100ms}}}}}}
        """
    rollout("deploy", "-c", compose_file(tmp_path, template.replace("@", "1")), stack)
    web = _container(client, stack, "web")
    rollout("deploy", "-c", compose_file(tmp_path, template.replace("@", "2")), stack)

    shown = client.inspect_container(_container(client, stack, "db"))["NetworkSettings"]
    address = shown["Networks"][f"{stack}_default"]["IPAddress"]
    assert _container(client, stack, "web") == web
    eventually(lambda: address in _run(client, web, "nslookup", "store"))


def test_volumes_and_namespaces_of_another_service(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """`volumes_from`, `network_mode`, `pid` and `ipc` of a service are those of its task."""
    file = compose_file(
        tmp_path,
        f"""
        services:
          db: {{image: {image}, volumes: [/data], ipc: shareable}}
          web:
            image: {image}
            volumes_from: ["db:ro"]
            network_mode: "service:db"
            pid: "service:db"
            ipc: "service:db"
        """,
    )

    rollout("deploy", "-c", file, stack)

    db = _container(client, stack, "db")
    host = client.inspect_container(_container(client, stack, "web"))["HostConfig"]
    assert host["VolumesFrom"] == [f"{db}:ro"]
    assert {host[mode] for mode in ("NetworkMode", "PidMode", "IpcMode")} == {f"container:{db}"}

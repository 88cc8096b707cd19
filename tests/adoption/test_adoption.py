"""A project that runs under `docker compose up` is taken over: nothing twice, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.command import compose_file, rollout
from tests.support.compose_made import compose_up
from tests.support.engine import eventually

pytestmark = pytest.mark.docker


def _rows(client: docker.APIClient, stack: str, service: str, **how: Any) -> list[Any]:
    project = f"com.docker.compose.project={stack}"
    found: list[Any] = client.containers(
        filters={"label": [project, f"com.docker.compose.service={service}"]}, **how
    )
    return sorted(found, key=lambda row: str(row["Names"]))


def _run(client: docker.APIClient, container: str, *command: str) -> str:
    made = client.exec_create(container, list(command))
    printed: bytes = client.exec_start(made["Id"])
    return printed.decode().strip()


def _history(service: str) -> list[tuple[int, str, str]]:
    found = rollout("history", service, "--format", "json").json
    return [(each["revision"], each["action"], each["outcome"]) for each in found]


def _web(image: str, replicas: int, version: str = "1", more: str = "") -> str:
    return f"""
        services:
          web:
            image: {image}
            environment: {{VERSION: "{version}"}}
            volumes: ["data:/data"]
            restart: unless-stopped
            deploy:
              replicas: {replicas}
              update_config: {{monitor: 100ms}}
              rollback_config: {{monitor: 100ms}}
            {more}
        volumes: {{data: {{}}}}
        """


def test_two_replicas_of_compose_become_three_of_ours(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """The old containers are the old tasks of the first update: replaced slot by slot, and kept as
    its history; the volume and the network are the same."""
    compose_up(client, stack, compose_file(tmp_path, _web(image, 2)))
    old = _rows(client, stack, "web")
    _run(client, old[0]["Id"], "touch", "/data/kept")
    network = [each["Id"] for each in client.networks(names=[f"{stack}_default"])]

    ran = rollout("deploy", "-c", compose_file(tmp_path, _web(image, 3)), stack)

    assert "what runs is taken over as revision 1" in ran.err
    tasks = rollout("ps", f"{stack}_web", "--format", "json").json
    running = [each for each in tasks if each["current_state"] == "running"]
    assert [each["name"] for each in running] == [f"{stack}_web.{n}" for n in (1, 2, 3)]
    shutdown = [each["container_id"] for each in tasks if each["current_state"] == "shutdown"]
    assert sorted(shutdown) == sorted(row["Id"] for row in old)
    assert len(_rows(client, stack, "web")) == 3
    assert _run(client, running[0]["container_id"], "ls", "/data") == "kept"
    assert [each["Id"] for each in client.networks(names=[f"{stack}_default"])] == network
    assert _history(f"{stack}_web") == [(1, "adopted", "completed"), (2, "deploy", "completed")]


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_the_first_change_may_be_an_update(
    stack: str,
    image: str,
    client: docker.APIClient,
    tmp_path: Path,
    order: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No file is read: what the containers were made from stays, but for what the flags say."""
    monkeypatch.setenv("WORD", "two")
    body = 'configs: [conf]\n            secrets: [word]\n            ports: ["80"]'
    top = "configs: {conf: {content: one}}\n        secrets: {word: {environment: WORD}}\n"
    compose_up(client, stack, compose_file(tmp_path, _web(image, 2, "1", body) + top))
    old = {row["Id"] for row in _rows(client, stack, "web")}
    before = client.inspect_container(min(old))

    rollout("update", f"{stack}_web", "--env-add", "VERSION=2", "--update-order", order)

    new = _rows(client, stack, "web")
    assert len(new) == 2
    assert not old & {row["Id"] for row in new}
    after = client.inspect_container(new[0]["Id"])
    assert "VERSION=2" in after["Config"]["Env"]
    assert after["Config"]["Cmd"] == before["Config"]["Cmd"]
    assert _mounts(after) == _mounts(before)
    assert after["HostConfig"]["PortBindings"] == before["HostConfig"]["PortBindings"]
    assert _run(client, new[0]["Id"], "cat", "/conf", "/run/secrets/word") == "onetwo"


def _mounts(inspected: dict[str, Any]) -> list[tuple[Any, ...]]:
    """However they were asked for: Composes differ."""
    keys = ("Type", "Name", "Destination", "RW")
    return sorted(tuple(each.get(key) for key in keys) for each in inspected["Mounts"])


def test_a_range_of_ports_goes_over_whoever_has_which(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """Compose's containers take any port of the range: each is the slot of the port that it has."""
    ports = 'ports: ["127.0.0.1:28391-28393:80"]'
    compose_up(client, stack, compose_file(tmp_path, _web(image, 3, "1", ports)))

    rollout("deploy", "-c", compose_file(tmp_path, _web(image, 3, "2", ports)), stack)

    held = sorted(row["Ports"][0]["PublicPort"] for row in _rows(client, stack, "web"))
    assert held == [28391, 28392, 28393]
    assert _history(f"{stack}_web")[-1] == (2, "deploy", "completed")


def test_a_fixed_port_and_a_container_name_go_over(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    more = f'ports: ["127.0.0.1:28394:80"]\n            container_name: {stack}-db'
    compose_up(client, stack, compose_file(tmp_path, _web(image, 1, "1", more)))

    rollout("deploy", "-c", compose_file(tmp_path, _web(image, 1, "2", more)), stack)

    (row,) = _rows(client, stack, "web")
    assert row["Names"] == [f"/{stack}-db"]
    assert row["Ports"][0]["PublicPort"] == 28394
    assert "VERSION=2" in client.inspect_container(row["Id"])["Config"]["Env"]


def test_a_rollback_leads_to_what_compose_ran(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    compose_up(client, stack, compose_file(tmp_path, _web(image, 2)))
    rollout("deploy", "-c", compose_file(tmp_path, _web(image, 3, "2")), stack)

    rollout("rollback", f"{stack}_web")

    rows = _rows(client, stack, "web")
    assert len(rows) == 2
    for row in rows:
        assert "VERSION=1" in client.inspect_container(row["Id"])["Config"]["Env"]
        assert row["Labels"]["rollout.revision"] == "3"


def test_a_first_update_that_fails_rolls_back_to_what_compose_ran(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    compose_up(client, stack, compose_file(tmp_path, _web(image, 2)))
    bad = (
        _web(image, 2, "2")
        .replace('VERSION: "2"', "EXIT_AFTER: 0")
        .replace(
            "update_config: {monitor: 100ms}",
            "update_config: {monitor: 2s, failure_action: rollback}",
        )
    )

    rollout("deploy", "-c", compose_file(tmp_path, bad), stack, expect=4)

    rows = _rows(client, stack, "web")
    assert len(rows) == 2
    for row in rows:
        assert "VERSION=1" in client.inspect_container(row["Id"])["Config"]["Env"]


def test_stopped_containers_are_old_tasks_and_one_off_ones_nobodys(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """`docker compose stop` before, `docker compose run` beside."""
    compose_up(client, stack, compose_file(tmp_path, _web(image, 2)))
    old = _rows(client, stack, "web")
    labels = {**old[0]["Labels"], "com.docker.compose.oneoff": "True"}
    one_off = client.create_container(image, labels=labels, name=f"{stack}-web-run-0")["Id"]
    client.start(one_off)
    for row in old:
        client.stop(row["Id"], 1)

    rollout("deploy", "-c", compose_file(tmp_path, _web(image, 2, "2")), stack)

    running = {row["Id"] for row in _rows(client, stack, "web")}
    assert len(running) == 3
    assert one_off in running
    assert not running & {row["Id"] for row in old}


def test_what_compose_has_replaced_since_is_taken_back(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """`docker compose up` after a rollout makes containers of its own; the next deploy, though the
    file is as before, replaces them."""
    file = compose_file(tmp_path, _web(image, 2))
    rollout("deploy", "-c", file, stack)
    for row in _rows(client, stack, "web", all=True):
        client.remove_container(row["Id"], force=True)
    compose_up(client, stack, file)

    rollout("deploy", "-c", file, stack)

    rows = _rows(client, stack, "web")
    assert [row["Labels"]["rollout.slot"] for row in rows] == ["1", "2"]


def test_only_the_services_of_the_file_are_taken_over(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """Others go on as Compose's; a project that nobody has taken over is named where it is asked
    for."""
    both = f"services: {{web: {{image: {image}}}, db: {{image: {image}}}}}"
    compose_up(client, stack, compose_file(tmp_path, both))
    ran = rollout("ps", stack, expect=1)
    assert f"Compose runs {stack}: `rollout deploy -c FILE {stack}` takes it over" in ran.err
    (db,) = _rows(client, stack, "db")

    rollout("update", f"{stack}_web", "--env-add", "A=1", "--update-monitor", "100ms")

    assert [row["Id"] for row in _rows(client, stack, "db")] == [db["Id"]]
    (web,) = _rows(client, stack, "web")
    assert web["Labels"]["rollout.revision"] == "2"
    rollout("rm", stack)
    eventually(lambda: not _rows(client, stack, "db", all=True))


def test_one_that_shares_a_network_is_taken_over_and_rolled_back(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """The engine shows the owner's host name as the other's own, and takes none at creation."""
    cadence = "update_config: {monitor: 100ms}, rollback_config: {monitor: 100ms}"
    template = f"""
        services:
          vpn: {{image: {image}, environment: {{VERSION: "@"}}, stop_grace_period: 1s,
                deploy: {{{cadence}}}}}
          app: {{image: {image}, environment: {{VERSION: "@"}}, stop_grace_period: 1s,
                network_mode: "service:vpn", deploy: {{{cadence}}}}}
        """
    compose_up(client, stack, compose_file(tmp_path, template.replace("@", "1")))
    rollout("deploy", "-c", compose_file(tmp_path, template.replace("@", "2")), stack)
    assert _is_shared(client, stack)

    for service in ("app", "vpn"):
        rollout("rollback", f"{stack}_{service}")
        assert _is_shared(client, stack)


def _is_shared(client: docker.APIClient, stack: str) -> bool:
    (app,), (vpn,) = (_rows(client, stack, name) for name in ("app", "vpn"))
    mode: str = client.inspect_container(app["Id"])["HostConfig"]["NetworkMode"]
    return mode == f"container:{vpn['Id']}"

"""The controller as a container: built from its Dockerfile, on the engine's own socket."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.model import labels
from tests.support.command import compose_file, rollout
from tests.support.engine import eventually, new_stack

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400), pytest.mark.xdist_group("image")]

ROOT = Path(__file__).parent.parent.parent
_SOCKET = "/var/run/docker.sock:/var/run/docker.sock"
_WITHIN_S = 90.0

_BASE = """FROM python:3.11-slim
COPY *.whl /wheels/
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_BREAK_SYSTEM_PACKAGES=1
RUN python3 -m pip --version || \
    python3 -m zipfile -e /wheels/pip-*.whl /usr/local/lib/python3.11/dist-packages
"""
"""No registry of packages is to be reached from a build; the image may be one of Debian's, without
pip."""


@pytest.fixture(scope="module")
def controller_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    client = docker.APIClient(version="1.41", timeout=300)
    name = f"rollout-controllertest-{new_stack()}"
    folder = tmp_path_factory.mktemp("wheels")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["metrics"],
    ]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)),
            *("--python-version", "3.11", "--only-binary=:all:", "pip", *needed),
        ],
        check=True,
    )
    (folder / "Dockerfile").write_text(_BASE, encoding="utf-8")
    _build(client, f"{name}:base", folder, "Dockerfile")
    _build(client, f"{name}:v1", ROOT, "compose/controller/Dockerfile", BASE=f"{name}:base")
    yield f"{name}:v1"
    for tag in ("v1", "base"):
        client.remove_image(f"{name}:{tag}", force=True)
    client.close()


def _build(
    client: docker.APIClient, tag: str, folder: Path, dockerfile: str, **arguments: str
) -> None:
    lines = list(
        client.build(
            path=str(folder),
            dockerfile=dockerfile,
            tag=tag,
            buildargs=arguments,
            rm=True,
            forcerm=True,
            decode=True,
        )
    )
    assert not [line for line in lines if "error" in line], lines[-5:]


def _running(stack: str) -> list[dict[str, Any]]:
    found = rollout("ps", stack, "--format", "json").json
    return [task for task in found if task["current_state"] == "running"]


def test_it_runs_from_its_dockerfile(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient, controller_image: str
) -> None:
    """Healthy by its own check, serves --detach, and ends with 0 when it is stopped."""
    container = client.create_container(
        controller_image,
        ["controller", "--listen", "0.0.0.0:9470", "--stack", stack],
        ports=[9470],
        labels={labels.COMPOSE_PROJECT: stack},
        host_config=client.create_host_config(
            binds=[_SOCKET], port_bindings={9470: ("127.0.0.1", None)}
        ),
    )["Id"]
    client.start(container)
    file = compose_file(tmp_path, f"services: {{web: {{image: {image}, deploy: {{replicas: 2}}}}}}")

    rollout("deploy", "-c", file, "--detach", stack)

    eventually(
        lambda: len([each for each in _running(stack) if each["service"] == "web"]) == 2,
        within_s=_WITHIN_S,
    )
    eventually(
        lambda: client.inspect_container(container)["State"]["Health"]["Status"] == "healthy",
        within_s=_WITHIN_S,
    )
    port = client.port(container, 9470)[0]["HostPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert f'stack="{stack}"' in answer.read().decode()
    client.stop(container, timeout=60)
    assert client.inspect_container(container)["State"]["ExitCode"] == 0


def test_it_does_not_replace_itself(
    tmp_path: Path, stack: str, client: docker.APIClient, controller_image: str
) -> None:
    """As a rollout stack that watches over itself: an update waits for a command, which does it."""
    file = compose_file(
        tmp_path,
        f"""
        services:
          controller:
            image: {controller_image}
            command: ["controller", "--listen", "0.0.0.0:9470", "--stack", "{stack}"]
            volumes: ["{_SOCKET}"]
            stop_grace_period: 30s
            deploy: {{update_config: {{monitor: 1s}}}}
        """,
    )
    rollout("deploy", "-c", file, stack)
    (first,) = client.containers(filters={"label": f"{labels.COMPOSE_PROJECT}={stack}"})

    rollout("update", f"{stack}_controller", "--env-add", "A=B", "--detach")
    eventually(
        lambda: b"revision 2: update" in client.logs(first["Id"]),
        within_s=_WITHIN_S,
    )
    assert client.inspect_container(first["Id"])["State"]["Running"]
    rollout("status", stack, "--wait")

    assert client.inspect_container(first["Id"])["State"]["ExitCode"] == 0
    assert [task["revision"] for task in _running(stack)] == [2]


def test_its_compose_file_is_read_as_it_is_meant() -> None:
    """The socket, a port on loopback only, and a policy that brings it back."""
    found = rollout(
        "config", "-c", str(ROOT / "compose" / "controller.yml"), "--format", "json"
    ).json["services"]["controller"]

    assert [(each["host_ip"], each["published"]) for each in found["ports"]] == [
        ("127.0.0.1", "9470")
    ]
    assert [each["source"] for each in found["volumes"]] == ["/var/run/docker.sock"]
    assert found["restart"] == "unless-stopped"

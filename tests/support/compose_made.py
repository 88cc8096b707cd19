"""A project as `docker compose up` leaves it: by docker-compose where there is one, else made here
with the names, labels and settings that version 2.26.1 gives.

`make test-engines` has the real one.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import docker

from rollout.compose.load import load
from rollout.engine.docker.mounts import file_archives
from rollout.engine.docker.surroundings import network_config
from rollout.engine.docker.translate import Json, creation
from rollout.model.dependencies import dependencies_first
from rollout.model.spec import RestartCondition, ServiceSpec
from rollout.model.stack import Stack
from tests.support.engine import revision

_RESTART = {
    RestartCondition.ANY: "unless-stopped",
    RestartCondition.ON_FAILURE: "on-failure",
    RestartCondition.NONE: "no",
}


def real_compose() -> str:
    """The program, or nothing."""
    return shutil.which("docker-compose") or ""


def run_compose(project: str, file: str, *arguments: str) -> str:
    """What the real one prints."""
    done = subprocess.run(
        [real_compose(), *(["-p", project] if project else []), "-f", file, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(file).parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def compose_up(client: docker.APIClient, project: str, file: str) -> None:
    """Start every service of a file, as Compose does."""
    if real_compose():
        run_compose(project, file, "up", "-d")
        return
    stack = load((file,), environ=dict(os.environ), project_name=project, cwd=Path(file).parent)
    specs = {spec.name: spec for spec in stack.services}
    order = dependencies_first({name: spec.depends_on for name, spec in specs.items()})
    started: dict[str, str] = {}
    for spec in map(specs.__getitem__, order):
        for network in spec.networks:
            if not client.networks(names=[network.name]):
                client.create_network(
                    network.name, labels=network_config(network, project)["Labels"]
                )
        for number in range(1, spec.slots + 1):
            container = _start(client, stack, spec, number, started)
            started.setdefault(spec.name, container)


def _start(
    client: docker.APIClient, stack: Stack, spec: ServiceSpec, number: int, started: dict[str, str]
) -> str:
    wanted = revision(stack.name, spec)
    made = creation(wanted, number, "x", api=(1, 41), namespaces=started).config
    labels = {k: v for k, v in made["Labels"].items() if not k.startswith("rollout.")}
    labels["com.docker.compose.container-number"] = str(number)
    labels["com.docker.compose.depends_on"] = ",".join(
        f"{name}:{condition}:false" for name, condition in sorted(spec.depends_on.items())
    )
    policy = {"Name": _RESTART[spec.task.restart.condition]}
    config: Json = {**made, "Labels": labels, "Image": spec.task.image}
    config["HostConfig"] = {**made["HostConfig"], "RestartPolicy": policy}
    for port in spec.task.ports:
        if port.published:
            first, last = port.published
            key = f"{port.target}/{port.protocol}"
            said = str(first) if first == last else f"{first}-{last}"
            config["HostConfig"]["PortBindings"][key] = [{"HostIp": port.host_ip, "HostPort": said}]
    name = spec.task.container_name or f"{stack.name}-{spec.name}-{number}"
    container: str = client.create_container_from_config(config, name)["Id"]  # type: ignore[no-untyped-call]
    for folder, tar in file_archives(spec.task, stack.contents.__getitem__):
        client.put_archive(container, folder, _dated(tar))
    client.start(container)
    return container


def _dated(tar: bytes) -> bytes:
    """With the time of now in whole seconds."""
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tar)) as old,
        tarfile.open(fileobj=buffer, mode="w") as new,
    ):
        for member in old:
            member.mtime = int(time.time())
            new.addfile(member, old.extractfile(member))
    return buffer.getvalue()

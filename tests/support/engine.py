"""A real engine for tests: an image that does as it is told, revisions, and cleaning up by label.

The image holds a static busybox and `/task`, which runs until it is asked to stop and is told what
to do by its environment:

    EXIT_AFTER=0.5 EXIT_CODE=3    end by itself, with that code (default 1)
    READY_AFTER=1                 `test -e /ready` is true from then on; for healthchecks
    SICK_AFTER=2                  `/ready` goes away again
    STUBBORN=1                    ignore SIGTERM
    STOP_TAKES=1                  take that long to stop
    BAD_TASKS=2                   only the first two tasks that find this in a volume shared at
                                  /shared heed EXIT_AFTER
"""

from __future__ import annotations

import io
import secrets
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import docker
from docker.errors import APIError

from rollout.engine.docker.engine import DockerEngine
from rollout.model import labels
from rollout.model.action import Prepare, Start
from rollout.model.canonical import task_digest
from rollout.model.revision import Revision
from rollout.model.spec import Healthcheck, ServiceSpec, TaskSpec
from rollout.model.state import Cause
from rollout.model.task import Task

T = TypeVar("T")

IMAGE = "rollout-enginetest:v2"
READY = Healthcheck(test=("CMD", "test", "-e", "/ready"), interval_s=0.2, timeout_s=5, retries=2)
WORDS = "task is up"

_SCRIPT = f"""#!/bin/sh
trap 'echo stopping; sleep "${{STOP_TAKES:-0}}"; exit 0' TERM
[ -z "$STUBBORN" ] || trap '' TERM
echo "{WORDS}"
[ -z "$READY_AFTER" ] || {{ sleep "$READY_AFTER"; touch /ready; }} &
[ -z "$SICK_AFTER" ] || {{ sleep "$SICK_AFTER"; rm -f /ready; }} &
if [ -n "$BAD_TASKS" ]; then
    token=1
    until mkdir "/shared/$BAD_TASKS.$token" 2>/dev/null; do
        token=$((token + 1))
        [ "$token" -le "$BAD_TASKS" ] || {{ EXIT_AFTER=; break; }}
    done
fi
if [ -n "$EXIT_AFTER" ]; then
    sleep "$EXIT_AFTER" &
    wait $!
    echo "leaving" >&2
    exit "${{EXIT_CODE:-1}}"
fi
while :; do sleep 3600 & wait $!; done
"""
_DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
COPY task /task
RUN ["/bin/busybox", "--install", "-s", "/bin"]
CMD ["/task"]
"""


def build_image(tag: str = IMAGE) -> str:
    """Builds it where it is missing; needs Debian's busybox-static."""
    client = docker.APIClient()
    try:
        if not client.images(tag):
            for _ in client.build(fileobj=_context(), custom_context=True, tag=tag, rm=True):
                pass
        assert client.images(tag), f"{tag} could not be built"
    finally:
        client.close()
    return tag


def new_stack() -> str:
    """A name that nobody else has."""
    return f"t{secrets.token_hex(4)}"


def sweep(stack: str) -> None:
    """Removes whatever carries a stack's label: containers, volumes, networks."""
    client = docker.APIClient()
    ours = {"label": f"{labels.COMPOSE_PROJECT}={stack}"}
    try:
        for container in client.containers(all=True, filters=ours):
            _quietly(client.remove_container, container["Id"], v=True, force=True)
        for network in client.networks(filters=ours):
            _quietly(client.remove_network, network["Id"])
        for label in (labels.COMPOSE_PROJECT, labels.STACK):
            found = client.volumes(filters={"label": f"{label}={stack}"})["Volumes"] or []
            for volume in found:
                _quietly(client.remove_volume, volume["Name"])
    finally:
        client.close()


def eventually(look: Callable[[], T], *, within_s: float = 15.0) -> T:
    """What `look` returns as soon as that is true; a failed assertion with the last where never."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen: {seen!r}"
        time.sleep(0.02)
    return seen


def service(
    image: str = IMAGE, *, name: str = "web", replicas: int = 1, **task: Any
) -> ServiceSpec:
    """A service; further words go to its TaskSpec."""
    return ServiceSpec(
        name=name,
        replicas=replicas,
        image=image,
        task=TaskSpec(**{"image": image, "stop_grace_s": 5.0, **task}),
    )


def revision(stack: str, spec: ServiceSpec, number: int = 1) -> Revision:
    return Revision(
        stack=stack,
        service=spec.name,
        number=number,
        cause=Cause.DEPLOY,
        spec=spec,
        digest=task_digest(spec.task),
        created_at=1_000_000.0 + number,
    )


def no_contents(digest: str) -> bytes:
    raise AssertionError(f"nobody asked for content {digest}")


def prepared(engine: DockerEngine, wanted: Revision, slot: int = 1) -> Task:
    """A task made Ready."""
    engine.act(Prepare(revision=wanted, slot=slot, cause="test"), no_contents)
    return newest(engine, wanted.stack, wanted.service, slot)


def started(engine: DockerEngine, wanted: Revision, slot: int = 1) -> Task:
    """A task made Ready and started."""
    task = prepared(engine, wanted, slot)
    engine.act(Start(task=task, cause="test"), no_contents)
    return again(engine, task)


def again(engine: DockerEngine, task: Task) -> Task:
    """The same task as it is now."""
    found = [each for each in engine.observe(task.stack) if each.container_id == task.container_id]
    assert found, f"{task.name} is gone"
    return found[0]


def newest(engine: DockerEngine, stack: str, service_name: str = "web", slot: int = 1) -> Task:
    found = [
        task for task in engine.observe(stack) if task.service == service_name and task.slot == slot
    ]
    assert found, f"{service_name}.{slot} has no task"
    return max(found, key=lambda task: task.created_at)


def _context() -> io.BytesIO:
    busybox = shutil.which("busybox")
    assert busybox, "the tests need a static busybox: apt install busybox-static"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, mode in (
            ("Dockerfile", _DOCKERFILE.encode(), 0o644),
            ("task", _SCRIPT.encode(), 0o755),
            ("busybox", Path(busybox).read_bytes(), 0o755),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def _quietly(call: Callable[..., object], *arguments: Any, **options: Any) -> None:
    try:
        call(*arguments, **options)
    except APIError:
        return

"""Whether the engine would make a service's container, found by asking it.

A container is made that is never started, and taken away at once: a few milliseconds.  It stands
for the first slot's task, but takes nothing that a task keeps: volumes are new and empty ones that
go with it, and its name is that of something half made, which a later sweep removes where we die in
between.  The engine looks at settings, and at the host's paths, before it makes anything.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from rollout.engine.docker import translate
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.faults import is_refusal
from rollout.engine.docker.observe import HALF_MADE
from rollout.errors import ConflictError, EngineError, ImpossibleError, NotFoundError
from rollout.model import labels
from rollout.model.bindings import siblings_of
from rollout.model.revision import Revision
from rollout.model.spec import Mount, ServiceSpec, TaskSpec
from rollout.model.state import Cause

_ANYBODY = "rollout-trial"
"""Whose namespaces are shared: a container that need not be there before the start."""


def refused(api: Api, spec: ServiceSpec, stack: str, node: Mapping[str, str]) -> Iterator[str]:
    """What the engine says against it.  Nothing where the image is not there yet: then it is asked
    again when the task is made Ready."""
    name = f"{stack}_{spec.name}.trial.{secrets.token_hex(4)}{HALF_MADE}"
    files = _files_here(spec.task)
    try:
        config = _config(api, replace(spec, task=_tried(spec.task, files)), stack, node)
        _make_and_remove(api, name, config, spec.task.platform)
    except ImpossibleError as error:
        yield str(error)
    except EngineError as error:
        if is_refusal(error) and "no such container" not in error.message.lower():
            yield _in_words(error, name, files)


def _make_and_remove(api: Api, name: str, config: Json, platform: str) -> None:
    try:
        api.create(name, config, platform if api.version >= translate.PLATFORM else "")
    except (NotFoundError, ConflictError):
        # Something that it needs is yet to be made or pulled; or the answer was lost.
        pass
    except EngineError as error:
        if is_refusal(error):
            raise
    with contextlib.suppress(EngineError):  # the next sweep comes by
        api.remove(name, volumes=True, force=True)


def _config(api: Api, spec: ServiceSpec, stack: str, node: Mapping[str, str]) -> Json:
    made = translate.creation(
        Revision(
            stack=stack,
            service=spec.name,
            number=1,
            cause=Cause.DEPLOY,
            spec=spec,
            digest="",
            created_at=0.0,
        ),
        1,
        labels.new_task_id(),
        api=api.version,
        namespaces=dict.fromkeys(siblings_of(spec.task), _ANYBODY),
        node=node,
    )
    return {
        **made.config,
        "Labels": {labels.STACK: stack, labels.COMPOSE_PROJECT: stack},
    }


def _tried(task: TaskSpec, files: frozenset[str]) -> TaskSpec:
    """Without what is another container's, which is looked for when the task is made Ready."""
    return replace(
        task,
        mounts=tuple(_mount(each, files) for each in task.mounts),
        volumes_from=(),
        pid="" if ":" in task.pid else task.pid,
        ipc="" if ":" in task.ipc else task.ipc,
    )


def _mount(mount: Mount, files: frozenset[str]) -> Mount:
    if mount.type == "volume":
        # What has no name may not be read only, nor have a part of it mounted.
        return replace(mount, source="", no_copy=True, subpath="", read_only=False)
    if mount.source in files:
        # The engine would make an empty folder where there is nothing.
        return replace(mount, create_host_path=False, selinux="")
    return mount


def _files_here(task: TaskSpec) -> frozenset[str]:
    """Sources of binds that are files where we run; the engine's host may be another one."""
    return frozenset(
        each.source for each in task.mounts if each.type == "bind" and _is_file(each.source)
    )


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # it may not be looked at
        return False


def _in_words(error: EngineError, name: str, files: frozenset[str]) -> str:
    said = error.message.removeprefix(f"create {name}: ")
    path = said.rpartition("bind source path does not exist: ")[2]
    if path in files:
        return (
            f"{path} is a file here, and not there on the engine's host, where an empty folder "
            "would be mounted (put it there, or make it a config with file:)"
        )
    return said

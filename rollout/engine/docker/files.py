"""Configs and secrets that lie in what a task shares with others: put in when it is its turn.

A file is put into a container when that is made Ready.  Below a bind, a named volume, a volume that
goes from task to task, or one by way of `volumes_from`, it would take the place of the file that
the task before reads still: there it is put in between the stop of the old task and the start of
the new one.  Where the file has that content already it is left alone.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable

from msgspec.structs import replace

from rollout.engine.docker.anonymous import is_anonymous
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.look import Look
from rollout.engine.docker.mounts import file_archives
from rollout.engine.docker.observe import spec_of
from rollout.errors import ImpossibleError, NotFoundError
from rollout.model.action import Prepare
from rollout.model.spec import FileMount, Order, TaskSpec

Contents = Callable[[str], bytes]


def shared_files(container: Json, spec: TaskSpec) -> dict[FileMount, Json]:
    """Which of a task's files lie in what others have, too → the mount that they lie in."""
    named = _named(container)
    found = {}
    for file in spec.files:
        mount = _mount_above(container, file.target)
        if mount is not None and posixpath.normpath(mount["Destination"]) in named:
            found[file] = mount
    return found


class Files:
    """Safe to use from many threads, for different containers."""

    def __init__(self, api: Api, look: Look) -> None:
        self._api = api
        self._look = look

    def put_own(self, container: str, action: Prepare, contents: Contents, *, mounts: bool) -> None:
        """Those that are the task's alone; without `mounts` all are.  Raises ImpossibleError where
        one that is shared cannot be put in later."""
        task = action.revision.spec.task
        late = shared_files(self._api.inspect(container), task) if mounts else {}
        for file, mount in late.items():
            self._check(container, action, file, mount, contents)
        self._put(container, task, tuple(each for each in task.files if each not in late), contents)

    def put_shared(self, container: str, task: TaskSpec, contents: Contents) -> None:
        """Those that others see, too; nothing of ours that reads them is up any more."""
        if not task.files:
            return
        late = shared_files(self._api.inspect(container), task)
        other = tuple(
            file for file in late if self._there(container, file) != contents(file.digest)
        )
        self._put(container, task, other, contents)

    def _put(
        self, container: str, task: TaskSpec, files: tuple[FileMount, ...], contents: Contents
    ) -> None:
        for folder, tar in file_archives(replace(task, files=files), contents):
            self._api.put_archive(container, folder, tar)

    def _there(self, container: str, file: FileMount) -> bytes | None:
        try:
            packed = self._api.get_archive(container, file.target)
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                found = archive.extractfile(archive.getmembers()[0])
                return found.read() if found else None
        except (NotFoundError, tarfile.TarError, IndexError):
            return None

    def _check(
        self, container: str, action: Prepare, file: FileMount, mount: Json, contents: Contents
    ) -> None:
        where = f"{file.kind} {file.source} at {file.target}"
        there = self._there(container, file)
        if there == contents(file.digest):
            return
        if not mount.get("RW", True):
            raise ImpossibleError(
                f"{where} lies in what is mounted read-only at {mount['Destination']}",
                hint="give it a target elsewhere",
            )
        spec = action.revision.spec
        cadence = spec.rollback if action.revision.is_rollback else spec.update
        others = [
            task
            for task in self._look.last(action.revision.stack)
            if task.service == action.revision.service and task.alive and _reads(task.spec, file)
        ]
        if cadence.order is Order.START_FIRST and others:
            raise ImpossibleError(
                f"{where} lies in what the old task has mounted, too, and would change under it",
                hint="use order: stop-first, or give it a target elsewhere",
            )
        own = is_anonymous(str(mount.get("Name") or ""))
        if not own and any(task.slot != action.slot for task in others):
            raise ImpossibleError(
                f"{where} lies in what all tasks of the service have mounted, and would change "
                "under those that run",
                hint="give it a target elsewhere, or stop the service first: rollout scale …=0",
            )


def _reads(label: str, file: FileMount) -> bool:
    """A task made from that definition has another content at that place."""
    spec = spec_of(label) if label else None
    return spec is None or any(
        each.target == file.target and each.digest != file.digest for each in spec.task.files
    )


def _named(container: Json) -> frozenset[str]:
    """Where a container has what its definition names, or what is another container's."""
    host = container["HostConfig"]
    own = {
        posixpath.normpath(each["Target"])
        for each in host.get("Mounts") or []
        if each.get("Type") == "volume" and not each.get("Source")
    }
    own |= (
        {posixpath.normpath(path) for path in container["Config"].get("Volumes") or {}}
        - {posixpath.normpath(each["Target"]) for each in host.get("Mounts") or []}
        if not host.get("VolumesFrom")
        else set()
    )
    return frozenset(
        posixpath.normpath(each["Destination"])
        for each in container.get("Mounts") or []
        if posixpath.normpath(each["Destination"]) not in own
    )


def _mount_above(container: Json, target: str) -> Json | None:
    """The innermost bind or volume that a path lies in."""
    path = posixpath.normpath(target)
    above = [
        each
        for each in container.get("Mounts") or []
        if each.get("Type") in ("bind", "volume")
        and path.startswith(posixpath.normpath(each["Destination"]).rstrip("/") + "/")
    ]
    return max(above, key=lambda each: len(each["Destination"]), default=None)

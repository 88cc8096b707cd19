"""Volumes without a name: where a task has them, and which one it takes over.  Pure.

An image asks for them (`VOLUME /data`) or a file (`volumes: [/data]`), and data is in them all the
same.  So the next task of a slot mounts those of the tasks before it, by the names that the engine
has given them.  What we make ourselves has a name that follows from the slot, and labels that say
whose it is, so that it is found again where no container is left that used it.

Not every one is the user's: the folders of configs and secrets are volumes too, where a container's
root takes no files, and a file may say that its volumes hold nothing worth keeping.  Those are each
task's own, and go with it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from rollout.engine.docker.mounts import file_folders
from rollout.engine.docker.observe import parse_time, spec_of
from rollout.model import labels
from rollout.model.spec import Mount, Order, ServiceSpec, TaskSpec

Json = dict[str, Any]

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""What an engine calls a volume that nobody has named."""


def is_anonymous(name: str) -> bool:
    return _ANONYMOUS.fullmatch(name) is not None


def places(
    spec: TaskSpec, of_image: Iterable[str], elsewhere: Collection[str] = ()
) -> dict[str, Mount]:
    """Where a task has a volume without a name → the mount, as far as the definition says it.

    `of_image`: what the image asks for.  `elsewhere`: what is mounted by way of `volumes_from`,
    which comes before the image.
    """
    said = {posixpath.normpath(each.target): each for each in spec.mounts}
    found = {
        target: each for target, each in said.items() if each.type == "volume" and not each.source
    }
    for path in map(posixpath.normpath, of_image):
        if path not in said and path not in elsewhere:
            found[path] = Mount(type="volume", target=path)
    return dict(sorted(found.items()))


def with_volumes(spec: TaskSpec, volumes: Mapping[str, Mount]) -> TaskSpec:
    """The definition with its volumes without a name mounted as is said here, by target."""
    if not volumes:
        return spec
    others = [each for each in spec.mounts if posixpath.normpath(each.target) not in volumes]
    return replace(spec, mounts=(*others, *volumes.values()))


def held(container: Json, donated: Collection[str] = ()) -> dict[str, str]:
    """Where a container keeps what nobody has given a name → the volume there.

    `donated`: volumes that it has by way of `volumes_from`; they are another container's.
    """
    spec = spec_of((container["Config"].get("Labels") or {}).get(labels.SPEC, ""))
    if spec is not None and spec.task.fresh_volumes:
        return {}
    asked = _asked_for(container)
    of_image = {posixpath.normpath(path) for path in container["Config"].get("Volumes") or {}}
    own = _own_folders(container)
    found = {}
    for target, name in _volumes(container).items():
        if target in own or not (target in asked or (target in of_image and name not in donated)):
            continue
        if spec is None:
            named = bool(asked.get(target)) and not is_anonymous(name)
        else:
            named = any(
                each.source and posixpath.normpath(each.target) == target
                for each in spec.task.mounts
            )
        if not named:
            found[target] = name
    return found


def go_with_it(container: Json) -> bool:
    """Whether all the volumes that the engine would remove with a container hold nothing that is
    to be kept: they are ours, or the file says so, or the container never ran.

    The engine removes what the container's own definition does not name, what it has by way of
    `volumes_from` not excepted.
    """
    mine = _unnamed(container)
    if not mine:
        return True
    if container["HostConfig"].get("VolumesFrom") and not mine <= _asked_for(container).keys():
        return False
    spec = spec_of((container["Config"].get("Labels") or {}).get(labels.SPEC, ""))
    fresh = spec is not None and spec.task.fresh_volumes
    return fresh or not has_run(container) or mine <= _own_folders(container)


def has_run(container: Json) -> bool:
    return parse_time(container["State"].get("StartedAt")) is not None


def own_volumes(container: Json) -> frozenset[str]:
    """Volumes that are of a task alone and hold nothing of the user's."""
    folders = _own_folders(container) & _unnamed(container)
    return frozenset(name for target, name in _volumes(container).items() if target in folders)


def creation(stack: str, service: str, slot: int, mount: Mount) -> Json:
    """What makes a slot's own volume.  Its name is derived, so that it is found again where no
    container is left that used it, and made once whoever makes it."""
    target = posixpath.normpath(mount.target)
    said = "\0".join(("rollout", stack, service, str(slot), target))
    return {
        "Name": hashlib.sha256(said.encode()).hexdigest(),
        "Driver": "local",
        "Labels": {
            **mount.labels,
            labels.STACK: stack,
            labels.SERVICE: service,
            labels.SLOT: str(slot),
            labels.VOLUME: target,
        },
    }


def by_name(mount: Mount, name: str, *, has_data: bool) -> Mount:
    """A mount of a volume that is there.  One that a task has used is nobody's to fill from an
    image: that task may run still."""
    return replace(mount, source=name, labels={}, no_copy=mount.no_copy or has_data)


def refusal(spec: ServiceSpec, targets: Iterable[str]) -> str:
    """Why volumes without a name rule a cadence out; empty where they do not."""
    found = ", ".join(sorted(targets))
    if not found or spec.task.fresh_volumes:
        return ""
    for key, cadence in (("update_config", spec.update), ("rollback_config", spec.rollback)):
        if cadence.order is Order.START_FIRST:
            return (
                f"deploy.{key}.order is start-first, and two tasks would write the volume without "
                f"a name at {found}: use stop-first, or give the volume a name, or write "
                "`x-rollout: {anonymous_volumes: fresh}` where it holds nothing worth keeping"
            )
    return ""


def two_writers(spec: ServiceSpec, of_image: Iterable[str]) -> tuple[str, ...]:
    """The same, of a definition that is not recorded yet; with `volumes_from` it is seen only later
    what is left for the image to ask for."""
    why = refusal(spec, places(spec.task, () if spec.task.volumes_from else of_image))
    return (why,) if why else ()


def _volumes(container: Json) -> dict[str, str]:
    return {
        posixpath.normpath(each["Destination"]): str(each["Name"])
        for each in container.get("Mounts") or []
        if each.get("Type") == "volume" and each.get("Name")
    }


def _asked_for(container: Json) -> dict[str, str]:
    """Where a container was asked to mount something → what, empty for a volume without a name."""
    host = container["HostConfig"]
    found = {
        posixpath.normpath(each["Target"]): str(each.get("Source") or "")
        for each in host.get("Mounts") or []
    }
    for bind in host.get("Binds") or []:
        source, _, rest = str(bind).partition(":")
        found[posixpath.normpath(rest.partition(":")[0] or source)] = source if rest else ""
    return found


def _unnamed(container: Json) -> frozenset[str]:
    asked = _asked_for(container)
    return frozenset(target for target in _volumes(container) if not asked.get(target))


def _own_folders(container: Json) -> frozenset[str]:
    """Where configs and secrets are in a volume, and the image wants none."""
    spec = spec_of((container["Config"].get("Labels") or {}).get(labels.SPEC, ""))
    if spec is None:
        return frozenset()
    of_image = {posixpath.normpath(path) for path in container["Config"].get("Volumes") or {}}
    mounted = {posixpath.normpath(each.target) for each in spec.task.mounts}
    return frozenset(file_folders(spec.task)) - of_image - mounted

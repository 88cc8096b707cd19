"""What of a stack's data is in volumes: those of its own with a name, and those that none has named
and a task has used."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.engine.docker.anonymous import held, is_anonymous
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.observe import name_of
from rollout.engine.protocol import StackVolume
from rollout.errors import ConflictError, EngineError, NotFoundError
from rollout.model import labels


def volumes_of(api: Api, stack: str) -> tuple[StackVolume, ...]:
    """By name; what is external to the stack is not its own."""
    found: dict[str, StackVolume] = {}
    for each in (*_in_tasks(api, stack), *_labelled(api, stack)):
        found.setdefault(each.name, each)
    return tuple(found[name] for name in sorted(found))


def holders_of(api: Api, volume: str, stack: str) -> tuple[str, ...]:
    """Names of containers outside of the stack that have a volume, whether they run or not."""
    rows = api.containers([], volume=[volume])
    return tuple(
        sorted(
            name_of(row)
            for row in rows
            if (row.get("Labels") or {}).get(labels.COMPOSE_PROJECT) != stack
        )
    )


def remove_volume(api: Api, volume: str) -> None:
    """One that a container has stays, and one that is gone is no error."""
    try:
        api.remove_volume(volume)
    except (NotFoundError, ConflictError):
        return


def _in_tasks(api: Api, stack: str) -> Iterator[StackVolume]:
    for row in api.containers([f"{labels.COMPOSE_PROJECT}={stack}"]):
        try:
            raw = api.inspect(row["Id"])
        except NotFoundError:
            continue
        service = (row.get("Labels") or {}).get(labels.COMPOSE_SERVICE, "")
        for target, name in held(raw, _donated(api, raw)).items():
            yield StackVolume(name=name, service=service, target=target)


def _donated(api: Api, container: Json) -> frozenset[str]:
    found: set[str] = set()
    for said in container["HostConfig"].get("VolumesFrom") or []:
        try:
            donor = api.inspect(str(said).partition(":")[0])
        except EngineError:
            continue
        found |= {str(each.get("Name")) for each in donor.get("Mounts") or []}
    return frozenset(found)


def _labelled(api: Api, stack: str) -> Iterator[StackVolume]:
    for each in api.volumes(label=[f"{labels.STACK}={stack}", labels.VOLUME]):
        mine = each["Labels"]
        yield StackVolume(
            name=each["Name"],
            service=mine.get(labels.SERVICE, ""),
            target=mine[labels.VOLUME],
        )
    for each in api.volumes(label=[f"{labels.COMPOSE_PROJECT}={stack}", labels.COMPOSE_VOLUME]):
        if not is_anonymous(each["Name"]):
            yield StackVolume(name=each["Name"])

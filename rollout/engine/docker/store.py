"""The store on volumes: entries are labels of volumes that hold nothing.

`volume create` for a name that exists returns the volume that exists: the engine itself decides who
was first.
"""

from __future__ import annotations

from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.observe import parse_time
from rollout.engine.protocol import Record
from rollout.errors import NotFoundError
from rollout.model import labels


class VolumeStore:
    def __init__(self, api: Api) -> None:
        self._api = api

    def put(self, name: str, entry: dict[str, str]) -> Record:
        return _record(self._api.create_volume({"Name": name, "Driver": "local", "Labels": entry}))

    def list(self, stack: str | None = None) -> tuple[Record, ...]:
        wanted = [labels.RECORD, labels.STACK if stack is None else f"{labels.STACK}={stack}"]
        records = (_record(volume) for volume in self._api.volumes(label=wanted))
        return tuple(sorted(records, key=lambda record: record.name))

    def drop(self, name: str) -> None:
        try:
            self._api.remove_volume(name)
        except NotFoundError:
            return


def _record(volume: Json) -> Record:
    return Record(
        name=volume["Name"],
        labels=volume.get("Labels") or {},
        created_at=parse_time(volume.get("CreatedAt")) or 0.0,
    )

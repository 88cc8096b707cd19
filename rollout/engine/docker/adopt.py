"""Services that Compose runs → their definitions, for a ledger that does not know them yet.

Configs and secrets that Compose has put into a container, rather than mounted, are read out of it.
"""

from __future__ import annotations

import hashlib
import io
import math
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.images import Images
from rollout.engine.docker.observe import is_task, parse_time
from rollout.engine.docker.recognise import Found, depends_on, task_spec
from rollout.engine.protocol import Foreign
from rollout.errors import EngineError, NotFoundError
from rollout.model import labels
from rollout.model.spec import FileMount, Network, RestartCondition, ServiceSpec, TaskSpec, Volume

_SECRETS = "/run/secrets/"
_MOST_BYTES = 1_000_000
_MOST_FILES = 1000
"""How many that a container has written itself are looked at."""
_ADDED = 1
_ROUNDED_S = 0.5
_NO_FILE = 0x8F280000
"""Go's bits of whatever is no regular file."""


def foreign(
    api: Api, images: Images, info: Json, stack: str, services: Iterable[str]
) -> tuple[Foreign, ...]:
    rows = [row for row in api.containers([f"{labels.COMPOSE_PROJECT}={stack}"]) if is_task(row)]
    of = {row["Id"]: str(row["Labels"][labels.COMPOSE_SERVICE]) for row in rows}
    found = []
    for service in sorted(services):
        theirs = [
            row
            for row in rows
            if of[row["Id"]] == service and labels.TASK not in (row.get("Labels") or {})
        ]
        if theirs:
            found.append(_definition(api, images, info, theirs, of))
    return tuple(found)


def _definition(
    api: Api,
    images: Images,
    info: Json,
    rows: list[Json],
    services: Mapping[str, str],
) -> Foreign:
    """From the first of those that run; from the first of all where none does."""
    rows = sorted(rows, key=lambda row: (row.get("State") != "running", _number(row)))
    container = api.inspect(rows[0]["Id"])
    config = container["Config"]
    image = images.of_container(config["Image"], container["Image"])
    task = task_spec(
        Found(
            container=container,
            image=image.reference,
            image_id=image.image_id,
            image_config=images.config(container["Image"]),
            info=info,
            services=services,
        )
    )
    files, contents = _put_in(api, container, task)
    mine = config["Labels"]
    return Foreign(
        spec=ServiceSpec(
            name=mine[labels.COMPOSE_SERVICE],
            task=replace(task, files=files),
            restart_said=task.restart.condition is RestartCondition.ANY,
            replicas=len({_number(row) for row in rows}),
            networks=tuple(_networks(api, task, mine[labels.COMPOSE_PROJECT])),
            volumes=tuple(_volumes(api, task, mine[labels.COMPOSE_PROJECT])),
            depends_on=depends_on(config),
            image=config["Image"],
        ),
        contents=contents,
    )


def _number(row: Json) -> int:
    text = (row.get("Labels") or {}).get(labels.COMPOSE_NUMBER, "")
    return int(text) if text.isascii() and text.isdigit() else 1


def _networks(api: Api, task: TaskSpec, stack: str) -> Iterator[Network]:
    for attached in task.networks:
        known = next(
            (n for n in api.networks(name=[attached.name]) if n["Name"] == attached.name), {}
        )
        mine = known.get("Labels") or {}
        yield Network(
            key=mine.get(labels.COMPOSE_NETWORK) or attached.name,
            name=attached.name,
            external=mine.get(labels.COMPOSE_PROJECT) != stack,
            driver="" if known.get("Driver") == "bridge" else known.get("Driver") or "",
            driver_opts=known.get("Options") or {},
            internal=bool(known.get("Internal")),
            attachable=bool(known.get("Attachable")),
            enable_ipv6=bool(known.get("EnableIPv6")),
        )


def _volumes(api: Api, task: TaskSpec, stack: str) -> Iterator[Volume]:
    for name in sorted({m.source for m in task.mounts if m.type == "volume" and m.source}):
        known = next((v for v in api.volumes(name=[name]) if v["Name"] == name), {})
        mine = known.get("Labels") or {}
        driver = known.get("Driver") or "local"
        yield Volume(
            key=mine.get(labels.COMPOSE_VOLUME) or name,
            name=name,
            external=mine.get(labels.COMPOSE_PROJECT) != stack,
            driver="" if driver == "local" else driver,
            driver_opts=known.get("Options") or {},
        )


def _put_in(
    api: Api, inspected: Json, task: TaskSpec
) -> tuple[tuple[FileMount, ...], dict[str, bytes]]:
    """Configs and secrets that Compose has copied in between creation and start.

    It gives them a time of whole seconds, rounded down or to the nearest; a file that the container
    itself has written has nanoseconds, and comes later.
    """
    container, mounted = inspected["Id"], {mount.target for mount in task.mounts}
    created = parse_time(inspected["Created"]) or 0.0
    started = parse_time(inspected["State"]["StartedAt"]) or math.inf
    added = sorted(each["Path"] for each in api.changes(container) if each["Kind"] == _ADDED)
    folders = {posixpath.dirname(path) for path in added}
    mounts: list[FileMount] = []
    contents: dict[str, bytes] = {}
    for path in [each for each in added if each not in folders | mounted][:_MOST_FILES]:
        at = _whole_second(api, container, path)
        if at is not None and math.floor(created) <= at <= started + _ROUNDED_S:
            member, content = _read(api, container, path)
            digest = hashlib.sha256(content).hexdigest()
            contents[digest] = content
            mounts.append(
                FileMount(
                    kind="secret" if path.startswith(_SECRETS) else "config",
                    source=posixpath.basename(path),
                    target=path,
                    digest=digest,
                    uid=str(member.uid),
                    gid=str(member.gid),
                    mode=member.mode & 0o7777,
                )
            )
    return tuple(mounts), contents


def _whole_second(api: Api, container: str, path: str) -> float | None:
    """The time of a regular file, where it is one of whole seconds and the file not too large."""
    try:
        stat = api.stat(container, path)
    except NotFoundError:
        return None
    at = parse_time(stat["mtime"])
    is_small_file = not int(stat["mode"]) & _NO_FILE and int(stat["size"]) <= _MOST_BYTES
    return at if is_small_file and at is not None and at.is_integer() else None


def _read(api: Api, container: str, path: str) -> tuple[tarfile.TarInfo, bytes]:
    packed = api.get_archive(container, path)
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            (member,) = archive.getmembers()
            content = archive.extractfile(member)
            return member, content.read() if content else b""
    except (tarfile.TarError, ValueError) as error:
        raise EngineError(f"{path} of {container[:12]} cannot be read: {error}") from error

"""Why a service cannot run on an engine, found before anything is touched.  Pure but for `missing`.

Only what the engine can know: ports that other containers hold, reservations and CPU limits beyond
the host, external networks and volumes that are not there.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.engine.docker.ability import too_old_for
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.names import holder_of
from rollout.engine.docker.observe import name_of
from rollout.engine.docker.placement import misplaced
from rollout.engine.docker.surroundings import missing
from rollout.engine.docker.translate import published_port
from rollout.errors import EngineError
from rollout.model import labels
from rollout.model.spec import Port, ServiceSpec
from rollout.model.units import format_size

_LEAST_MEMORY = 6 * 1024 * 1024
_ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, not bound to


def check(api: Api, info: Json, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
    """One line each; empty where nothing speaks against it."""
    ports = (
        port_conflicts(spec, stack, api.containers([], status=["running"])) if _fixed(spec) else []
    )
    return (
        *ports,
        *too_large(spec, info),
        *name_conflicts(api, spec, stack),
        *too_old_for(spec, api.version),
        *misplaced(spec, info),
        *missing(api, spec, stack),
    )


def port_conflicts(spec: ServiceSpec, stack: str, rows: Iterable[Json]) -> list[str]:
    """`rows`: the running containers of the engine."""
    foreign = [row for row in rows if not _is_ours(row, stack, spec.name)]
    problems = []
    for port in _fixed(spec):
        first, last = port.published or (0, 0)
        if first == last and spec.slots > 1:
            problems.append(
                f"port {first} can be published once, not by {spec.slots} replicas: "
                f"give a range such as {first}-{first + spec.slots - 1}"
            )
        for slot in range(1, spec.slots + 1):
            try:
                wanted = published_port(port, slot)
            except EngineError as error:
                problems.append(str(error))
                break
            holder = next((row for row in foreign if _holds(row, port, wanted)), None)
            if holder is not None:
                problems.append(f"port {wanted}/{port.protocol} is taken by {name_of(holder)}")
            if first == last:
                break
    return problems


def name_conflicts(api: Api, spec: ServiceSpec, stack: str) -> list[str]:
    """A `container_name` that somebody else's container has."""
    wanted = spec.task.container_name
    holder = holder_of(api, wanted) if wanted else None
    if holder is None or _is_ours(holder["Config"], stack, spec.name):
        return []
    return [f"the container name {wanted} is taken (see docker inspect {wanted})"]


def too_large(spec: ServiceSpec, info: Json) -> list[str]:
    """One task must fit; how many fit together is not ours to say: nothing is reserved for real."""
    resources, problems = spec.task.resources, []
    memory, cpus = int(info.get("MemTotal") or 0), int(info.get("NCPU") or 0)
    if memory and resources.memory_reservation > memory:
        problems.append(
            f"a task reserves {format_size(resources.memory_reservation)} of memory, "
            f"the host has {format_size(memory)}"
        )
    if 0 < resources.memory_limit < _LEAST_MEMORY:
        problems.append(
            f"a task may use {format_size(resources.memory_limit)} of memory, "
            f"an engine's least is {format_size(_LEAST_MEMORY)}"
        )
    runtimes = info.get("Runtimes") or {}
    if spec.task.runtime and runtimes and spec.task.runtime not in runtimes:
        known = ", ".join(sorted(runtimes))
        problems.append(f"the engine has no runtime {spec.task.runtime}, only {known}")
    for word, nano in (
        ("reserves", resources.cpu_reservation),
        ("may use", resources.cpu_limit),
    ):
        if cpus and nano > cpus * 10**9:
            problems.append(f"a task {word} {nano / 1e9:g} CPUs, the host has {cpus}")
    return problems


def _fixed(spec: ServiceSpec) -> list[Port]:
    return [port for port in spec.task.ports if port.published is not None]


def _is_ours(row: Json, stack: str, service: str) -> bool:
    mine = row.get("Labels") or {}
    return mine.get(labels.COMPOSE_PROJECT) == stack and mine.get(labels.COMPOSE_SERVICE) == service


def _holds(row: Json, port: Port, number: int | None) -> bool:
    return any(
        held.get("PublicPort") == number
        and held.get("Type") == port.protocol
        and _overlap(str(held.get("IP") or ""), port.host_ip)
        for held in row.get("Ports") or []
    )


def _overlap(one: str, other: str) -> bool:
    return one == other or one in _ANYWHERE or other in _ANYWHERE

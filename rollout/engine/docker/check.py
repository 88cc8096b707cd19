"""Why a service cannot run on an engine, found before anything is touched.

Only what the engine can know: what other containers hold, what the host does not have, what is
external and not there, and what the engine says when it is asked to make a container (`trial`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.engine.docker.ability import too_old_for
from rollout.engine.docker.addresses import address_problems
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.holders import publishes
from rollout.engine.docker.host_ports import (
    holder_of_port,
    is_here,
    listeners,
    process_of,
)
from rollout.engine.docker.limits import beyond_limits
from rollout.engine.docker.names import holder_of
from rollout.engine.docker.observe import name_of
from rollout.engine.docker.placeholders import node_of
from rollout.engine.docker.placement import misplaced
from rollout.engine.docker.surroundings import missing
from rollout.engine.docker.trial import refused
from rollout.model import labels
from rollout.model.claims import port_numbers
from rollout.model.spec import Port, ServiceSpec
from rollout.model.units import format_size

_LEAST_MEMORY = 6 * 1024 * 1024


def check(
    api: Api, info: Json, spec: ServiceSpec, stack: str, beside: frozenset[str]
) -> tuple[str, ...]:
    """One line each; empty where nothing speaks against it."""
    ours = beside | {spec.name}
    found = (
        *_ports_held(api, info, spec, stack, ours),
        *too_large(spec, info),
        *beyond_limits(spec, info),
        *name_conflicts(api, spec, stack, ours),
        *address_problems(api, spec, stack, ours),
        *too_old_for(spec, api.version),
        *misplaced(spec, info),
        *missing(api, spec, stack),
    )
    # What is known already is said in our own words.
    return found or tuple(refused(api, spec, stack, node_of(info)))


def _ports_held(
    api: Api, info: Json, spec: ServiceSpec, stack: str, ours: frozenset[str]
) -> Iterator[str]:
    if not _fixed(spec):
        return
    rows = api.containers([], status=["running"])
    yield from port_conflicts(spec, stack, rows, ours)
    yield from _held_by_processes(api, info, spec, stack, rows, ours)


def _held_by_processes(
    api: Api, info: Json, spec: ServiceSpec, stack: str, rows: list[Json], ours: frozenset[str]
) -> Iterator[str]:
    """Ports that something on the host has which no container publishes, where we can see that."""
    if not api.by_socket or any(
        _is_ours(row, stack, ours) and (row.get("HostConfig") or {}).get("NetworkMode") == "host"
        for row in rows
    ):
        # A task of ours on the host's network is no other process, and goes.
        return
    published = {
        (held.get("PublicPort"), held.get("Type"))
        for row in rows
        for held in row.get("Ports") or []
    }
    listening = listeners()
    for port in _fixed(spec):
        for number in port_numbers(port, spec.slots):
            found = holder_of_port(listening, number, port.protocol, port.host_ip)
            if found is None or (number, port.protocol) in published or not _is_here(api, info):
                continue
            process = process_of(found.inode) or "a process of the host"
            yield f"port {number}/{port.protocol} is taken by {process}, which is in no container"


def _is_here(api: Api, info: Json) -> bool:
    subnets = [
        str(pool["Subnet"])
        for each in api.networks(name=["bridge"])
        if each["Name"] == "bridge"
        for pool in (each.get("IPAM") or {}).get("Config") or []
    ]
    return any(is_here(str(info.get("Name") or ""), subnet) for subnet in subnets)


def port_conflicts(
    spec: ServiceSpec, stack: str, rows: Iterable[Json], ours: frozenset[str]
) -> Iterator[str]:
    """`rows`: the running containers of the engine."""
    foreign = [row for row in rows if not _is_ours(row, stack, ours)]
    for port in _fixed(spec):
        for number in port_numbers(port, spec.slots):
            holder = next(
                (row for row in foreign if publishes(row, number, port.protocol, port.host_ip)),
                None,
            )
            if holder is not None:
                yield f"port {number}/{port.protocol} is taken by {name_of(holder)}"


def name_conflicts(api: Api, spec: ServiceSpec, stack: str, ours: frozenset[str]) -> list[str]:
    """A `container_name` that somebody else's container has."""
    wanted = spec.task.container_name
    holder = holder_of(api, wanted) if wanted else None
    if holder is None or _is_ours(holder["Config"], stack, ours):
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
    if spec.task.network_mode == "host":
        return []
    return [port for port in spec.task.ports if port.published is not None]


def _is_ours(row: Json, stack: str, services: frozenset[str]) -> bool:
    mine = row.get("Labels") or {}
    return (
        mine.get(labels.COMPOSE_PROJECT) == stack and mine.get(labels.COMPOSE_SERVICE) in services
    )

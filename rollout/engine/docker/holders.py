"""Who has the port or the address that a container could not be given at its start."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from rollout.engine.docker.addresses import holder_in
from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.observe import name_of
from rollout.errors import ConflictError, EngineError
from rollout.model.claims import on_same_address

_TAKEN = ("address already in use", "port is already allocated")


def with_holder(api: Api, container: str, error: EngineError) -> EngineError:
    """The error, with the name of who is in the way where that is another container."""
    if not any(words in error.message.lower() for words in _TAKEN):
        return error
    try:
        raw = api.inspect(container)
        found = next(chain(_of_addresses(api, raw), _of_ports(api, raw)), "")
    except EngineError:
        return error
    if not found:
        return error
    return ConflictError(f"{error.message}: {found}", status=error.status, hint=error.hint)


def _of_addresses(api: Api, raw: Json) -> Iterator[str]:
    for network, end in (raw["NetworkSettings"].get("Networks") or {}).items():
        fixed = end.get("IPAMConfig") or {}
        for address in filter(None, (fixed.get("IPv4Address"), fixed.get("IPv6Address"))):
            holder = holder_in(api.network(network), address)
            if holder is not None and holder[0] != raw["Id"]:
                yield f"{address} on network {network} is {holder[1]}'s"


def _of_ports(api: Api, raw: Json) -> Iterator[str]:
    rows = api.containers([], status=["running"])
    for key, bindings in (raw["HostConfig"].get("PortBindings") or {}).items():
        protocol = key.partition("/")[2]
        for binding in bindings or []:
            for row in rows:
                if row["Id"] != raw["Id"] and publishes(
                    row, binding.get("HostPort"), protocol, str(binding.get("HostIp") or "")
                ):
                    yield f"{binding['HostPort']}/{protocol} is {name_of(row)}'s"


def publishes(row: Json, number: object, protocol: str, address: str) -> bool:
    """A running container has that port of the host, on an address that counts."""
    return any(
        str(held.get("PublicPort")) == str(number)
        and held.get("Type") == protocol
        and on_same_address(str(held.get("IP") or ""), address)
        for held in row.get("Ports") or []
    )

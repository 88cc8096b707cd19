"""Fixed addresses against the networks they are asked for on: as they are here, else as they will
be made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from msgspec import Struct

from rollout.engine.docker.api import Api, Json
from rollout.errors import NotFoundError
from rollout.model import labels
from rollout.model.spec import Network, ServiceSpec


class _Pool(Struct, frozen=True):
    subnet: IPv4Network | IPv6Network
    gateway: str
    reserved: Mapping[str, str]
    """Address → the host that it is kept for."""


def address_problems(
    api: Api, spec: ServiceSpec, stack: str, ours: frozenset[str]
) -> Iterator[str]:
    """One line each; no call where no address is fixed."""
    planned = {network.name: network for network in spec.networks}
    for attachment in spec.task.networks:
        for address in (attachment.ipv4_address, attachment.ipv6_address):
            if not address:
                continue
            there = _network(api, attachment.name)
            network = planned.get(attachment.name)
            if there is not None:
                yield from out_of_place(address, attachment.name, pools_of(there))
                yield from _held(api, address, there, stack, ours)
            if network is None or network.external:
                continue
            if not network.subnets:
                yield (
                    f"the address {address} needs a subnet: say one under "
                    f"networks.{network.key}.ipam.config"
                )
            elif there is None:
                yield from out_of_place(address, network.name, _pools_planned(network))


def out_of_place(address: str, network: str, pools: list[_Pool]) -> Iterator[str]:
    """Why a network cannot give that address to a task."""
    wanted = ip_address(address)
    pool = next((each for each in pools if wanted in each.subnet), None)
    if pool is None:
        subnets = ", ".join(str(each.subnet) for each in pools) or "none"
        yield f"the address {address} is in no subnet of network {network} (it has {subnets})"
    elif pool.gateway and wanted == ip_address(pool.gateway):
        yield f"the address {address} is the gateway of network {network}"
    elif wanted in (pool.subnet.network_address, _broadcast(pool.subnet)):
        yield f"the address {address} is no host's in {pool.subnet} of network {network}"
    else:
        for kept, host in pool.reserved.items():
            if wanted == ip_address(kept):
                yield f"the address {address} is kept for {host} by network {network}"


def _broadcast(subnet: IPv4Network | IPv6Network) -> object:
    return subnet.broadcast_address if isinstance(subnet, IPv4Network) else None


def _held(api: Api, address: str, network: Json, stack: str, ours: frozenset[str]) -> Iterator[str]:
    holder = holder_in(network, address)
    if holder is None:
        return
    container, name = holder
    try:
        mine = api.inspect(container)["Config"].get("Labels") or {}
    except NotFoundError:  # the end of a network in another engine, or gone meanwhile
        mine = {}
    if mine.get(labels.COMPOSE_PROJECT) != stack or mine.get(labels.COMPOSE_SERVICE) not in ours:
        yield f"the address {address} on network {network['Name']} is taken by {name}"


def holder_in(network: Json, address: str) -> tuple[str, str] | None:
    """Id and name of the container that has an address on a network, as inspected."""
    wanted = ip_address(address)
    for container, end in (network.get("Containers") or {}).items():
        for key in ("IPv4Address", "IPv6Address"):
            held = str(end.get(key) or "").partition("/")[0]
            if held and ip_address(held) == wanted:
                return container, str(end.get("Name") or container[:12])
    return None


def _network(api: Api, name: str) -> Json | None:
    try:
        return api.network(name)
    except NotFoundError:
        return None


def pools_of(there: Json) -> list[_Pool]:
    found = (there.get("IPAM") or {}).get("Config") or []
    return [
        _pool(
            str(each["Subnet"]),
            str(each.get("Gateway") or ""),
            each.get("AuxiliaryAddresses") or {},
        )
        for each in found
        if each.get("Subnet")
    ]


def _pools_planned(network: Network) -> list[_Pool]:
    return [
        _pool(
            str(each["subnet"]),
            str(each.get("gateway") or ("" if each.get("ip_range") else _first(each["subnet"]))),
            _said(each.get("aux_addresses")),
        )
        for each in network.subnets
        if each.get("subnet")
    ]


def _said(addresses: Any) -> Mapping[str, str]:
    return addresses if isinstance(addresses, Mapping) else {}


def _pool(subnet: str, gateway: str, reserved: Mapping[str, str]) -> _Pool:
    inside = ip_network(subnet, strict=False)
    by_address = {address.partition("/")[0]: host for host, address in reserved.items()}
    return _Pool(inside, gateway.partition("/")[0], by_address)


def _first(subnet: Any) -> str:
    """The gateway where none is said: an engine takes the first address."""
    inside = ip_network(str(subnet), strict=False)
    return str(inside.network_address + 1) if inside.num_addresses > 1 else ""

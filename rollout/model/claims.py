"""What only one task of a host can have at a time: a published port, an address, a name.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address

import msgspec
from msgspec import Struct

from rollout.model.canonical import from_canonical
from rollout.model.spec import Order, Port, ServiceSpec

_ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, not bound to


class Claim(Struct, frozen=True, kw_only=True):
    kind: str
    """`port`, `address`, `mac` or `name`"""
    what: str
    """`8080/tcp`, `10.0.0.2`, `web`"""
    where: str = ""
    """The host's address of a port, the network of an address."""

    def __str__(self) -> str:
        match self.kind:
            case "port":
                return f"port {self.what}"
            case "name":
                return f"the container name {self.what}"
            case "mac":
                return f"the MAC address {self.what} on network {self.where}"
            case _:
                return f"the address {self.what} on network {self.where}"

    def conflicts_with(self, other: Claim) -> bool:
        if (self.kind, self.what) != (other.kind, other.what):
            return False
        if self.kind == "port":
            return on_same_address(self.where, other.where)
        return self.where == other.where


@lru_cache(maxsize=4096)
def claims_in_label(label: str, slot: int) -> tuple[Claim, ...]:
    """What a task of a definition, as canonical JSON, has; nothing where it cannot be read."""
    try:
        return claims_of(from_canonical(label, ServiceSpec), slot)
    except msgspec.MsgspecError:
        return ()


def on_same_address(one: str, other: str) -> bool:
    """Two ports with the same number are one port: no address means all of them."""
    return one == other or one in _ANYWHERE or other in _ANYWHERE


def same_address(text: str) -> str:
    """An IP or MAC address in the one spelling by which it is compared."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text.lower().replace("-", ":")


def published_twice(spec: ServiceSpec) -> Iterator[Claim]:
    """Ports of the host that one task would publish for two of its own."""
    if spec.task.network_mode == "host":
        return
    seen: list[Claim] = []
    for port in dict.fromkeys(spec.task.ports):
        claims = list(_of_port(port, spec.slots))
        yield from (claim for claim in claims if any(claim.conflicts_with(each) for each in seen))
        seen += claims


def claims_of(spec: ServiceSpec, slot: int | None = None) -> tuple[Claim, ...]:
    """Of all slots together, nothing where none is wanted; or of one slot's task."""
    if slot is None and not spec.slots:
        return ()
    return tuple(dict.fromkeys((*_ports(spec, slot), *_others(spec))))


def port_numbers(port: Port, slots: int) -> range:
    """The host's ports that so many slots take; of a range too narrow, all there are."""
    if port.published is None:
        return range(0)
    first, last = port.published
    return range(first, min(last, first + slots - 1) + 1)


def shared_with(spec: ServiceSpec, others: Iterable[ServiceSpec]) -> Iterator[tuple[Claim, str]]:
    """What a service and another one both claim, and the other's name."""
    for other in others:
        for theirs in claims_of(other):
            for ours in claims_of(spec):
                if ours.conflicts_with(theirs):
                    yield ours, other.name


def too_many_slots(spec: ServiceSpec) -> Iterator[str]:
    """Why the service cannot have as many slots as it asks for, one line each."""
    if spec.task.network_mode != "host":
        yield from _narrow_ports(spec)
    for claim in published_twice(spec):
        yield f"{claim} is published twice"
    if spec.slots > 1:
        for claim in _others(spec):
            yield f"{claim} is one task's, not {spec.slots} replicas'"
    if Order.START_FIRST in (spec.update.order, spec.rollback.order):
        for claim in claims_of(spec):
            if claim.kind != "name":
                yield f"{claim} is one task's: start-first would need it twice, use stop-first"
                return


def _narrow_ports(spec: ServiceSpec) -> Iterator[str]:
    for port in spec.task.ports:
        if port.published is None:
            continue
        first, last = port.published
        if last - first + 1 >= spec.slots:
            continue
        if first == last:
            yield (
                f"port {first} can be published once, not by {spec.slots} replicas: "
                f"give a range such as {first}-{first + spec.slots - 1}"
            )
        else:
            yield (
                f"ports {first}-{last} are for {last - first + 1} slots, not {spec.slots} "
                "(widen the range, or run fewer replicas)"
            )


def _ports(spec: ServiceSpec, slot: int | None) -> Iterator[Claim]:
    if spec.task.network_mode == "host":
        return
    for port in spec.task.ports:
        found = list(_of_port(port, slot or spec.slots))
        if slot is not None and not _is_single(port):
            found = found[slot - 1 : slot]
        yield from found


def _of_port(port: Port, slots: int) -> Iterator[Claim]:
    for number in port_numbers(port, slots):
        yield Claim(kind="port", what=f"{number}/{port.protocol}", where=port.host_ip)


def _is_single(port: Port) -> bool:
    return port.published is not None and port.published[0] == port.published[1]


def _others(spec: ServiceSpec) -> Iterator[Claim]:
    if spec.task.container_name:
        yield Claim(kind="name", what=spec.task.container_name)
    for network in spec.task.networks:
        for address in (network.ipv4_address, network.ipv6_address):
            if address:
                yield Claim(kind="address", what=same_address(address), where=network.name)
        if network.mac_address:
            mac = same_address(network.mac_address)
            yield Claim(kind="mac", what=mac, where=network.name)

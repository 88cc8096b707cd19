"""What only one task can have at a time."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.model.claims import claims_of, shared_with, too_many_slots
from rollout.model.spec import (
    Mode,
    NetworkAttachment,
    Order,
    Port,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
)


def _spec(name: str = "web", replicas: int = 1, **fields: Any) -> ServiceSpec:
    task = {key: fields.pop(key) for key in tuple(fields) if key in TaskSpec.__struct_fields__}
    return ServiceSpec(name=name, replicas=replicas, task=TaskSpec(image="app", **task), **fields)


def _port(first: int, last: int | None = None, **fields: Any) -> Port:
    return Port(target=80, published=(first, last or first), **fields)


def _at(address: str, network: str = "st_n") -> tuple[NetworkAttachment, ...]:
    if ":" in address:
        return (NetworkAttachment(name=network, ipv6_address=address),)
    return (NetworkAttachment(name=network, ipv4_address=address),)


RANGE = _spec(replicas=3, ports=(_port(8000, 8009),))


def test_each_slot_has_its_own_port_of_a_range() -> None:
    assert [str(each) for each in claims_of(RANGE)] == [f"port {8000 + n}/tcp" for n in range(3)]
    assert [str(each) for each in claims_of(RANGE, 2)] == ["port 8001/tcp"]
    assert claims_of(RANGE, 11) == ()
    assert [str(each) for each in claims_of(_spec(ports=(_port(80),)), 1)] == ["port 80/tcp"]


@pytest.mark.parametrize(
    "spec",
    [
        _spec(replicas=0, ports=(_port(80),), container_name="web"),
        _spec(ports=(Port(target=80),)),
        _spec(ports=(_port(80),), network_mode="host"),
        _spec(networks=(NetworkAttachment(name="st_n"),)),
    ],
    ids=["no replicas", "any port", "host network", "any address"],
)
def test_nothing_is_claimed(spec: ServiceSpec) -> None:
    assert claims_of(spec) == ()


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({"ports": (_port(80),)}, {"ports": (_port(80),)}, "port 80/tcp"),
        ({"ports": (_port(80),)}, {"ports": (_port(80, host_ip="10.0.0.1"),)}, "port 80/tcp"),
        ({"ports": (_port(80),)}, {"ports": (_port(80, protocol="udp"),)}, ""),
        (
            {"ports": (_port(80, host_ip="10.0.0.2"),)},
            {"ports": (_port(80, host_ip="10.0.0.1"),)},
            "",
        ),
        ({"networks": _at("10.0.0.5")}, {"networks": _at("10.0.0.6")}, ""),
        ({"networks": _at("10.0.0.5")}, {"networks": _at("10.0.0.5", "other")}, ""),
        (
            {"networks": _at("10.0.0.5")},
            {"networks": _at("10.0.0.5")},
            "the address 10.0.0.5 on network st_n",
        ),
        (
            {"networks": _at("fd00::0005")},
            {"networks": _at("fd00::5")},
            "the address fd00::5 on network st_n",
        ),
        ({"container_name": "a"}, {"container_name": "a"}, "the container name a"),
    ],
)
def test_what_two_services_share(one: Any, other: Any, shared: str) -> None:
    found = list(shared_with(_spec("a", **one), [_spec("b", **other)]))

    assert [(str(claim), name) for claim, name in found] == ([(shared, "b")] if shared else [])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (
            _spec(replicas=3, ports=(_port(8000),)),
            "port 8000 can be published once, not by 3 replicas: give a range such as 8000-8002",
        ),
        (
            _spec(replicas=3, ports=(_port(8000, 8001),)),
            "ports 8000-8001 are for 2 slots, not 3 (widen the range, or run fewer replicas)",
        ),
        (
            _spec(replicas=2, container_name="a"),
            "the container name a is one task's, not 2 replicas'",
        ),
        (
            _spec(replicas=2, networks=_at("10.0.0.5")),
            "the address 10.0.0.5 on network st_n is one task's, not 2 replicas'",
        ),
        (
            _spec(ports=(_port(80),), update=UpdateConfig(order=Order.START_FIRST)),
            "port 80/tcp is one task's: start-first would need it twice, use stop-first",
        ),
        (
            _spec(networks=_at("fd00::5", "n"), rollback=UpdateConfig(order=Order.START_FIRST)),
            "the address fd00::5 on network n is one task's: start-first would need it twice",
        ),
        (_spec(ports=(_port(80), _port(80, mode="host"))), "port 80/tcp is published twice"),
        (
            _spec(replicas=3, ports=(_port(8000, 8009), Port(target=81, published=(8002, 8004)))),
            "port 8002/tcp is published twice",
        ),
        (RANGE, ""),
        (_spec(replicas=5, mode=Mode.GLOBAL, ports=(_port(80),)), ""),
        (_spec(replicas=3, ports=(_port(80),), network_mode="host"), ""),
        (_spec(container_name="a", update=UpdateConfig(order=Order.START_FIRST)), ""),
    ],
)
def test_more_slots_than_there_can_be(spec: ServiceSpec, reason: str) -> None:
    assert [line.startswith(reason) for line in too_many_slots(spec)] == [True] * bool(reason)

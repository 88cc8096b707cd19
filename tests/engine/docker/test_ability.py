"""What an engine is too old for, and where a host is not the one that was asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rollout.engine.docker.ability import left_out, too_old_for
from rollout.engine.docker.placement import matches, misplaced
from rollout.model.spec import Healthcheck, Mount, Network, ServiceSpec
from tests.support.engine import service

HOST = {
    "ID": "AB:CD",
    "Name": "web1",
    "OSType": "linux",
    "Architecture": "x86_64",
    "Labels": ["disk=ssd", "bare"],
}
MOUNT = Mount(type="bind", source="/a", target="/b")


@pytest.mark.parametrize(
    ("spec", "since", "said"),
    [
        (service(annotations={"a": "b"}), (1, 43), "annotations needs a newer engine (Docker 24)"),
        (
            service(mounts=(replace(MOUNT, recursive="readonly"),)),
            (1, 44),
            "/b: bind.recursive: readonly needs a newer engine (Docker 25)",
        ),
        (
            service(mounts=(Mount(type="volume", source="d", target="/d", subpath="x"),)),
            (1, 45),
            "/d: volume.subpath needs a newer engine (Docker 26)",
        ),
        (
            replace(service(), networks=(Network(key="n", name="st_n", enable_ipv4=False),)),
            (1, 47),
            "network n: enable_ipv4: false needs a newer engine (Docker 28)",
        ),
    ],
)
def test_what_an_engine_does_not_know_is_refused(
    spec: ServiceSpec, since: tuple[int, ...], said: str
) -> None:
    """The engine itself would leave it out in silence."""
    assert too_old_for(spec, (1, since[1] - 1)) == [said]
    assert too_old_for(spec, since) == []


def test_what_every_engine_knows() -> None:
    assert too_old_for(service(mounts=(replace(MOUNT, recursive="disabled"),)), (1, 41)) == []


def test_a_hint_is_left_out_and_named() -> None:
    spec = service(healthcheck=Healthcheck(start_interval_s=1.0))

    assert left_out(spec, (1, 43)) == [
        "healthcheck.start_interval needs a newer engine (Docker 25): ignored"
    ]
    assert left_out(spec, (1, 44)) == []
    assert left_out(service(), (1, 41)) == []


@pytest.mark.parametrize(
    "constraint",
    [
        "node.hostname==web1",
        "node.hostname == WEB1",
        "node.hostname != web2",
        "node.role==manager",
        "node.id==ab:cd",
        "node.platform.os==linux",
        "node.platform.arch==x86_64",
        "engine.labels.disk==ssd",
        "engine.labels.rack!=7",
        "node.labels.any==thing",
    ],
)
def test_the_host_is_the_one(constraint: str) -> None:
    """What cannot be evaluated on one host holds nothing up: it was named when the file was
    read."""
    assert matches(constraint, HOST)


@pytest.mark.parametrize(
    "constraint",
    ["node.hostname!=web1", "node.role==worker", "engine.labels.disk==hdd", "engine.labels.b==1"],
)
def test_the_host_is_another(constraint: str) -> None:
    spec = replace(service(), constraints=("node.role==manager", constraint))

    assert misplaced(spec, HOST) == [f"the host web1 does not match the constraint {constraint}"]


def test_at_most_so_many_on_a_host() -> None:
    assert misplaced(replace(service(replicas=3), max_per_node=2), HOST) == [
        "3 replicas, at most 2 on a host, and there is one"
    ]
    assert misplaced(replace(service(replicas=2), max_per_node=2), HOST) == []

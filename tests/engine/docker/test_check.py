"""What speaks against a service is said before anything is touched."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.engine.docker.addresses import holder_in, out_of_place, pools_of
from rollout.engine.docker.engine import DockerEngine
from rollout.engine.docker.host_ports import holder_of_port, parsed
from rollout.engine.docker.limits import beyond_limits
from rollout.model.spec import (
    Logging,
    Mount,
    Network,
    NetworkAttachment,
    Port,
    Resources,
    ServiceSpec,
    Ulimit,
)
from tests.support.engine import revision, service, started

NETWORK = {
    "Name": "st_n",
    "IPAM": {
        "Config": [
            {
                "Subnet": "10.9.0.0/24",
                "Gateway": "10.9.0.1",
                "AuxiliaryAddresses": {"printer": "10.9.0.9"},
            }
        ]
    },
    "Containers": {"abc": {"Name": "thief", "IPv4Address": "10.9.0.7/24", "IPv6Address": ""}},
}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("10.9.0.5", ""),
        ("10.8.0.5", "the address 10.8.0.5 is in no subnet of network st_n (it has 10.9.0.0/24)"),
        ("fd00::5", "the address fd00::5 is in no subnet of network st_n (it has 10.9.0.0/24)"),
        ("10.9.0.1", "the address 10.9.0.1 is the gateway of network st_n"),
        ("10.9.0.0", "the address 10.9.0.0 is no host's in 10.9.0.0/24 of network st_n"),
        ("10.9.0.255", "the address 10.9.0.255 is no host's in 10.9.0.0/24 of network st_n"),
        ("10.9.0.9", "the address 10.9.0.9 is kept for printer by network st_n"),
    ],
)
def test_an_address_against_its_network(address: str, said: str) -> None:
    assert list(out_of_place(address, "st_n", pools_of(NETWORK))) == ([said] if said else [])


def test_who_has_an_address() -> None:
    assert holder_in(NETWORK, "10.9.0.7") == ("abc", "thief")
    assert holder_in(NETWORK, "10.9.0.8") is None


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            {"resources": Resources(cpu_limit=500_000)},
            "a task may use 0.0005 CPUs, an engine's least is 0.01",
        ),
        ({"resources": Resources(cpu_limit=10_000_000)}, ""),
        ({"ulimits": {"nofile": Ulimit(soft=10, hard=20)}}, ""),
        ({"ulimits": {"nofile": Ulimit(soft=10, hard=-1)}}, ""),
        (
            {"ulimits": {"nofile": Ulimit(soft=20, hard=10)}},
            "ulimits: nofile: the soft limit 20 is above the hard 10",
        ),
        ({"ulimits": {"nosuch": Ulimit(soft=1, hard=1)}}, "ulimits: there is no nosuch, only "),
        ({"sysctls": {"net.core.somaxconn": "1"}}, ""),
        (
            {"sysctls": {"net.core.somaxconn": "1"}, "network_mode": "host"},
            "sysctls: net.core.somaxconn cannot be set on the host's network",
        ),
        (
            {"sysctls": {"kernel.shmmax": "1"}, "ipc": "host"},
            "sysctls: kernel.shmmax cannot be set with ipc: host",
        ),
        (
            {"sysctls": {"vm.max_map_count": "1"}},
            "sysctls: vm.max_map_count is the host's, not a container's: set it on the host",
        ),
        ({"sysctls": {"vm.max_map_count": "1"}, "runtime": "kata"}, ""),
    ],
)
def test_what_would_fail_at_the_start(task: dict[str, Any], said: str) -> None:
    found = list(beyond_limits(service(**task), {"DefaultRuntime": "runc"}))

    assert [line.startswith(said) for line in found] == ([True] if said else [])


@pytest.mark.docker
@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            {"logging": Logging(driver="json-file", options={"nosuch": "x"})},
            "unknown log opt 'nosuch' for json-file log driver",
        ),
        ({"cap_add": ("NOSUCH",)}, "NOSUCH"),
        ({"cpuset": "0-4000"}, "Requested CPUs are not available"),
        ({"memswap_limit": 2**30}, "always set the Memory limit"),
        ({"network_mode": "service:db", "hostname": "a"}, "hostname and the network mode"),
        ({"stop_signal": "SIGZZ"}, "Invalid signal"),
        (
            {
                "mounts": (
                    Mount(type="bind", source="/nosuch/x", target="/x", create_host_path=False),
                )
            },
            "bind source path does not exist: /nosuch/x",
        ),
    ],
)
def test_what_the_engine_would_not_make(
    engine: DockerEngine, stack: str, image: str, task: dict[str, Any], said: str
) -> None:
    """It is asked with a container that is never started, and nothing of that is left."""
    [line] = engine.check(service(image, **task), stack)

    assert said.lower() in line.lower()
    assert _traces(stack) == []


@pytest.mark.docker
def test_a_trial_takes_nothing(engine: DockerEngine, stack: str, image: str) -> None:
    """Its volumes are new ones that go with it, and what is yet to be made stays to be made."""
    mounts = (
        Mount(type="volume", source=f"{stack}_data", target="/data"),
        Mount(type="volume", source=f"{stack}_kept", target="/kept", read_only=True),
        Mount(type="volume", target="/cache"),
        Mount(type="bind", source=f"/tmp/{stack}/made", target="/made"),
    )
    networks = (NetworkAttachment(name=f"{stack}_n"),)
    raw = docker.APIClient()
    before = {each["Name"] for each in raw.volumes()["Volumes"] or []}

    assert engine.check(service(image, mounts=mounts, networks=networks), stack) == ()

    assert _traces(stack) == []
    left = {each["Name"] for each in raw.volumes()["Volumes"] or []} - before
    assert not any(stack in name for name in left)
    assert not Path(f"/tmp/{stack}").exists()


@pytest.mark.docker
@pytest.mark.parametrize(
    "task",
    [
        {"network_mode": "service:db"},
        {"pid": "service:db"},
        {"ipc": "service:db"},
        {"volumes_from": ("service:db:ro",)},
        {"network_mode": "container:nosuch"},
        {"links": ("db:db",), "networks": (NetworkAttachment(name="nosuch"),)},
    ],
    ids=lambda task: next(iter(task)),
)
def test_what_is_another_containers_may_come(
    engine: DockerEngine, stack: str, image: str, task: dict[str, Any]
) -> None:
    """The service that it is bound to may be deployed with it."""
    assert engine.check(service(image, **task), stack) == ()
    assert _traces(stack) == []


@pytest.mark.docker
def test_an_image_that_is_yet_to_be_pulled_is_no_reason(engine: DockerEngine, stack: str) -> None:
    assert engine.check(service("127.0.0.1:1/nosuch:v1"), stack) == ()


@pytest.mark.docker
def test_an_address_that_somebody_has(engine: DockerEngine, stack: str, image: str) -> None:
    network = Network(key="n", name=f"{stack}_n", subnets=({"subnet": "10.211.83.0/29"},))
    networks = (NetworkAttachment(name=network.name, ipv4_address="10.211.83.3"),)
    spec = ServiceSpec(name="web", task=service(image, networks=networks).task, networks=(network,))
    assert engine.check(spec, stack) == ()
    engine.ensure(spec, stack)
    task = started(engine, revision(stack, spec))

    assert engine.check(spec, stack) == ()
    other = ServiceSpec(name="other", task=spec.task, networks=(network,))
    assert engine.check(other, stack) == (
        f"the address 10.211.83.3 on network {network.name} is taken by {task.name}",
    )
    assert engine.check(other, stack, frozenset({"web"})) == ()


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6915 1
   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 6916 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7
   1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 8
"""


def test_who_listens_on_the_host() -> None:
    found = [*parsed(TCP, "tcp", "0A"), *parsed(TCP6, "tcp", "0A")]

    assert [(each.address, each.port, each.inode) for each in found] == [
        ("127.0.0.1", 8080, "6915"),
        ("::", 80, "7"),
        ("127.0.0.1", 81, "8"),
    ]
    assert holder_of_port(found, 8080, "tcp", "") == found[0]
    assert holder_of_port(found, 8080, "tcp", "10.0.0.1") is None
    assert holder_of_port(found, 8080, "udp", "") is None
    assert holder_of_port(found, 80, "tcp", "0.0.0.0") == found[1]
    assert holder_of_port(found, 80, "tcp", "10.0.0.1") is None


@pytest.mark.docker
def test_a_port_that_a_process_has(engine: DockerEngine, stack: str, image: str) -> None:
    """Named, where the engine is on this host; one that a container publishes is that one's."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = int(server.getsockname()[1])
        spec = service(image, ports=(Port(target=80, published=(port, port)),))
        found = engine.check(spec, stack)
    assert [line.startswith(f"port {port}/tcp is taken by ") for line in found] == [True]
    assert f"(pid {os.getpid()})" in found[0]

    started(engine, revision(stack, spec))
    assert engine.check(spec, stack) == ()


@pytest.mark.docker
def test_an_address_without_a_subnet(engine: DockerEngine, stack: str, image: str) -> None:
    network = Network(key="n", name=f"{stack}_n")
    networks = (NetworkAttachment(name=network.name, ipv4_address="10.211.84.3"),)
    spec = ServiceSpec(name="web", task=service(image, networks=networks).task, networks=(network,))

    assert engine.check(spec, stack) == (
        "the address 10.211.84.3 needs a subnet: say one under networks.n.ipam.config",
    )


def _traces(stack: str) -> list[str]:
    """Containers and volumes that bear the stack's name or label."""
    raw = docker.APIClient()
    try:
        ours = {"label": f"com.docker.compose.project={stack}"}
        containers = [str(each["Names"]) for each in raw.containers(all=True, filters=ours)]
        return [*containers, *(each["Name"] for each in raw.volumes({"name": stack})["Volumes"])]
    finally:
        raw.close()

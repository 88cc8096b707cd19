"""The small languages of flags: what Docker takes is taken, what does not fit is named."""

from __future__ import annotations

import pytest

from rollout.cli import syntax
from rollout.errors import UsageError
from rollout.model.spec import Mount, NetworkAttachment, Port, Ulimit


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [Port(target=80)]),
        ("8080:80", [Port(target=80, published=(8080, 8080))]),
        ("8080:80/udp", [Port(target=80, published=(8080, 8080), protocol="udp")]),
        ("127.0.0.1:8080:80", [Port(target=80, published=(8080, 8080), host_ip="127.0.0.1")]),
        ("[::1]:8080:80", [Port(target=80, published=(8080, 8080), host_ip="::1")]),
        ("8000-8010:80", [Port(target=80, published=(8000, 8010))]),
        (
            "8000-8001:80-81",
            [Port(target=80, published=(8000, 8000)), Port(target=81, published=(8001, 8001))],
        ),
        (
            "published=8080,target=80,protocol=udp,mode=host",
            [Port(target=80, published=(8080, 8080), protocol="udp", mode="host")],
        ),
        ("target=80", [Port(target=80)]),
    ],
)
def test_ports(text: str, ports: list[Port]) -> None:
    assert syntax.port("publish-add", text) == tuple(ports)


@pytest.mark.parametrize(
    "text",
    ["", "x", "80/foo", "0:80", "70000:80", "90-80:1", "8000-8002:80-81", "target=80,mode=odd",
     "published=80", "target=80,colour=red", "8080:80:90:1"],
)  # fmt: skip
def test_what_is_no_port_is_refused_with_the_flag_s_name(text: str) -> None:
    with pytest.raises(UsageError, match="publish-add"):
        syntax.port("publish-add", text)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("source=data,target=/data", Mount(type="volume", source="data", target="/data",
                                           create_host_path=False)),
        (
            "type=bind,src=/etc,dst=/host,readonly,bind-propagation=rslave",
            Mount(type="bind", source="/etc", target="/host", read_only=True,
                  propagation="rslave", create_host_path=False),
        ),
        (
            "type=tmpfs,target=/tmp,tmpfs-size=64m,tmpfs-mode=1770",
            Mount(type="tmpfs", target="/tmp", tmpfs_size=64 * 2**20, tmpfs_mode=0o1770,
                  create_host_path=False),
        ),
        ('type=volume,"source=a,b",target=/x',
         Mount(type="volume", source="a,b", target="/x", create_host_path=False)),
    ],
)  # fmt: skip
def test_mounts(text: str, mount: Mount) -> None:
    assert syntax.mount("mount-add", text) == mount


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("source=data", "target= must be an absolute path"),
        ("type=bind,source=etc,target=/x", "bind source path must be absolute"),
        ("type=floppy,target=/x", 'type "floppy" is not one of'),
        ("target=/x,readonly=maybe", "neither true nor false"),
        ("target=/x,speed=9", 'unexpected key "speed"'),
    ],
)
def test_what_is_no_mount_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        syntax.mount("mount-add", text)


def test_networks() -> None:
    assert syntax.network("network-add", "front") == NetworkAttachment(name="front")
    assert syntax.network("network-add", "name=front,alias=a,alias=b") == NetworkAttachment(
        name="front", aliases=("a", "b")
    )
    with pytest.raises(UsageError):
        syntax.network("network-add", "alias=a")


def test_numbers() -> None:
    assert syntax.nano_cpus("limit-cpu", "0.5") == 500_000_000
    assert syntax.size("limit-memory", "64m") == 64 * 2**20
    assert syntax.size_or_unlimited("memory-swap", "-1") == -1
    assert syntax.duration("update-delay", "1m30s") == 90
    assert syntax.ulimit("ulimit-add", "nofile=10:20") == ("nofile", Ulimit(soft=10, hard=20))
    assert syntax.ulimit("ulimit-add", "nofile=10") == ("nofile", Ulimit(soft=10, hard=10))


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "many"])
def test_what_is_no_number_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="limit-cpu"):
        syntax.nano_cpus("limit-cpu", text)


@pytest.mark.parametrize("text", ["10", "-5s", "soon"])
def test_durations_need_a_unit_and_are_not_negative(text: str) -> None:
    with pytest.raises(UsageError, match="update-delay"):
        syntax.duration("update-delay", text)


def test_an_unclosed_quote_is_refused() -> None:
    with pytest.raises(UsageError, match="no closing quotation"):
        syntax.words("args", "sh -c 'x")

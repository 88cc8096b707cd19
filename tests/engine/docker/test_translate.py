"""A revision and a slot → the JSON that creates the container."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from rollout.engine.docker.mounts import binds_and_mounts, file_archives
from rollout.engine.docker.translate import (
    Creation,
    creation,
    grace_seconds,
    port_bindings,
    task_id,
)
from rollout.errors import EngineError
from rollout.model.canonical import canonical
from rollout.model.spec import (
    Device,
    FileMount,
    Healthcheck,
    Logging,
    Mount,
    NetworkAttachment,
    Port,
    Resources,
    TaskSpec,
    Ulimit,
)
from tests.support.engine import revision, service

OLD, NEW = (1, 41), (1, 45)


def _made(api: tuple[int, ...] = OLD, slot: int = 1, **task: Any) -> Creation:
    wanted = revision("st", service("app:v1", **task))
    return creation(wanted, slot, "t", api=api, namespaces={"db": "c0ffee"})


def test_the_least() -> None:
    """What was not said is not sent; Docker's restart policy is always off."""
    made = _made()

    assert made.name == "st_web.1.t"
    assert made.platform == ""
    assert made.later == {}
    labels = made.config.pop("Labels")
    assert made.config == {
        "Image": "app:v1",
        "StopTimeout": 5,
        "ExposedPorts": {},
        "HostConfig": {
            "RestartPolicy": {"Name": "no"},
            "NetworkMode": "default",
            "PortBindings": {},
        },
        "NetworkingConfig": {"EndpointsConfig": {}},
    }
    assert {key: value for key, value in labels.items() if "hash" not in key} == {
        "rollout.stack": "st",
        "rollout.service": "web",
        "rollout.slot": "1",
        "rollout.revision": "1",
        "rollout.task": "t",
        "rollout.spec": canonical(service("app:v1")),
        "com.docker.compose.project": "st",
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.version": "2.26.1",
    }


def test_labels_of_ours_win() -> None:
    made = _made(labels={"rollout.slot": "9", "team": "blue"})

    assert made.config["Labels"]["rollout.slot"] == "1"
    assert made.config["Labels"]["team"] == "blue"


def test_the_process() -> None:
    made = _made(
        image_id="sha256:1",
        command=("run", "it"),
        entrypoint=(),
        environment={"B": "", "A": "1=2", "GONE": None},
        hostname="h",
        domainname="d",
        user="7:8",
        working_dir="/w",
        tty=True,
        stdin_open=True,
        stop_signal="SIGINT",
        stop_grace_s=0.5,
    )

    config = {k: v for k, v in made.config.items() if k not in ("Labels", "HostConfig")}
    assert config == {
        "Image": "sha256:1",
        "Cmd": ["run", "it"],
        "Entrypoint": [""],
        "Env": ["A=1=2", "B=", "GONE"],
        "Hostname": "h",
        "Domainname": "d",
        "User": "7:8",
        "WorkingDir": "/w",
        "Tty": True,
        "OpenStdin": True,
        "StopSignal": "SIGINT",
        "StopTimeout": 1,
        "ExposedPorts": {},
        "NetworkingConfig": {"EndpointsConfig": {}},
    }


def test_the_host() -> None:
    made = _made(
        init=False,
        read_only=True,
        privileged=True,
        groups=("9",),
        dns=("1.1.1.1",),
        extra_hosts=("a:1.2.3.4",),
        cap_add=("NET_ADMIN",),
        devices=(Device(source="/dev/a", target="/dev/b"),),
        sysctls={"net.core.somaxconn": "9"},
        ulimits={"nofile": Ulimit(soft=1, hard=2)},
        logging=Logging(driver="json-file", options={"max-size": "1m"}),
        resources=Resources(
            cpu_limit=5 * 10**8, memory_limit=64, memory_reservation=32, pids_limit=9
        ),
        mem_swappiness=0,
        shm_size=77,
        pid="host",
        ipc="service:db",
        network_mode="service:db",
    )

    host = made.config["HostConfig"]
    assert host == {
        "Init": False,
        "ReadonlyRootfs": True,
        "Privileged": True,
        "GroupAdd": ["9"],
        "Dns": ["1.1.1.1"],
        "ExtraHosts": ["a:1.2.3.4"],
        "CapAdd": ["NET_ADMIN"],
        "Devices": [
            {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "rwm"}
        ],
        "Sysctls": {"net.core.somaxconn": "9"},
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "NanoCpus": 500000000,
        "Memory": 64,
        "MemoryReservation": 32,
        "PidsLimit": 9,
        "MemorySwappiness": 0,
        "ShmSize": 77,
        "PidMode": "host",
        "IpcMode": "container:c0ffee",
        "NetworkMode": "container:c0ffee",
        "PortBindings": {},
        "RestartPolicy": {"Name": "no"},
    }


def test_healthcheck_times_are_nanoseconds() -> None:
    """What is left out stays with the image; start_interval needs a newer engine."""
    check = Healthcheck(
        test=("CMD", "true"), interval_s=0.5, timeout_s=2, start_interval_s=0.1, retries=4
    )
    expected = {"Test": ["CMD", "true"], "Interval": 5 * 10**8, "Timeout": 2 * 10**9, "Retries": 4}

    assert _made(OLD, healthcheck=check).config["Healthcheck"] == expected
    assert _made(NEW, healthcheck=check).config["Healthcheck"] == {
        **expected,
        "StartInterval": 10**8,
    }
    kept = _made(OLD, healthcheck=Healthcheck(interval_s=1)).config["Healthcheck"]
    assert kept == {"Test": [], "Interval": 10**9}


def test_networks() -> None:
    """An old engine takes one network at creation: the one with the highest priority."""
    networks = (
        NetworkAttachment(name="n1", aliases=("www", "web")),
        NetworkAttachment(name="n2", ipv4_address="10.0.0.9", priority=10),
    )
    known = ["web", "st-web-1", "st_web", "tasks.web"]
    n1 = {"Aliases": [*known, "www"]}
    n2 = {"Aliases": known, "IPAMConfig": {"IPv4Address": "10.0.0.9"}}

    old, new = _made(OLD, networks=networks), _made(NEW, networks=networks)

    assert old.config["HostConfig"]["NetworkMode"] == "n2"
    assert old.config["NetworkingConfig"]["EndpointsConfig"] == {"n2": n2}
    assert old.later == {"n1": n1}
    assert new.config["NetworkingConfig"]["EndpointsConfig"] == {"n2": n2, "n1": n1}
    assert new.later == {}


def test_ports_of_each_slot() -> None:
    """A range gives each slot one; a single port stays; none leaves it to the engine."""
    ports = (
        Port(target=80, published=(8000, 8009)),
        Port(target=80, published=(9000, 9000), host_ip="127.0.0.1"),
        Port(target=53, protocol="udp"),
    )

    assert port_bindings(ports, 3) == {
        "80/tcp": [
            {"HostIp": "", "HostPort": "8002"},
            {"HostIp": "127.0.0.1", "HostPort": "9000"},
        ],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
    }
    with pytest.raises(EngineError, match="slot 11 has no port: 8000-8009 is for 10 slots"):
        port_bindings(ports, 11)


def test_mounts() -> None:
    """A bind mount that may create its path goes the old way where `Mounts` cannot."""
    spec = TaskSpec(
        image="a",
        mounts=(
            Mount(type="bind", source="/a", target="/b", read_only=True),
            Mount(type="bind", source="/c", target="/d", create_host_path=False),
            Mount(type="bind", source="/e", target="/f", selinux="z"),
            Mount(type="volume", source="data", target="/v", no_copy=True),
            Mount(type="tmpfs", target="/t", tmpfs_size=64),
        ),
    )
    exact = {"Type": "bind", "Source": "/c", "Target": "/d", "ReadOnly": False, "BindOptions": {}}
    volume = {
        "Type": "volume",
        "Source": "data",
        "Target": "/v",
        "ReadOnly": False,
        "VolumeOptions": {"NoCopy": True},
    }
    tmpfs = {
        "Type": "tmpfs",
        "Target": "/t",
        "ReadOnly": False,
        "TmpfsOptions": {"SizeBytes": 64},
    }

    binds, mounts = binds_and_mounts(spec, OLD)
    assert binds == ["/a:/b:ro", "/e:/f:rw,z"]
    assert mounts == [exact, volume, tmpfs]

    binds, mounts = binds_and_mounts(spec, NEW)
    assert binds == ["/e:/f:rw,z"]
    assert mounts[0] == {
        "Type": "bind",
        "Source": "/a",
        "Target": "/b",
        "ReadOnly": True,
        "BindOptions": {"CreateMountpoint": True},
    }


def test_a_subpath() -> None:
    spec = TaskSpec(image="a", mounts=(Mount(type="volume", source="d", target="/d", subpath="x"),))

    assert binds_and_mounts(spec, NEW)[1][0]["VolumeOptions"] == {"Subpath": "x"}


def _file(target: str, **fields: Any) -> FileMount:
    return FileMount(kind="config", source="c", target=target, digest=target, **fields)


def test_files_are_one_archive() -> None:
    spec = TaskSpec(image="a", files=(_file("/etc/a", uid="5", gid="6", mode=0o600), _file("/b")))

    ((folder, tar),) = file_archives(spec, str.encode)

    assert folder == "/"
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        entries = [(each.name, each.uid, each.gid, each.mode, each.size) for each in archive]
    assert entries == [("etc/a", 5, 6, 0o600, 6), ("b", 0, 0, 0o444, 2)]


def test_files_under_a_read_only_root_get_a_volume_each_folder() -> None:
    spec = TaskSpec(image="a", read_only=True, files=(_file("/x/a"), _file("/x/b"), _file("/y/c")))

    assert binds_and_mounts(spec, OLD)[1] == [
        {"Type": "volume", "Target": "/x"},
        {"Type": "volume", "Target": "/y"},
    ]
    assert [folder for folder, _ in file_archives(spec, str.encode)] == ["/x", "/y"]
    with pytest.raises(EngineError, match="directly under /"):
        binds_and_mounts(TaskSpec(image="a", read_only=True, files=(_file("/a"),)), OLD)


def test_an_owner_is_a_number() -> None:
    with pytest.raises(EngineError, match='config c: "www" is not a user or group id'):
        file_archives(TaskSpec(image="a", files=(_file("/a", uid="www"),)), str.encode)


def test_task_ids_follow_from_what_was_there() -> None:
    """The same for two that look at the same, another for each slot, revision and predecessor."""
    wanted = revision("st", service("app:v1"))
    ids = {
        task_id(wanted, 1, ""),
        task_id(wanted, 2, ""),
        task_id(wanted, 1, "before"),
        task_id(revision("st", service("app:v1"), 2), 1, ""),
    }

    assert len(ids) == 4
    assert task_id(wanted, 1, "") in ids
    assert all(len(each) == 25 and each.isalnum() and each == each.lower() for each in ids)


@pytest.mark.parametrize(("seconds", "whole"), [(0, 0), (0.2, 1), (10, 10), (1.5, 2)])
def test_grace_is_rounded_up(seconds: float, whole: int) -> None:
    assert grace_seconds(seconds) == whole

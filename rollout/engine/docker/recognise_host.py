"""What a container may use of its host, as inspect shows it → as the model has it.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rollout.model.spec import BlockIO, Device, DeviceRequest, Mount, Resources, Ulimit
from rollout.model.units import parse_size

Json = dict[str, Any]

_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_MODE = re.compile(r"mode=([0-7]{1,5})", re.ASCII)
_SELINUX = ("z", "Z")
_RECURSIVE = {
    "NonRecursive": "disabled",
    "ReadOnlyNonRecursive": "writable",
    "ReadOnlyForceRecursive": "readonly",
}


def mounts(host: Json) -> tuple[Mount, ...]:
    found = [
        *map(_bind, host.get("Binds") or []),
        *map(_mount, host.get("Mounts") or []),
        *(_tmpfs(target, said) for target, said in (host.get("Tmpfs") or {}).items()),
    ]
    return tuple(sorted(found, key=lambda mount: mount.target))


def devices_and_limits(host: Json) -> Json:
    """Fields of a TaskSpec."""
    memory = int(host.get("Memory") or 0)
    swap = int(host.get("MemorySwap") or 0)
    swappiness = host.get("MemorySwappiness")
    return {
        "resources": Resources(
            cpu_limit=int(host.get("NanoCpus") or 0),
            memory_limit=memory,
            memory_reservation=int(host.get("MemoryReservation") or 0),
            pids_limit=int(host.get("PidsLimit") or 0),
        ),
        # Twice the memory is what an engine gives where nothing is said.
        "memswap_limit": 0 if swap == 2 * memory else swap,
        "mem_swappiness": None if swappiness in (None, -1) else int(swappiness),
        "oom_kill_disable": bool(host.get("OomKillDisable")),
        "oom_score_adj": int(host.get("OomScoreAdj") or 0),
        "cpu_shares": int(host.get("CpuShares") or 0),
        "cpu_period": int(host.get("CpuPeriod") or 0),
        "cpu_quota": int(host.get("CpuQuota") or 0),
        "cpu_rt_period": int(host.get("CpuRealtimePeriod") or 0),
        "cpu_rt_runtime": int(host.get("CpuRealtimeRuntime") or 0),
        "cpuset": host.get("CpusetCpus") or "",
        "ulimits": {
            each["Name"]: Ulimit(soft=each["Soft"], hard=each["Hard"])
            for each in sorted(host.get("Ulimits") or [], key=lambda each: str(each["Name"]))
        },
        "devices": tuple(_devices(host)),
        "device_cgroup_rules": tuple(host.get("DeviceCgroupRules") or ()),
        "device_requests": tuple(map(_request, host.get("DeviceRequests") or [])),
        "block_io": _block_io(host),
    }


def _bind(said: str) -> Mount:
    """`data:/d:ro,z`"""
    source, target, *rest = said.split(":")
    options = rest[0].split(",") if rest else []
    kind = "bind" if source.startswith("/") else "volume"
    return Mount(
        type=kind,
        source=source,
        target=target,
        read_only="ro" in options,
        no_copy="nocopy" in options,
        selinux=next((each for each in options if each in _SELINUX), ""),
        propagation=next((each for each in options if each in _PROPAGATIONS), ""),
    )


def _mount(said: Json) -> Mount:
    bind, volume = said.get("BindOptions") or {}, said.get("VolumeOptions") or {}
    kind, memory = said["Type"], said.get("TmpfsOptions") or {}
    return Mount(
        type=kind,
        source=said.get("Source") or "",
        target=said["Target"],
        read_only=bool(said.get("ReadOnly")),
        propagation=bind.get("Propagation") or "",
        create_host_path=kind != "bind" or bool(bind.get("CreateMountpoint")),
        recursive=next((word for key, word in _RECURSIVE.items() if bind.get(key)), ""),
        no_copy=bool(volume.get("NoCopy")),
        subpath=volume.get("Subpath") or "",
        labels=volume.get("Labels") or {},
        tmpfs_size=memory.get("SizeBytes"),
        tmpfs_mode=memory.get("Mode"),
        consistency=said.get("Consistency") or "",
    )


def _tmpfs(target: str, said: str) -> Mount:
    """`size=1m,mode=1777,exec`; what cannot be read is passed on as it is."""
    options = [each for each in said.split(",") if each]
    size = next((found for each in options if (found := _size(each)) is not None), None)
    mode = next((match for each in options if (match := _MODE.fullmatch(each))), None)
    others = [each for each in options if not (_MODE.fullmatch(each) or _size(each) is not None)]
    return Mount(
        type="tmpfs",
        target=target,
        tmpfs_size=size,
        tmpfs_mode=int(mode[1], 8) if mode else None,
        tmpfs_options=tuple(sorted(others)),
    )


def _size(option: str) -> int | None:
    name, _, value = option.partition("=")
    try:
        return parse_size(value) if name == "size" else None
    except ValueError:
        return None


def _devices(host: Json) -> Iterator[Device]:
    for each in sorted(host.get("Devices") or [], key=lambda each: str(each["PathInContainer"])):
        yield Device(
            source=each["PathOnHost"],
            target=each["PathInContainer"],
            permissions=each.get("CgroupPermissions") or "rwm",
        )


def _request(said: Json) -> DeviceRequest:
    groups = said.get("Capabilities") or [[]]
    return DeviceRequest(
        capabilities=tuple(groups[0]),
        driver=said.get("Driver") or "",
        count=int(said.get("Count") or 0),
        device_ids=tuple(said.get("DeviceIDs") or ()),
        options=said.get("Options") or {},
    )


def _block_io(host: Json) -> BlockIO | None:
    found = BlockIO(
        weight=int(host.get("BlkioWeight") or 0),
        weight_device=_rates(host.get("BlkioWeightDevice"), "Weight"),
        read_bps=_rates(host.get("BlkioDeviceReadBps")),
        read_iops=_rates(host.get("BlkioDeviceReadIOps")),
        write_bps=_rates(host.get("BlkioDeviceWriteBps")),
        write_iops=_rates(host.get("BlkioDeviceWriteIOps")),
    )
    return None if found == BlockIO() else found


def _rates(said: list[Json] | None, word: str = "Rate") -> dict[str, int]:
    return {each["Path"]: int(each[word]) for each in said or []}

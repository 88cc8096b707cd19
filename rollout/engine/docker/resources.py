"""What of the host a task may use, as the engine wants it.  Pure."""

from __future__ import annotations

from typing import Any

from rollout.model.spec import BlockIO, TaskSpec

Json = dict[str, Any]


def resources(spec: TaskSpec) -> Json:
    """Part of `HostConfig`.

    A CPU reservation has no counterpart: on one host nothing is placed by it.
    """
    return {
        "NanoCpus": spec.resources.cpu_limit,
        "Memory": spec.resources.memory_limit,
        "MemoryReservation": spec.resources.memory_reservation,
        "PidsLimit": spec.resources.pids_limit,
        "MemorySwap": spec.memswap_limit,
        "MemorySwappiness": spec.mem_swappiness,
        "OomKillDisable": spec.oom_kill_disable,
        "OomScoreAdj": spec.oom_score_adj,
        "CpuShares": spec.cpu_shares,
        "CpuPeriod": spec.cpu_period,
        "CpuQuota": spec.cpu_quota,
        "CpuRealtimePeriod": spec.cpu_rt_period,
        "CpuRealtimeRuntime": spec.cpu_rt_runtime,
        "CpusetCpus": spec.cpuset,
        "Ulimits": [
            {"Name": name, "Soft": limit.soft, "Hard": limit.hard}
            for name, limit in sorted(spec.ulimits.items())
        ],
        **_devices(spec),
        **(_block_io(spec.block_io) if spec.block_io else {}),
    }


def _devices(spec: TaskSpec) -> Json:
    return {
        "Devices": [
            {
                "PathOnHost": each.source,
                "PathInContainer": each.target,
                "CgroupPermissions": each.permissions,
            }
            for each in spec.devices
        ],
        "DeviceCgroupRules": list(spec.device_cgroup_rules),
        "DeviceRequests": [
            {
                "Driver": each.driver,
                "Count": each.count,
                "DeviceIDs": list(each.device_ids),
                "Capabilities": [list(each.capabilities)],
                "Options": each.options,
            }
            for each in spec.device_requests
        ],
    }


def _block_io(said: BlockIO) -> Json:
    return {
        "BlkioWeight": said.weight,
        "BlkioWeightDevice": _by_device(said.weight_device, "Weight"),
        "BlkioDeviceReadBps": _by_device(said.read_bps, "Rate"),
        "BlkioDeviceReadIOps": _by_device(said.read_iops, "Rate"),
        "BlkioDeviceWriteBps": _by_device(said.write_bps, "Rate"),
        "BlkioDeviceWriteIOps": _by_device(said.write_iops, "Rate"),
    }


def _by_device(counts: dict[str, int], word: str) -> list[Json]:
    return [{"Path": path, word: count} for path, count in counts.items()]

"""What of the host a service may use: CPUs, memory, block I/O, devices, ulimits."""

from __future__ import annotations

from rollout.compose.node import Node, Report, shown
from rollout.model.spec import BlockIO, Device, DeviceRequest, Resources, Ulimit
from rollout.model.units import parse_size

_BLOCK_IO = {
    "weight_device": "weight_device",
    "device_read_bps": "read_bps",
    "device_read_iops": "read_iops",
    "device_write_bps": "write_bps",
    "device_write_iops": "write_iops",
}


def read_resources(node: Node) -> Resources:
    """`deploy.resources`, or the older keys on the service itself."""
    limits, reserved = ("deploy", "resources", "limits"), ("deploy", "resources", "reservations")
    return Resources(
        cpu_limit=_nano(node.get(*limits, "cpus", default=node.get("cpus", default=0))),
        memory_limit=int(node.get(*limits, "memory", default=node.get("mem_limit")) or 0),
        pids_limit=node.get(*limits, "pids", default=node.get("pids_limit", default=0)),
        cpu_reservation=_nano(node.get(*reserved, "cpus", default=0)),
        memory_reservation=int(
            node.get(*reserved, "memory", default=node.get("mem_reservation")) or 0
        ),
    )


def _nano(cpus: float) -> int:
    return round(cpus * 1e9)


def read_devices(nodes: list[Node]) -> tuple[Device, ...]:
    devices = [
        Device(
            source=each.get("source"),
            target=each.get("target") or each.get("source"),
            permissions=each.get("permissions") or "rwm",
        )
        for each in nodes
    ]
    return tuple(sorted(devices, key=lambda device: device.target))


def read_device_requests(node: Node) -> tuple[DeviceRequest, ...]:
    """Those of `deploy`, then `gpus`, each of which is a request for a GPU."""
    reserved = node.items_at("deploy", "resources", "reservations", "devices")
    gpus = node.items_at("gpus")
    return (*map(_request, reserved), *(_request(each, "gpu") for each in gpus))


def _request(node: Node, *also: str) -> DeviceRequest:
    return DeviceRequest(
        capabilities=tuple(dict.fromkeys((*node.strings("capabilities"), *also))),
        driver=node.get("driver", default=""),
        count=node.get("count", default=0),
        device_ids=node.strings("device_ids"),
        options=node.texts("options"),
    )


def read_ulimits(nodes: dict[str, Node]) -> dict[str, Ulimit]:
    return {
        name: Ulimit(
            soft=each.get("soft", default=each.value), hard=each.get("hard", default=each.value)
        )
        for name, each in sorted(nodes.items())
    }


def read_block_io(node: Node | None, path: str, report: Report) -> BlockIO | None:
    if node is None:
        return None
    found = {
        field: _by_device(node.items_at(key), f"{path}.{key}", report)
        for key, field in _BLOCK_IO.items()
    }
    return BlockIO(weight=node.get("weight", default=0), **found)


def _by_device(nodes: list[Node], path: str, report: Report) -> dict[str, int]:
    """Path of a device → its weight or rate."""
    found: dict[str, int] = {}
    for number, each in enumerate(nodes):
        device, said = each.get("path"), each.get("rate", default=each.get("weight"))
        count = _count(said)
        if isinstance(device, str) and device.startswith("/") and count is not None:
            found[device] = count
        else:
            what = f"needs the path of a device and its rate, not {shown(said)}"
            report.error(each.mark, f"{path}[{number}]", what)
    return dict(sorted(found.items()))


def _count(said: object) -> int | None:
    try:
        count = parse_size(str(said)) if len(str(said)) < 32 else -1
    except ValueError:
        return None
    return count if count >= 0 else None

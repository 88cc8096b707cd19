"""`services` and `ls`: what is deployed, how much of it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rollout.model.labels import full_name
from rollout.model.spec import Port, ServiceSpec
from rollout.model.state import MarkKind
from rollout.model.status import ServiceStatus
from rollout.views.table import table
from rollout.views.text import ago, natural, short_image, timestamp

_SERVICES = ("NAME", "MODE", "REPLICAS", "IMAGE", "REVISION", "STATE", "PORTS")
_STACKS = ("NAME", "SERVICES", "HELD BY", "SINCE")


def in_order(statuses: Iterable[ServiceStatus]) -> list[ServiceStatus]:
    """By name, `web10` after `web9`."""
    return sorted(statuses, key=lambda each: natural(full_name(each.stack, each.service)))


def service_table(statuses: Iterable[ServiceStatus]) -> str:
    return table(_SERVICES, [_cells(each) for each in in_order(statuses)])


SERVICE_FIELDS = ("Name", "Mode", "Replicas", "Image", "Revision", "State", "Ports")
"""Those of `docker service ls --format` that there are here, and what else there is."""


def service_fields(statuses: Iterable[ServiceStatus]) -> list[dict[str, str]]:
    """The table's cells by SERVICE_FIELDS, for templates."""
    return [dict(zip(SERVICE_FIELDS, _cells(each), strict=True)) for each in in_order(statuses)]


def _cells(each: ServiceStatus) -> tuple[str, ...]:
    return (
        full_name(each.stack, each.service),
        str(each.revision.spec.mode),
        steady(each),
        short_image(each.revision.spec.task.image),
        str(each.revision.number),
        state_word(each),
        ", ".join(ports(each.revision.spec)),
    )


def service_documents(statuses: Iterable[ServiceStatus]) -> list[dict[str, object]]:
    return [
        {
            "name": full_name(each.stack, each.service),
            "stack": each.stack,
            "service": each.service,
            "mode": str(each.revision.spec.mode),
            "replicas": {"running": each.running, "desired": each.desired},
            "restarting": len(each.restarting),
            "completed": each.completed,
            "image": short_image(each.revision.spec.task.image),
            "revision": each.revision.number,
            "state": state_word(each),
            "ports": ports(each.revision.spec),
        }
        for each in in_order(statuses)
    ]


def state_word(status: ServiceStatus) -> str:
    """Swarm's word for the update; of a service never updated `deploying`, `deployed`, `failed`.
    Of what is complete and does not run, or not all of it: `down`, `degraded`."""
    if status.has_fallen:
        return "degraded" if status.running else "down"
    if status.state is not None:
        return str(status.state)
    if status.outcome is None:
        return "deploying"
    return "deployed" if status.outcome is MarkKind.COMPLETED else str(status.outcome)


def steady(status: ServiceStatus) -> str:
    """`8/10 (2 restarting)`: what Docker has just brought back is not counted as running.  Of a
    job that is through `completed 1/1`."""
    restarting = f" ({len(status.restarting)} restarting)" if status.restarting else ""
    return _with_completed(status, f"{status.steady}/{status.desired}{restarting}")


def running_words(status: ServiceStatus) -> str:
    """`8/10 running, 2 restarting`; `completed 1/1`; `1/3 running, completed 2/3`."""
    restarting = f", {len(status.restarting)} restarting" if status.restarting else ""
    return _with_completed(status, f"{status.steady}/{status.desired} running{restarting}")


def _with_completed(status: ServiceStatus, running: str) -> str:
    if not status.completed:
        return running
    completed = f"completed {status.completed}/{status.desired}"
    return completed if status.all_completed else f"{running}, {completed}"


def ports(spec: ServiceSpec) -> list[str]:
    """`*:8080->80/tcp` each, sorted by published port, as `docker service ls` writes them."""
    found = sorted(spec.task.ports, key=lambda port: (port.published or (0, 0), port.target))
    return [_port(port) for port in found]


def _port(port: Port) -> str:
    host = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip or "*"
    if port.published is None:
        return f"{host}:0->{port.target}/{port.protocol}"
    first, last = port.published
    published = str(first) if first == last else f"{first}-{last}"
    return f"{host}:{published}->{port.target}/{port.protocol}"


class StackRow(NamedTuple):
    """One stack, as `ls` shows it."""

    name: str
    services: int
    holder: str = ""
    """Who drives it now; empty where nobody does."""
    held_since: float | None = None
    """Epoch seconds on the engine's clock."""


def stack_table(rows: Iterable[StackRow], *, now: float) -> str:
    """By name; `now` is the engine's."""
    return table(
        _STACKS,
        [
            (
                each.name,
                str(each.services),
                each.holder,
                "" if each.held_since is None else ago(each.held_since, now),
            )
            for each in sorted(rows, key=lambda each: natural(each.name))
        ],
    )


def stack_documents(rows: Iterable[StackRow]) -> list[dict[str, object]]:
    return [
        {
            "stack": each.name,
            "services": each.services,
            "holder": each.holder or None,
            "held_since": timestamp(each.held_since),
        }
        for each in sorted(rows, key=lambda each: natural(each.name))
    ]

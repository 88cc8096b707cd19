"""`services` and `ls`: what is deployed, how much of it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rollout.model.labels import full_name
from rollout.model.spec import Port, ServiceSpec
from rollout.model.state import MarkKind
from rollout.model.status import ServiceStatus
from rollout.views.table import table
from rollout.views.text import natural, short_image

_SERVICES = ("NAME", "MODE", "REPLICAS", "IMAGE", "REVISION", "STATE", "PORTS")
_STACKS = ("NAME", "SERVICES")


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
        f"{each.running}/{each.desired}",
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
            "image": short_image(each.revision.spec.task.image),
            "revision": each.revision.number,
            "state": state_word(each),
            "ports": ports(each.revision.spec),
        }
        for each in in_order(statuses)
    ]


def state_word(status: ServiceStatus) -> str:
    """Swarm's word for the update; of a service never updated `deploying`, `deployed`, `failed`."""
    if status.state is not None:
        return str(status.state)
    if status.outcome is None:
        return "deploying"
    return "deployed" if status.outcome is MarkKind.COMPLETED else str(status.outcome)


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


def stack_table(services: Mapping[str, int]) -> str:
    """`services`: stack name → how many services it has."""
    return table(_STACKS, [(name, str(services[name])) for name in sorted(services, key=natural)])


def stack_documents(services: Mapping[str, int]) -> list[dict[str, object]]:
    return [{"stack": name, "services": services[name]} for name in sorted(services, key=natural)]

"""What only one task can have, and what two services of a file, or one of them twice, ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.compose.node import Node, Report, join
from rollout.model.claims import Claim, published_twice, same_address, shared_with
from rollout.model.spec import ServiceSpec


def check_beside(root: Node, services: Iterable[ServiceSpec], report: Report) -> None:
    """Each is said where it stands for the second time."""
    seen: list[ServiceSpec] = []
    for spec in services:
        for claim in published_twice(spec):
            _report(root, spec, claim, "is published twice", report)
        for claim, other in shared_with(spec, seen):
            _report(root, spec, claim, f"is {other}'s, too", report)
        seen.append(spec)


def _report(root: Node, spec: ServiceSpec, claim: Claim, what: str, report: Report) -> None:
    service = root.entries["services"].entries[spec.name]
    path, node = [("", service), *_said(service, claim)][-1]
    report.error(
        node.mark, f"{join('services', spec.name)}{path}", f"{claim} {what}", "give it another"
    )


def _said(service: Node, claim: Claim) -> Iterator[tuple[str, Node]]:
    """Where a service asks for it, the last place last."""
    match claim.kind:
        case "port":
            number, _, protocol = claim.what.partition("/")
            for at, port in enumerate(service.items_at("ports")):
                first, _, last = str(port.get("published", default="")).partition("-")
                fits = port.get("protocol", default="tcp") == protocol
                if fits and first.isdecimal() and int(first) <= int(number) <= int(last or first):
                    yield f".ports[{at}]", port
        case "name":
            if (name := service.find("container_name")) is not None:
                yield ".container_name", name
        case _:
            for network, entry in service.entries_at("networks").items():
                for key in ("ipv4_address", "ipv6_address", "mac_address"):
                    said = entry.find(key)
                    if said is not None and same_address(str(said.value)) == claim.what:
                        yield f".networks.{network}.{key}", said

"""Networks: their definitions, and how a service is attached to them."""

from __future__ import annotations

from msgspec.structs import replace

from rollout.compose.node import Node, Report
from rollout.model.spec import Network, NetworkAttachment

_OF_THE_HOST = ("host", "none")


def read_networks(root: Node) -> dict[str, Network]:
    """The networks a project uses, by their key in the file."""
    return {key: _network(key, each) for key, each in root.entries_at("networks").items()}


def _network(key: str, node: Node) -> Network:
    return Network(
        key=key,
        name=node.get("name"),
        external=node.get("external", default=False),
        driver=node.get("driver", default=""),
        driver_opts=node.texts("driver_opts"),
        internal=node.get("internal", default=False),
        attachable=node.get("attachable", default=False),
        enable_ipv4=node.get("enable_ipv4", default=True),
        enable_ipv6=node.get("enable_ipv6", default=False),
        ipam_driver=node.get("ipam", "driver", default=""),
        ipam_options=node.texts("ipam", "options"),
        subnets=tuple(_pool(each) for each in node.items_at("ipam", "config")),
        labels=node.texts("labels"),
    )


def _pool(node: Node) -> dict[str, str | dict[str, str]]:
    said: dict[str, str | dict[str, str]] = {
        key: text for key in ("subnet", "gateway", "ip_range") if (text := node.get(key))
    }
    taken = node.texts("aux_addresses")
    return {**said, "aux_addresses": taken} if taken else said


def read_attachments(
    service: str, node: Node, networks: dict[str, Network]
) -> tuple[NetworkAttachment, ...]:
    """Where a service is attached; each network knows it by its own name first.

    In the order of their priority, as Compose connects them.
    """
    found = [
        _attachment(service, networks[key].name, each)
        for key, each in sorted(node.entries_at("networks").items())
        if not _of_the_host(networks[key])
    ]
    found.sort(key=lambda each: -each.priority)
    if found and not found[0].mac_address and (mac := node.get("mac_address")):
        found[0] = replace(found[0], mac_address=mac)
    return tuple(found)


def _attachment(service: str, name: str, node: Node) -> NetworkAttachment:
    aliases = dict.fromkeys((service, *node.strings("aliases")))
    return NetworkAttachment(
        name=name,
        aliases=tuple(aliases),
        ipv4_address=node.get("ipv4_address", default=""),
        ipv6_address=node.get("ipv6_address", default=""),
        link_local_ips=node.strings("link_local_ips"),
        mac_address=node.get("mac_address", default=""),
        driver_opts=node.texts("driver_opts"),
        priority=node.get("priority", default=0),
    )


def _of_the_host(network: Network) -> bool:
    return network.external and network.name in _OF_THE_HOST


def read_network_mode(node: Node, path: str, networks: dict[str, Network], report: Report) -> str:
    """`network_mode`; an external network `host` or `none` means the same."""
    names = list(node.entries_at("networks"))
    special = [key for key in names if _of_the_host(networks[key])]
    if special and len(names) > 1:
        what = f"the network {special[0]} cannot stand together with others"
        report.error(node.entries["networks"].at_key, f"{path}.networks", what)
    return networks[special[0]].name if special else str(node.get("network_mode", default=""))

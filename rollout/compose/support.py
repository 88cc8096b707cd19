"""What `rollout` does not do: keys it refuses with a reason, and keys it names in one warning.

A key is refused where leaving it out would make the containers something else than the file says,
and named in the warning where only a hint or a tool of Compose's is lost.  All other keys of the
schema are honoured.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollout.compose.check import replicas
from rollout.compose.grammar import NOT_YET
from rollout.compose.node import Node, Report, join, shown
from rollout.compose.short import is_file_path
from rollout.compose.values import is_image
from rollout.model.labels import is_service_name

REFUSED = {
    "cpu_count": "is for Windows",
    "cpu_percent": "is for Windows",
    "cpu_rt_period": NOT_YET,
    "cpu_rt_runtime": NOT_YET,
    "credential_spec": "is for Windows",
    "device_cgroup_rules": NOT_YET,
    "external_links": "is not supported: join a network of the other stack instead",
    "gpus": NOT_YET,
    "label_file": NOT_YET,
    "models": NOT_YET,
    "pre_start": NOT_YET,
    "provider": NOT_YET,
    "storage_opt": NOT_YET,
    "use_api_socket": NOT_YET,
    "uts": NOT_YET,
    "volumes_from": "is not supported: name the volumes of the other service instead",
    "deploy.resources.reservations.devices": NOT_YET,
    "deploy.resources.reservations.generic_resources": "needs a Swarm",
    "x-rollout.drain_timeout": NOT_YET,
    "x-rollout.gate": NOT_YET,
    "x-rollout.canary": NOT_YET,
    "x-rollout.probe": NOT_YET,
    "x-rollout.hooks": NOT_YET,
    "x-rollout.prove": NOT_YET,
    "x-rollout.ingress": NOT_YET,
}

IGNORED = (
    "annotations",
    "attach",
    "blkio_config",
    "container_name",
    "develop",
    "expose",
    "deploy.endpoint_mode",
    "deploy.placement",
    "build.additional_contexts",
    "build.cache_to",
    "build.entitlements",
    "build.isolation",
    "build.no_cache_filter",
    "build.privileged",
    "build.provenance",
    "build.sbom",
    "build.secrets",
    "build.shm_size",
    "build.ssh",
    "build.ulimits",
)
_IGNORED_PATHS = tuple((key, key.split(".")) for key in IGNORED)
_IGNORED_BELOW = {
    "networks": ("gw_priority", "interface_name"),
    "depends_on": ("restart",),
}

REFUSED_RESOURCES = {
    "networks": {"ipam.options": NOT_YET},
    "configs": {"template_driver": "needs a Swarm", "driver": "needs a Swarm"},
    "secrets": {"template_driver": "needs a Swarm", "driver": "needs a Swarm"},
}
_RESERVED = ("rollout.", "com.docker.compose.")
_PULL_POLICIES = ("always", "never", "missing", "if_not_present", "build")
_START_FIRST = "one port, one task: start-first would need it twice"


def check_support(root: Node, report: Report) -> None:
    """Refusals with their place go to the report, and one warning with what is ignored."""
    if "models" in root.entries:
        report.error(root.entries["models"].at_key, "models", NOT_YET)
    ignored: set[str] = set()
    for name, node in root.entries_at("services").items():
        if isinstance(node.value, dict):
            _Service(name, node, report).check()
            ignored.update(_ignored(node))
    for kind, keys in REFUSED_RESOURCES.items():
        for name, node in root.entries_at(kind).items():
            _refuse(node, join(kind, name), keys, report)
    if ignored:
        report.warn("ignoring unsupported options: " + ", ".join(sorted(ignored)))


def _ignored(service: Node) -> Iterator[str]:
    for key, (first, *rest) in _IGNORED_PATHS:
        if first in service.entries and service.get(first, *rest):
            yield key
    for key, below in _IGNORED_BELOW.items():
        nodes = service.entries_at(key).values()
        yield from (f"{key}.{each}" for each in below for node in nodes if node.get(each))


def _refuse(node: Node, path: str, keys: dict[str, str], report: Report) -> None:
    for key, reason in keys.items():
        first, *rest = key.split(".")
        found = node.find(first, *rest) if first in node.entries else None
        if found is not None and found.value not in (None, [], {}, False, 0):
            report.error(found.at_key, f"{path}.{key}", reason)


class _Service:
    def __init__(self, name: str, node: Node, report: Report) -> None:
        self.name = name
        self.node = node
        self.path = join("services", name)
        self.report = report

    def check(self) -> None:
        if not is_service_name(self.name):
            self.error(
                self.node, "", "the name must begin with a letter or digit and be up to 63 long"
            )
        _refuse(self.node, self.path, REFUSED, self.report)
        self.modes()
        self.values()
        self.volumes()
        self.hooks()
        self.labels()
        self.ports()
        self.addresses()

    def error(self, node: Node, key: str, message: str, hint: str = "") -> None:
        self.report.error(node.mark, f"{self.path}{key}", message, hint)

    def modes(self) -> None:
        mode = self.node.find("deploy", "mode")
        if mode is None:
            return
        if mode.value.endswith("-job"):
            self.error(mode, ".deploy.mode", NOT_YET, "use replicated or global")
        for key in (("deploy", "replicas"), ("scale",)):
            said = self.node.find(*key)
            if mode.value == "global" and said is not None:
                self.error(said, f".{'.'.join(key)}", "cannot stand together with mode: global")

    def values(self) -> None:
        if (image := self.node.find("image")) and image.value and not is_image(image.value):
            what = f"{shown(image.value)} is not an image reference"
            self.error(image, ".image", what, "use for example registry:5000/name:tag")
        if (policy := self.node.find("pull_policy")) and policy.value not in _PULL_POLICIES:
            known = ", ".join(_PULL_POLICIES)
            self.error(policy, ".pull_policy", f"{shown(policy.value)} is none of {known}")
        if (isolation := self.node.find("isolation")) and isolation.value != "default":
            self.error(isolation, ".isolation", "is for Windows")
        for link in self.node.items_at("links"):
            service, _, alias = str(link.value).partition(":")
            if alias and alias != service:
                hint = f"give {service} the network alias {alias}"
                self.error(link, ".links", "another name for a service is not supported", hint)

    def volumes(self) -> None:
        for number, volume in enumerate(self.node.items_at("volumes")):
            at, kind = f".volumes[{number}]", volume.get("type")
            target, source = volume.get("target", default=""), volume.get("source", default="")
            if kind not in ("bind", "volume", "tmpfs", None):
                self.error(volume, at, f"a volume of type {kind} {NOT_YET}")
            if not target.startswith("/"):
                what = f"{shown(target)} is not an absolute path in the container"
                hint = "a name has more than one letter" if target[1:2] == ":" else ""
                self.error(volume, at, what, hint)
            if kind == "bind" and (not source or not is_file_path(source)):
                self.error(volume, at, "a bind needs a source path")
            if volume.find("bind", "recursive"):
                self.error(volume, f"{at}.bind.recursive", NOT_YET)

    def hooks(self) -> None:
        for key in ("post_start", "pre_stop"):
            for number, hook in enumerate(self.node.items_at(key)):
                for extra in ("user", "privileged", "working_dir", "environment"):
                    if hook.find(extra):
                        self.error(hook, f".{key}[{number}].{extra}", NOT_YET)

    def labels(self) -> None:
        for keys in (("labels",), ("deploy", "labels")):
            for label, value in self.node.entries_at(*keys).items():
                if label.startswith(_RESERVED):
                    self.error(value, "." + ".".join((*keys, label)), "is a reserved label")

    def ports(self) -> None:
        """A fixed port is one task's at a time."""
        wanted = replicas(self.node)
        for number, port in enumerate(self.node.items_at("ports")):
            first, _, last = str(port.get("published", default="")).partition("-")
            if not first or int(first) == 0:
                continue
            count = int(last or first) - int(first) + 1
            if count < wanted:
                ports = "one port, one task" if count == 1 else f"{count} ports, {count} tasks"
                what = f"{ports}: the service has {wanted} replicas"
                hint = f"publish a range of {wanted}, or leave the published port out"
                self.error(port, f".ports[{number}]", what, hint)
            self.start_first(_START_FIRST)
        if self.node.get("network_mode") == "host" and wanted > 1:
            self.report.warn(f"{self.path}: {wanted} replicas share the host's network and ports")

    def addresses(self) -> None:
        """A fixed address, too."""
        for name, network in self.node.entries_at("networks").items():
            for key in ("ipv4_address", "ipv6_address", "mac_address"):
                address = network.find(key)
                if address is None:
                    continue
                self.start_first("one address, one task: start-first would need it twice")
                if replicas(self.node) > 1:
                    what = f"one address, one task: the service has {replicas(self.node)} replicas"
                    self.error(address, f".networks.{name}.{key}", what)

    def start_first(self, why: str) -> None:
        for key in ("update_config", "rollback_config"):
            order = self.node.find("deploy", key, "order")
            if order is not None and order.value == "start-first":
                self.error(order, f".deploy.{key}.order", why, "use stop-first")

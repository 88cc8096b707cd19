"""What `rollout` does not do: keys it refuses with a reason, and keys it names in one warning.

A key is refused where leaving it out would make the containers something else than the file says,
and named in the warning where only a hint or a tool of Compose's is lost.  All other keys of the
schema are honoured.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from rollout.compose.check import replicas
from rollout.compose.grammar import NOT_YET
from rollout.compose.node import BAD, Node, Report, join, shown
from rollout.compose.read_files import file_target
from rollout.compose.short import is_file_path
from rollout.compose.values import is_image
from rollout.model.labels import is_service_name
from rollout.model.placement import CONSTRAINT

REFUSED = {
    "cpu_count": "is for Windows",
    "cpu_percent": "is for Windows",
    "credential_spec": "is for Windows",
    "models": "is not supported: there is no model runner on a plain engine",
    "pre_start": "is not supported: use a service that others wait for with depends_on",
    "provider": "is not supported: it runs a program of Compose's",
    "use_api_socket": "is not supported: mount the engine's socket",
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
    "attach",
    "develop",
    "deploy.placement.preferences",
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
IGNORED_BELOW = {
    "networks": ("gw_priority", "interface_name"),
    "ports": ("name", "app_protocol"),
}
IGNORED_RESOURCES = {
    "configs": ("labels", "driver_opts"),
    "secrets": ("labels", "driver_opts"),
}

REFUSED_RESOURCES = {
    "configs": {"template_driver": "needs a Swarm", "driver": "needs a Swarm"},
    "secrets": {"template_driver": "needs a Swarm", "driver": "needs a Swarm"},
}
_RESERVED = ("rollout.", "com.docker.compose.")
_PULL_POLICIES = ("always", "never", "missing", "if_not_present", "build")
_MODES = {
    "ipc": ("none", "private", "shareable", "host", "service:", "container:"),
    "pid": ("host", "service:", "container:"),
    "userns_mode": ("host",),
    "uts": ("host",),
}
"""What `service:` begins goes on with a name."""
_EXPOSED = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(?:tcp|udp|sctp))?", re.ASCII)
_MOST_PORTS = 65535
_VOLUME_KINDS = {
    "npipe": "is for Windows",
    "cluster": "needs a Swarm",
    "image": "is not supported: copy from it when building",
}
_RECURSIVE = ("enabled", "disabled", "writable", "readonly")
_KNOWN_FACTS = ("node.id", "node.hostname", "node.role", "node.platform.os", "node.platform.arch")
_START_FIRST = "one port, one task: start-first would need it twice"


def check_support(root: Node, report: Report) -> None:
    """Refusals with their place go to the report, and one warning with what is ignored."""
    if "models" in root.entries:
        report.error(root.entries["models"].at_key, "models", REFUSED["models"])
    ignored: set[str] = set()
    for name, node in root.entries_at("services").items():
        if isinstance(node.value, dict):
            _Service(name, node, report).check()
            ignored.update(_ignored(node))
    for kind, refused in REFUSED_RESOURCES.items():
        for name, node in root.entries_at(kind).items():
            _refuse(node, join(kind, name), refused, report)
    for kind, keys in IGNORED_RESOURCES.items():
        nodes = root.entries_at(kind).values()
        ignored.update(f"{kind}.{key}" for key in keys for node in nodes if node.entries_at(key))
    if ignored:
        report.warn("ignoring unsupported options: " + ", ".join(sorted(ignored)))


def _ignored(service: Node) -> Iterator[str]:
    for key, (first, *rest) in _IGNORED_PATHS:
        said = service.get(first, *rest) if first in service.entries else None
        if said or (key == "attach" and said is False):
            yield key
    for key, below in IGNORED_BELOW.items():
        nodes = (*service.entries_at(key).values(), *service.items_at(key))
        written = [node for node in nodes if node.key or service.items_at(key)]
        yield from (f"{key}.{each}" for each in below for node in written if node.get(each))
    if service.get("deploy", "endpoint_mode") not in (None, "dnsrr"):
        yield "deploy.endpoint_mode"
    for constraint in service.strings("deploy", "placement", "constraints"):
        match = CONSTRAINT.fullmatch(constraint)
        if match and not (match[1] in _KNOWN_FACTS or match[1].startswith("engine.labels.")):
            yield f"deploy.placement.constraints ({match[1]})"


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
        self.files()
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
            what = "is not supported: a task that ends is no service"
            self.error(mode, ".deploy.mode", what, "use replicated or global")
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
        for key, modes in _MODES.items():
            mode = self.node.find(key)
            if mode is not None and mode.value and not _is_mode(mode.value, modes):
                allowed = ", ".join(f"{each}NAME" if each[-1] == ":" else each for each in modes)
                self.error(mode, f".{key}", f"{shown(mode.value)} is none of {allowed}")
        for number, port in enumerate(self.node.items_at("expose")):
            if not _is_exposed(str(port.value)):
                what = f"{shown(port.value)} is not a port"
                self.error(port, f".expose[{number}]", what, "write for example 80 or 80/udp")
        for number, rule in enumerate(self.node.items_at("deploy", "placement", "constraints")):
            if rule.tag != BAD and CONSTRAINT.fullmatch(rule.value) is None:
                what, at = f"{shown(rule.value)} is not a constraint", ".deploy.placement"
                hint = "write for example node.hostname==web1"
                self.error(rule, f"{at}.constraints[{number}]", what, hint)

    def volumes(self) -> None:
        for number, volume in enumerate(self.node.items_at("volumes")):
            at, kind = f".volumes[{number}]", volume.get("type")
            target, source = volume.get("target", default=""), volume.get("source", default="")
            if kind in _VOLUME_KINDS:
                self.error(volume, at, f"a volume of type {kind} {_VOLUME_KINDS[kind]}")
            if not target.startswith("/"):
                what = f"{shown(target)} is not an absolute path in the container"
                hint = "a name has more than one letter" if target[1:2] == ":" else ""
                self.error(volume, at, what, hint)
            fresh = self.node.get("x-rollout", "anonymous_volumes") == "fresh"
            if kind == "volume" and not source and not fresh:
                self.start_first(
                    f"two tasks would write the volume without a name at {target}",
                    "use stop-first, or give the volume a name, or write "
                    "`x-rollout: {anonymous_volumes: fresh}` where it holds nothing worth keeping",
                )
            if kind == "bind" and (not source or not is_file_path(source)):
                self.error(volume, at, "a bind needs a source path")
            recursive = volume.find("bind", "recursive")
            if recursive is not None and recursive.value not in _RECURSIVE:
                what = f"{shown(recursive.value)} is none of {', '.join(_RECURSIVE)}"
                self.error(recursive, f"{at}.bind.recursive", what)

    def files(self) -> None:
        """Configs and secrets are put into each task's own container, by number."""
        mounted = {
            str(each.get("target", default="")).rstrip("/"): (
                str(each.get("type")),
                bool(each.get("read_only")),
            )
            for each in self.node.items_at("volumes")
        }
        mounted |= {
            str(each.value).partition(":")[0].rstrip("/"): ("tmpfs", False)
            for each in self.node.items_at("tmpfs")
        }
        for kind, number, file in self.files_at():
            at = f".{kind}[{number}]"
            for key in ("uid", "gid"):
                said = file.find(key)
                if said is not None and not (said.value.isascii() and said.value.isdigit()):
                    what = f"{shown(said.value)} is not a user or group id"
                    self.error(said, f"{at}.{key}", what, "use a number")
            target = posixpath.normpath(file_target(kind, file))
            if self.node.get("read_only") and posixpath.dirname(target) == "/":
                what = "lies directly under a root that is read-only"
                self.error(file, at, what, "give it a folder, for example /run/secrets")
            for folder, (type_, read_only) in mounted.items():
                # What lies below a tmpfs gets a volume of its own, what lies in it cannot.
                hidden = posixpath.dirname(target) if type_ == "tmpfs" else target
                below = type_ != "tmpfs" and target.startswith(folder + "/")
                if hidden == folder:
                    what = f"would be hidden by what is mounted at {folder}"
                    self.error(file, at, what, "give it a target elsewhere")
                elif below and read_only:
                    what = f"lies in what is mounted read-only at {folder}"
                    self.error(file, at, what, "give it a target elsewhere")
                elif below:
                    self.start_first(
                        f"{kind}[{number}] lies in what is mounted at {folder}: it would change "
                        "under the task that still runs",
                        "use stop-first, or give it a target elsewhere",
                    )

    def files_at(self) -> Iterator[tuple[str, int, Node]]:
        for kind in ("configs", "secrets"):
            for number, file in enumerate(self.node.items_at(kind)):
                yield kind, number, file

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

    def start_first(self, why: str, hint: str = "use stop-first") -> None:
        for key in ("update_config", "rollback_config"):
            order = self.node.find("deploy", key, "order")
            if order is not None and order.value == "start-first":
                self.error(order, f".deploy.{key}.order", why, hint)


def _is_mode(said: str, known: tuple[str, ...]) -> bool:
    return any(
        said == each or (each[-1] == ":" and said.startswith(each) and said != each)
        for each in known
    )


def _is_exposed(said: str) -> bool:
    match = _EXPOSED.fullmatch(said)
    if match is None:
        return False
    first, last = int(match[1]), int(match[2] or match[1])
    return 0 < first <= last <= _MOST_PORTS

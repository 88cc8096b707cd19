"""What must fit together in a project, as Compose checks it: names that are used are defined, keys
that exclude each other do not stand together, two keys for the same thing agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rollout.compose.node import BAD, Mark, Node, Report, cycle, join, shown, suggest

_TESTS = ("CMD", "CMD-SHELL", "NONE")
_SAME = (
    (("cpus",), ("deploy", "resources", "limits", "cpus")),
    (("mem_limit",), ("deploy", "resources", "limits", "memory")),
    (("pids_limit",), ("deploy", "resources", "limits", "pids")),
    (("mem_reservation",), ("deploy", "resources", "reservations", "memory")),
    (("scale",), ("deploy", "replicas")),
)
"""Two ways to say one thing: where there are limits, they say the same, as Compose wants it."""

SOURCES = ("file", "environment", "content")
"""Where the content of a config or secret may come from."""


def replicas(service: Node) -> int:
    """How many tasks the file asks for."""
    said = service.get("scale", default=service.get("deploy", "replicas", default=1))
    return 1 if service.get("deploy", "mode") == "global" else int(said)


def check(root: Node, disabled: Iterable[str], report: Report) -> None:
    """`disabled` are services that no active profile enables."""
    off = frozenset(disabled)
    services = root.entries_at("services")
    if not services and not off and not report.errors:
        report.error(Mark(root.mark.file), "services", "is empty: there is nothing to run")
    for name, service in services.items():
        if isinstance(service.value, dict):
            _Service(root, name, service, off, report).check()
    _resources(root, report)
    depends = {
        name: sorted(service.entries_at("depends_on").keys() & services.keys())
        for name, service in services.items()
    }
    if found := cycle(depends):
        mark = services[found[0]].entries["depends_on"].at_key
        path = f"services.{found[0]}.depends_on"
        report.error(mark, path, f"goes in a circle: {' → '.join(found)}")


def _resources(root: Node, report: Report) -> None:
    for kind in ("configs", "secrets"):
        for name, node in root.entries_at(kind).items():
            said = [key for key in SOURCES if key in node.entries]
            if node.tag != BAD and len(said) != 1 and not node.get("external"):
                what = "needs one of file, environment and content"
                more = f", not {len(said)}" if said else ""
                report.error(node.at_key, join(kind, name), what + more)
    for name, node in root.entries_at("volumes").items():
        if node.get("external"):
            for key, other in node.entries.items():
                if key not in ("name", "external") and not key.startswith("x-"):
                    path = f"{join('volumes', name)}.{key}"
                    report.error(other.at_key, path, "cannot stand together with external")


class _Service:
    def __init__(
        self, root: Node, name: str, node: Node, disabled: frozenset[str], report: Report
    ) -> None:
        self.root = root
        self.node = node
        self.path = join("services", name)
        self.disabled = disabled
        self.report = report

    def check(self) -> None:
        image = self.node.entries.get("image")
        others = {"build", "provider", "extends"}  # what still extends has been reported
        if (image is None or image.value == "") and not others & self.node.entries.keys():
            self.error(self.node.at_key, "", "has neither an image nor a build", "add image:")
        self.exclusive()
        self.health()
        self.same()
        self.names()
        self.dependencies()
        self.targets()

    def error(self, mark: Mark, key: str, message: str, hint: str = "") -> None:
        self.report.error(mark, f"{self.path}{key}", message, hint)

    def exclusive(self) -> None:
        mode = self.node.find("network_mode")
        if mode is not None and self.node.entries_at("networks"):
            self.error(mode.at_key, ".network_mode", "cannot stand together with networks")
        inline = self.node.find("build", "dockerfile_inline")
        if inline is not None and self.node.get("build", "dockerfile"):
            where = ".build.dockerfile_inline"
            self.error(inline.at_key, where, "cannot stand together with dockerfile")
        for number, watch in enumerate(self.node.items_at("develop", "watch")):
            if watch.get("path") == "":
                self.error(watch.mark, f".develop.watch[{number}].path", "is empty")
            if not watch.get("target") and "sync" in watch.get("action", default=""):
                self.error(watch.mark, f".develop.watch[{number}]", "target is missing")
        platforms = self.node.strings("build", "platforms")
        platform = self.node.find("platform")
        if platform is not None and platforms and platform.value not in platforms:
            self.error(platform.mark, ".platform", "is none of build.platforms")
        name = self.node.find("container_name")
        if name is not None and replicas(self.node) > 1:
            why = f"cannot be shared by {replicas(self.node)} replicas"
            self.error(name.mark, ".container_name", why, "leave it out")

    def health(self) -> None:
        test = self.node.find("healthcheck", "test")
        if test is not None and test.items and test.items[0].value not in _TESTS:
            first = test.items[0]
            hint = "or write it as one text"
            what = f"must begin with CMD, CMD-SHELL or NONE, not {shown(first.value)}"
            self.error(first.mark, ".healthcheck.test", what, hint)

    def same(self) -> None:
        for one, other in _SAME:
            first, second = self.node.find(*one), self.node.find(*other)
            beside = self.node.find(*other[:-1])
            if not first or not first.value or not beside or (second is None and len(other) < 3):
                continue
            if second is None or str(first.value) != str(second.value):
                key = "." + ".".join(one)
                hint = "say it once" if second is not None else "say it there"
                self.error(first.mark, key, f"differs from {'.'.join(other)}", hint)

    def names(self) -> None:
        """Networks, volumes, configs and secrets that are used are defined."""
        for number, volume in enumerate(self.node.items_at("volumes")):
            if volume.get("type") == "bind" and "source" not in volume.entries:
                self.error(volume.mark, f".volumes[{number}]", "a bind needs a source path")
        for name, node in self.node.entries_at("networks").items():
            self.defined("networks", name, node.at_key, f".networks.{name}")
        for kind in ("volumes", "configs", "secrets"):
            for number, item in enumerate(self.node.items_at(kind)):
                source = item.find("source")
                named = kind != "volumes" or (item.get("type") == "volume" and item.get("source"))
                if source is None or not named:
                    continue
                self.defined(kind, source.value, source.mark, f".{kind}[{number}]")
        for number, item in enumerate(self.node.items_at("build", "secrets")):
            if (source := item.find("source")) is not None:
                self.defined("secrets", source.value, source.mark, f".build.secrets[{number}]")

    def defined(self, kind: str, name: Any, mark: Mark, key: str) -> None:
        known = self.root.entries.get(kind)
        names = known.entries if known else {}
        if name in names or (known and known.tag == BAD):
            return
        what = kind.removesuffix("s")
        hint = suggest(name, names) or f"add it under {kind}:"
        self.error(mark, key, f"the {what} {shown(name)} is not defined", hint)

    def dependencies(self) -> None:
        services = self.root.entries["services"].entries
        for name, node in self.node.entries_at("depends_on").items():
            if name in services or (name in self.disabled and not node.get("required")):
                continue
            why = "is not enabled by a profile" if name in self.disabled else "is not defined"
            hint = suggest(name, services)
            self.error(node.at_key, f".depends_on.{name}", f"the service {why}", hint)
        for key, node in self.node.entries_at("build", "additional_contexts").items():
            kind, _, name = str(node.value).partition(":")
            if kind == "service" and (services.get(name) or self.root).find("build") is None:
                what = f"the service {shown(name)} is not one that is built"
                self.error(node.mark, f".build.additional_contexts.{key}", what)
        for key, node in self.shared():
            kind, _, name = node.value.partition(":")
            if kind == "service" and name.partition(":")[0] not in services:
                hint = suggest(name, services)
                what = f"the service {shown(name)} is not defined"
                self.error(node.mark, key, what, hint)

    def shared(self) -> Iterator[tuple[str, Node]]:
        """What is shared with, or known of, another service: `service:NAME`."""
        for key in ("network_mode", "pid", "ipc", "uts"):
            if (node := self.node.find(key)) is not None:
                yield f".{key}", node
        for key in ("links", "volumes_from"):
            for number, node in enumerate(self.node.items_at(key)):
                name = node.value
                if node.tag != BAD and not (key == "volumes_from" and name[:10] == "container:"):
                    yield f".{key}[{number}]", node.of(f"service:{name}")

    def targets(self) -> None:
        """Nothing is mounted where something else already is."""
        seen: dict[str, str] = {}
        for key in ("tmpfs", "volumes"):
            for number, item in enumerate(self.node.items_at(key)):
                target = item.value if key == "tmpfs" else item.get("target", default="")
                path = str(target).partition(":")[0] if key == "tmpfs" else target
                at = f".{key}[{number}]"
                if path and path in seen:
                    self.error(item.mark, at, f"{shown(path)} is already mounted by {seen[path]}")
                seen[path] = at.lstrip(".")

"""Fills in what a project leaves unsaid: names, the default network, whole paths, environments.

What comes out is the normal form that `config` prints and that the model is read from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from rollout.compose.env_files import from_files, from_outside
from rollout.compose.node import BAD, Mark, Node, Report, join
from rollout.compose.paths import Paths, resolve
from rollout.compose.settings import is_on

SECRETS = "/run/secrets"
_DROPPED = ("version",)
_FILES_OF = {"environment": "env_file", "labels": "label_file"}


class Project(Struct, frozen=True):
    """What a file is read against."""

    name: str
    folder: Path
    """Relative paths start here."""
    environ: Mapping[str, str]
    """Variables: the process's, and those of `.env`."""

    @property
    def home(self) -> str:
        return self.environ.get("HOME", "/root")

    @property
    def compatible(self) -> bool:
        """Names as Compose 1 made them."""
        return is_on(self.environ, "COMPOSE_COMPATIBILITY")

    def path(self, written: str) -> str:
        """A path as the engine's host is told it; `~` is the caller's home."""
        return Paths(self.folder, self.home).whole(written)


def complete(
    root: Node,
    project: Project,
    report: Report,
    *,
    read: Collection[str] = ("env_file", "label_file"),
) -> Node:
    """The project as Compose means it; what cannot be read goes to the report.

    `read`: which keys' files of variables are read; the others keep the files' names.
    """
    place = Mark(root.mark.file)
    root = resolve(fill(root, project.environ), Paths(project.folder, project.home))
    entries = {key: node for key, node in root.entries.items() if key not in _DROPPED}
    entries["name"] = Node(project.name, place)
    if (services := root.find("services")) is not None:
        filled = {
            key: _with_implied(
                _service(service, join("services", key), project, report, read),
                services.entries,
            )
            for key, service in services.entries.items()
        }
        entries["services"] = services.of(filled)
        entries = _with_default_network(entries, filled.values(), place)
    for kind in ("networks", "volumes", "secrets", "configs"):
        if kind in entries and entries[kind].tag != BAD:
            entries[kind] = _resources(entries[kind], project, empty=kind != "volumes")
    return root.of(entries)


def fill(root: Node, environ: Mapping[str, str]) -> Node:
    """With the values that Compose takes where a file says none; filling twice does no harm."""
    services = root.find("services")
    if services is None:
        return root
    filled = {key: _defaults(each, environ) for key, each in services.entries.items()}
    return root.of({**root.entries, "services": services.of(filled)})


def _defaults(node: Node, environ: Mapping[str, str]) -> Node:
    if not isinstance(node.value, dict):
        return node
    entries = dict(node.value)
    if (said := entries.get("environment")) is not None:
        entries["environment"] = from_outside(said, environ, listed=True)
    _each(entries, "ports", lambda port: _with(port, mode="ingress", protocol="tcp"))
    _each(entries, "secrets", _secret)
    if (build := entries.get("build")) and build.tag != BAD:
        entries["build"] = _with(build, context=".")
    if wanted := entries.get("depends_on"):
        filled = {
            key: _with(each, condition="service_started", required=True)
            for key, each in wanted.entries.items()
        }
        entries["depends_on"] = wanted if wanted.tag == BAD else wanted.of(filled)
    return node.of(entries)


def _with_default_network(
    entries: dict[str, Node], services: Iterable[Node], place: Mark
) -> dict[str, Node]:
    used = any("default" in (each.find("networks") or each).entries for each in services)
    networks = entries.get("networks") or Node({}, place)
    if not used or networks.tag == BAD or "default" in networks.entries:
        return entries
    with_default = {**networks.entries, "default": Node(None, place)}
    return {**entries, "networks": networks.of(with_default)}


def _service(
    node: Node, path: str, project: Project, report: Report, read: Collection[str]
) -> Node:
    if not isinstance(node.value, dict):
        return node
    entries = dict(node.value)
    if "network_mode" not in entries and "provider" not in entries:
        networks = entries.get("networks") or Node({}, node.mark)
        if not networks.entries and networks.tag != BAD:
            entries["networks"] = networks.of({"default": Node(None, networks.mark)})
    for key, file_key in _FILES_OF.items():
        files = entries.pop(file_key, None) if file_key in read else None
        said = entries.get(key) or Node({}, node.mark)
        outside = project.environ if key == "environment" else {}
        found = from_files(files, f"{path}.{file_key}", outside, report)
        if said.tag != BAD and (found or said.entries):
            entries[key] = said.of({**found, **from_outside(said, outside).entries})
    if (build := entries.get("build")) and build.tag != BAD:
        entries["build"] = _build(build, project)
    scale, deploy = node.find("scale"), node.find("deploy")
    if scale is not None and deploy is not None and "replicas" not in deploy.entries:
        entries["deploy"] = deploy.of({**deploy.entries, "replicas": scale})
    return node.of(entries)


def _with_implied(node: Node, services: Mapping[str, Node]) -> Node:
    """What a service shares something with is started before it."""
    wanted = node.entries.get("depends_on") or Node({}, node.mark)
    found = dict(wanted.entries)
    for name, said, restart in _shared(node):
        if name in services and name not in found:
            found[name] = Node(_started(said, restart=restart), said.mark)
    unchanged = len(found) == len(wanted.entries) or wanted.tag == BAD
    return node if unchanged else node.of({**node.entries, "depends_on": wanted.of(found)})


def _shared(node: Node) -> Iterator[tuple[str, Node, bool]]:
    """A name, where it is said, and whether a restart of that one means a restart of this one."""
    for link in _texts(node, "links"):
        yield link.value.partition(":")[0], link, True
    for key in ("network_mode", "ipc", "pid", "uts"):
        kind, _, name = str(node.get(key)).partition(":")
        if kind == "service":
            yield name, node.entries[key], True
    for source in _texts(node, "volumes_from"):
        if not source.value.startswith("container:"):
            yield source.value.partition(":")[0], source, False


def _texts(node: Node, key: str) -> list[Node]:
    return [each for each in node.items_at(key) if each.tag != BAD]


def _started(said: Node, *, restart: bool) -> dict[str, Node]:
    values = {"condition": "service_started", "restart": restart, "required": True}
    return {key: Node(value, said.mark) for key, value in values.items()}


def _each(entries: dict[str, Node], key: str, fill: Callable[[Node], Node]) -> None:
    if (node := entries.get(key)) and node.tag != BAD:
        entries[key] = node.of([each if each.tag == BAD else fill(each) for each in node.items])


def _with(node: Node, **defaults: Any) -> Node:
    missing = {k: Node(v, node.mark) for k, v in defaults.items() if k not in node.entries}
    return node if node.tag == BAD else node.of({**node.entries, **missing})


def _secret(node: Node) -> Node:
    return _with(node, target=f"{SECRETS}/{node.get('source', default='')}")


def _build(node: Node, project: Project) -> Node:
    entries = dict(node.entries)
    if not {"dockerfile", "dockerfile_inline"} & entries.keys():
        entries["dockerfile"] = Node("Dockerfile", node.mark)
    if (args := node.find("args")) is not None:
        values = {
            key: each.of(project.environ.get(key)) if each.value is None else each
            for key, each in args.entries.items()
        }
        entries["args"] = args.of({k: each for k, each in values.items() if each.value is not None})
    return node.of(entries)


def named(root: Node, project: Project) -> Node:
    """Every network, config and secret with a name on the engine: one that is written and empty is
    as if it were not there.  Compose prints it so all the same."""
    entries = dict(root.entries)
    for kind in ("networks", "secrets", "configs"):
        if kind in entries:
            entries[kind] = _resources(entries[kind], project, empty=False)
    return root.of(entries)


def _resources(kind: Node, project: Project, *, empty: bool) -> Node:
    """Every one with its name on the engine; `empty`: one that is written and empty stays so."""
    return kind.of(
        {
            key: node if node.tag == BAD else _resource(key, node, project, empty)
            for key, node in kind.entries.items()
        }
    )


def _resource(key: str, node: Node, project: Project, empty: bool) -> Node:
    entries = dict(node.entries)
    said = node.get("name")
    if not said and not (empty and said == ""):
        name = key if node.get("external") else f"{project.name}_{key}"
        entries["name"] = Node(name, node.mark)
    return node.of(entries)


def used_only(root: Node) -> Node:
    """Without the networks, volumes, configs and secrets that no service uses."""
    services = root.entries_at("services").values()
    entries = dict(root.entries)
    for kind in ("networks", "volumes", "secrets", "configs"):
        if (node := root.find(kind)) is None:
            continue
        used = {name for service in services for name in _uses(service, kind)}
        kept = {key: each for key, each in node.entries.items() if key in used}
        entries[kind] = node.of(kept)
    return root.of(entries)


def _uses(service: Node, kind: str) -> list[str]:
    built = service.items_at("build", "secrets") if kind == "secrets" else []
    node = service.find(kind)
    if node is None and not built:
        return []
    node = node or service.of([])
    if kind == "volumes":
        return [str(each.get("source")) for each in node.items if each.get("type") == "volume"]
    if kind == "networks":
        return list(node.entries)
    return [str(each.get("source", default="")) for each in (*node.items, *built)]

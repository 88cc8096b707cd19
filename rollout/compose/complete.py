"""Fills in what a project leaves unsaid: names, the default network, whole paths, environments.

What comes out is the normal form that `config` prints and that the model is read from.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from rollout.compose.environment import load_env_file
from rollout.compose.node import BAD, Mark, Node, Report, join, shown
from rollout.compose.paths import Paths, resolve
from rollout.errors import FileError

SECRETS = "/run/secrets"
_DROPPED = ("version",)


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

    def path(self, written: str) -> str:
        """A path as the engine's host is told it; `~` is the caller's home."""
        return Paths(self.folder, self.home).whole(written)


def complete(root: Node, project: Project, report: Report) -> Node:
    """The project as Compose means it; what cannot be read goes to the report."""
    place = Mark(root.mark.file)
    root = resolve(fill(root, project.environ), Paths(project.folder, project.home))
    entries = {key: node for key, node in root.entries.items() if key not in _DROPPED}
    entries["name"] = Node(project.name, place)
    if (services := root.find("services")) is not None:
        filled = {
            key: _service(service, join("services", key), project, report)
            for key, service in services.entries.items()
        }
        entries["services"] = services.of(filled)
        entries = _with_default_network(entries, filled.values(), place)
    for kind in ("networks", "volumes", "secrets", "configs"):
        if kind in entries and entries[kind].tag != BAD:
            entries[kind] = _resources(entries[kind], project)
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
        entries["environment"] = _from_outside(said, environ)
    _each(entries, "ports", lambda port: _with(port, mode="ingress", protocol="tcp"))
    _each(entries, "secrets", _secret)
    if (build := entries.get("build")) and build.tag != BAD:
        entries["build"] = _with(build, context=".")
    if wanted := entries.get("depends_on"):
        filled = {key: _with(each, required=True) for key, each in wanted.entries.items()}
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


def _service(node: Node, path: str, project: Project, report: Report) -> Node:
    if not isinstance(node.value, dict):
        return node
    entries = dict(node.value)
    if "network_mode" not in entries and "provider" not in entries:
        networks = entries.get("networks") or Node({}, node.mark)
        if not networks.entries and networks.tag != BAD:
            entries["networks"] = networks.of({"default": Node(None, networks.mark)})
    files = entries.pop("env_file", None)
    said = entries.get("environment") or Node({}, node.mark)
    if said.tag != BAD and (found := _environment(said, files, path, project, report)):
        entries["environment"] = said.of(found)
    if (build := entries.get("build")) and build.tag != BAD:
        entries["build"] = _build(build, project)
    return node.of(entries)


def _each(entries: dict[str, Node], key: str, fill: Callable[[Node], Node]) -> None:
    if (node := entries.get(key)) and node.tag != BAD:
        entries[key] = node.of([each if each.tag == BAD else fill(each) for each in node.items])


def _with(node: Node, **defaults: Any) -> Node:
    missing = {k: Node(v, node.mark) for k, v in defaults.items() if k not in node.entries}
    return node if node.tag == BAD else node.of({**node.entries, **missing})


def _environment(
    said: Node, files: Node | None, path: str, project: Project, report: Report
) -> dict[str, Node]:
    """`env_file`s in their order, then `environment`; a name without a value takes ours."""
    found: dict[str, Node] = {}
    for number, file in enumerate(files.items if files else ()):
        at = f"{path}.env_file[{number}]"
        variables = _from_file(file, at, project, found, report)
        found.update({key: Node(value, file.mark) for key, value in variables.items()})
    return {**found, **_from_outside(said, project.environ).entries}


def _from_outside(said: Node, environ: Mapping[str, str]) -> Node:
    """A name without a value takes the one it has outside."""
    if not isinstance(said.value, dict):
        return said
    return said.of(
        {
            key: node.of(environ.get(key)) if node.value is None and node.tag != BAD else node
            for key, node in said.value.items()
        }
    )


def _from_file(
    file: Node, path: str, project: Project, before: Mapping[str, Node], report: Report
) -> dict[str, str]:
    def lookup(key: str) -> str | None:
        earlier = before[key].value if key in before else None
        return project.environ.get(key, earlier)

    written, form = file.get("path"), file.get("format")
    if not isinstance(written, str):
        return {}
    where = written
    if not file.get("required", default=True) and not os.path.exists(where):  # noqa: PTH110  never raises
        return {}
    if form not in (None, "raw"):
        report.error(file.mark, join(path, "format"), f"{shown(form)} is not known", "use raw")
        return {}
    try:
        return load_env_file(Path(where), lookup, raw=form is not None)
    except FileError as error:
        line = f" line {error.line}" if error.line else ""
        report.error(file.mark, path, f"env file {where}{line}: {error.message}")
        return {}


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


def _resources(kind: Node, project: Project) -> Node:
    """Every one with its name on the engine, files with whole paths."""
    return kind.of(
        {
            key: node if node.tag == BAD else _resource(key, node, project)
            for key, node in kind.entries.items()
        }
    )


def _resource(key: str, node: Node, project: Project) -> Node:
    entries = dict(node.entries)
    if not node.get("name"):
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
    node = service.find(kind)
    if node is None:
        return []
    if kind == "networks":
        return list(node.entries)
    return [str(each.get("source", default="")) for each in node.items]

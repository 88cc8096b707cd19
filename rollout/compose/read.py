"""A project in normal form → the model: services, networks, volumes, contents, builds.

Everything is in a fixed order, so that reading the same file twice gives the same stack, byte for
byte.
"""

from __future__ import annotations

from collections.abc import Collection

from rollout.compose.complete import Project
from rollout.compose.node import Node, Report, join
from rollout.compose.parts import Parts
from rollout.compose.read_files import Contents
from rollout.compose.read_mounts import read_volumes
from rollout.compose.read_networks import read_networks
from rollout.compose.read_task import hosts, image_name, read_task
from rollout.compose.read_update import read_update, says_restart
from rollout.model.spec import Mode, ServiceSpec
from rollout.model.stack import Build, Stack
from rollout.model.units import parse_duration

_DEADLINE = "10m"
_COMPLETED = "service_completed_successfully"


def read(root: Node, project: Project, report: Report) -> Stack:
    """What is wrong goes to the report; the stack is good only if nothing was."""
    parts = Parts(
        project=project,
        networks=read_networks(root),
        volumes=read_volumes(root),
        contents=Contents(root, project, report),
        report=report,
        completes=_completing(root),
    )
    services = dict(sorted(root.entries_at("services").items()))
    specs = tuple(_service(name, node, services, parts) for name, node in services.items())
    builds = {
        name: _build(build)
        for name, node in services.items()
        if (build := node.find("build")) is not None
    }
    return Stack(
        name=project.name,
        services=specs,
        networks=tuple(parts.networks[key] for key in sorted(parts.networks)),
        volumes=tuple(parts.volumes[key] for key in sorted(parts.volumes)),
        builds=builds,
        contents=parts.contents.found,
        warnings=tuple(report.warnings),
    )


def _service(name: str, node: Node, services: Collection[str], parts: Parts) -> ServiceSpec:
    volumes = {
        each.get("source") for each in node.items_at("volumes") if each.get("type") == "volume"
    }
    replicas = node.get("scale", default=node.get("deploy", "replicas", default=1))
    deadline = node.get("x-rollout", "progress_deadline", default=_DEADLINE)
    return ServiceSpec(
        name=name,
        task=read_task(name, node, join("services", name), parts),
        completes=name in parts.completes,
        restart_said=says_restart(node),
        mode=Mode(node.get("deploy", "mode", default="replicated")),
        replicas=replicas,
        labels=node.texts("deploy", "labels"),
        update=read_update(node.find("deploy", "update_config")),
        rollback=read_update(node.find("deploy", "rollback_config")),
        progress_deadline_s=parse_duration(deadline),
        networks=tuple(parts.networks[key] for key in sorted(node.entries_at("networks"))),
        volumes=tuple(parts.volumes[key] for key in sorted(parts.volumes.keys() & volumes)),
        depends_on=_depends_on(node, services),
        restarts_with=_restarts_with(node, services),
        constraints=node.strings("deploy", "placement", "constraints"),
        max_per_node=node.get("deploy", "placement", "max_replicas_per_node", default=0),
        image=image_name(name, node, parts.project),
    )


def _completing(root: Node) -> frozenset[str]:
    """Services that others wait for to complete."""
    return frozenset(
        name
        for service in root.entries_at("services").values()
        for name, each in service.entries_at("depends_on").items()
        if each.get("condition") == _COMPLETED
    )


def _depends_on(node: Node, names: Collection[str]) -> dict[str, str]:
    """Service → condition; one that no profile enables is not waited for."""
    wanted = node.find("depends_on")
    found = {
        key: str(each.get("condition"))
        for key, each in (wanted.entries if wanted else {}).items()
        if key in names
    }
    return dict(sorted(found.items()))


def _restarts_with(node: Node, names: Collection[str]) -> tuple[str, ...]:
    """Services that it says `restart: true` of.  What a link implies is written nowhere, and asks
    for nothing here: it leads to a name, whichever task has that."""
    said = {
        name: each.find("restart")
        for name, each in node.entries_at("depends_on").items()
        if name in names
    }
    return tuple(sorted(name for name, each in said.items() if each and each.key and each.value))


def _build(node: Node) -> Build:
    return Build(
        context=node.get("context"),
        dockerfile=node.get("dockerfile", default=""),
        dockerfile_inline=node.get("dockerfile_inline", default=""),
        args=node.texts("args"),
        target=node.get("target", default=""),
        labels=node.texts("labels"),
        network=node.get("network", default=""),
        platforms=node.strings("platforms"),
        tags=node.strings("tags"),
        pull=node.get("pull", default=False),
        no_cache=node.get("no_cache", default=False),
        extra_hosts=hosts(node),
        cache_from=node.strings("cache_from"),
    )

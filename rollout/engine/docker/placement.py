"""`deploy.placement` on one host: whether the host is one that tasks may run on.  Pure.

Values are compared without regard to case, as Swarm does it.  The host is a manager, since whoever
deploys to it is talking to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rollout.model.placement import CONSTRAINT
from rollout.model.spec import ServiceSpec

Json = Mapping[str, Any]

_ENGINE_LABEL = "engine.labels."


def misplaced(spec: ServiceSpec, info: Json) -> list[str]:
    """Why the host is not one for the service's tasks, one line each."""
    host = info.get("Name") or "this host"
    found = [
        f"the host {host} does not match the constraint {each}"
        for each in spec.constraints
        if not matches(each, info)
    ]
    if 0 < spec.max_per_node < spec.slots:
        found.append(
            f"{spec.slots} replicas, at most {spec.max_per_node} on a host, and there is one"
        )
    return found


def matches(constraint: str, info: Json) -> bool:
    """Whether the host fulfils a constraint; one that cannot be evaluated here counts as met."""
    match = CONSTRAINT.fullmatch(constraint)
    if match is None:
        return True
    key, operator, value = match.groups()
    known = _facts(info)
    if key not in known and not key.startswith(_ENGINE_LABEL):
        return True
    return (known.get(key, "").lower() == value.lower()) is (operator == "==")


def _facts(info: Json) -> dict[str, str]:
    labels: Iterable[str] = info.get("Labels") or ()
    said = dict(each.partition("=")[::2] for each in labels)
    arch = str(info.get("Architecture") or "")
    return {
        "node.id": str((info.get("Swarm") or {}).get("NodeID") or info.get("ID") or ""),
        "node.hostname": str(info.get("Name") or ""),
        "node.role": "manager",
        "node.platform.os": str(info.get("OSType") or ""),
        "node.platform.arch": arch,
        **{f"{_ENGINE_LABEL}{key}": value for key, value in said.items()},
    }

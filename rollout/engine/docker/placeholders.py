"""Swarm's placeholders: what a task is told about itself, `{{.Task.Slot}}` and the like.  Pure.

They are filled where Swarm fills them: in the host name, the values of variables and what is
mounted.  The definition keeps them as they are written, so all slots share it.  Whatever else
stands in braces is somebody else's template, and stays; what speaks of a service, a task or a node
and is not filled is named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from rollout.model import labels
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec, TaskSpec

NODE = "Node."
_LABEL = "Service.Labels."
_PLACEHOLDER = re.compile(
    r"\{\{\s*(?:\.("
    r"(?:Service|Task)\.(?:Name|ID)|Task\.Slot"
    r"|Node\.(?:Hostname|ID|Platform\.(?:OS|Architecture))"
    r"|Service\.Labels\.\w+"
    r")|index\s+\.Service\.Labels\s+\"([^\"\\{}]*)\")\s*\}\}"
)
_MEANT = re.compile(r"\{\{[^{}]*\.(?:Service|Task|Node)\b[^{}]*\}\}")
_ID_DIGITS = 25


def node_of(info: Mapping[str, object]) -> dict[str, str]:
    """What is told of the node, from what the engine says of itself."""
    return {
        "Node.Hostname": str(info.get("Name") or ""),
        "Node.ID": str(info.get("ID") or ""),
        "Node.Platform.OS": str(info.get("OSType") or ""),
        "Node.Platform.Architecture": str(info.get("Architecture") or ""),
    }


def filled(revision: Revision, slot: int, task: str, node: Mapping[str, str]) -> TaskSpec:
    """The definition of one task.  `node` is `node_of` the engine, where it is asked for."""
    spec = revision.spec.task
    service = labels.full_name(revision.stack, revision.service)
    known = {
        "Service.Name": service,
        "Service.ID": _service_id(service),
        **{_LABEL + key: value for key, value in revision.spec.labels.items()},
        "Task.Slot": str(slot),
        "Task.ID": task,
        "Task.Name": f"{service}.{slot}.{task}",
        **node,
    }
    if not any(_PLACEHOLDER.search(text) for text in _texts(spec)):
        return spec
    return replace(
        spec,
        hostname=_fill(spec.hostname, known),
        environment={
            name: value if value is None else _fill(value, known)
            for name, value in spec.environment.items()
        },
        mounts=tuple(replace(each, source=_fill(each.source, known)) for each in spec.mounts),
    )


def asks_for_node(spec: TaskSpec) -> bool:
    """What the engine says of itself is needed to fill it in."""
    return any(
        (found[1] or "").startswith(NODE)
        for text in _texts(spec)
        for found in _PLACEHOLDER.finditer(text)
    )


def not_filled(spec: TaskSpec) -> list[str]:
    """Placeholders that speak of a service, a task or a node and are none that is known."""
    found = (each[0] for text in _texts(spec) for each in _MEANT.finditer(text))
    return list(dict.fromkeys(each for each in found if not _PLACEHOLDER.fullmatch(each)))


def volume_names(name: str, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
    """The volumes that a volume's name stands for: one, or one for each slot."""
    service = labels.full_name(stack, spec.name)
    known = {"Service.Name": service, "Service.ID": _service_id(service)}
    known |= {_LABEL + key: value for key, value in spec.labels.items()}
    slots = range(1, spec.slots + 1)
    return tuple({_fill(name, {**known, "Task.Slot": str(slot)}): None for slot in slots})


def _fill(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: _value(found, known), text)


def _value(found: re.Match[str], known: Mapping[str, str]) -> str:
    """A label that the service does not have is empty, as in Swarm."""
    name = found[1] or _LABEL + found[2]
    return known.get(name, "" if name.startswith(_LABEL) else found[0])


def _service_id(name: str) -> str:
    """A service has no id here; one that stays the same for its name."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(digits[number // 36**place % 36] for place in range(_ID_DIGITS))


def _texts(spec: TaskSpec) -> Iterator[str]:
    yield spec.hostname
    yield from (value for value in spec.environment.values() if value)
    yield from (mount.source for mount in spec.mounts)

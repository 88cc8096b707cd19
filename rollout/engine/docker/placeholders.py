"""Swarm's placeholders: what a task is told about itself, `{{.Task.Slot}}` and the like.  Pure.

They are filled where Swarm fills them: in the host name, the values of variables and what is
mounted.  The definition keeps them as they are written, so all slots share it.  Whatever else
stands in braces is somebody else's template, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from rollout.model import labels
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec, TaskSpec

NODE = "Node.Hostname"
_PLACEHOLDER = re.compile(
    r"\{\{\s*\.((?:Service|Task)\.Name|Task\.(?:Slot|ID)|Node\.Hostname)\s*\}\}"
)


def filled(revision: Revision, slot: int, task: str, node: str) -> TaskSpec:
    """The definition of one task.  `node` is the engine's host name."""
    spec = revision.spec.task
    service = labels.full_name(revision.stack, revision.service)
    known = {
        "Service.Name": service,
        "Task.Slot": str(slot),
        "Task.ID": task,
        "Task.Name": f"{service}.{slot}.{task}",
        NODE: node,
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
    """The engine's host name is needed to fill it in."""
    return any(found[1] == NODE for text in _texts(spec) for found in _PLACEHOLDER.finditer(text))


def volume_names(name: str, spec: ServiceSpec, stack: str) -> tuple[str, ...]:
    """The volumes that a volume's name stands for: one, or one for each slot."""
    known = {"Service.Name": labels.full_name(stack, spec.name)}
    slots = range(1, spec.slots + 1)
    return tuple({_fill(name, {**known, "Task.Slot": str(slot)}): None for slot in slots})


def _fill(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), text)


def _texts(spec: TaskSpec) -> Iterator[str]:
    yield spec.hostname
    yield from (value for value in spec.environment.values() if value)
    yield from (mount.source for mount in spec.mounts)

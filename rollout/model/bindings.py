"""What a task shares with the tasks of other services of its stack, as its definition says it.

A namespace is gone as soon as its owner's process has ended, whoever starts it again; volumes stay
as long as there is a container that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.model.spec import TaskSpec

_SERVICE = "service"


def namespace_owners(task: TaskSpec) -> frozenset[str]:
    """Services whose network, pid or ipc namespace a task is in."""
    return frozenset(_services((task.network_mode, task.pid, task.ipc)))


def volume_owners(task: TaskSpec) -> frozenset[str]:
    """Services whose volumes a task has mounted (`volumes_from`)."""
    return frozenset(_services(task.volumes_from))


def siblings_of(task: TaskSpec) -> frozenset[str]:
    """Services that a container of must be there before one of this task can be made."""
    return namespace_owners(task) | volume_owners(task)


def _services(said: Iterable[str]) -> Iterator[str]:
    """`service:db:ro` → `db`; names of containers are somebody else's."""
    for each in said:
        kind, _, rest = each.partition(":")
        if kind == _SERVICE:
            yield rest.partition(":")[0]

"""What only one task can have, between the services of a stack: who waits until it is free.

A service that takes over a port, an address or a name from another one (it was renamed in the file,
or the two have shared it out anew) waits until the other's task is gone.  And where one service has
a fixed address on a network, those that take any address there wait until it is up: else they take
that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.decide.world import Decision
from rollout.model.claims import Claim, claims_in_label, claims_of
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.task import Task

Histories = Mapping[str, tuple[Revision, ...]]
Tasks = Mapping[str, tuple[Task, ...]]
"""By service, of those too that are being removed."""


def goes_after(histories: Histories, tasks: Tasks) -> dict[str, frozenset[str]]:
    """Service → services in the stack whose decisions are to be known before its own."""
    return {
        service: frozenset(
            {other for other, _, _ in _in_the_way(service, histories, tasks)}
            | set(_with_fixed_address(service, histories))
        )
        for service in histories
    }


def waits_for_room(
    service: str, histories: Histories, tasks: Tasks, decided: Mapping[str, Decision]
) -> Iterator[tuple[str, bool]]:
    """What is waited for, in words, and whether it will not come any more.

    One that is not decided yet waits for this one, in a circle: then neither is waited for.
    """
    for other, task, claim in _in_the_way(service, histories, tasks):
        if other not in histories:
            yield f"{other}.{task.slot} to give up {claim}", False
        elif other in decided:
            at_rest = decided[other].status.at_rest
            yield f"{other}.{task.slot} to give up {claim}", at_rest
    for other in _with_fixed_address(service, histories):
        if other in decided and not decided[other].status.at_rest:
            newest = histories[other][-1]
            if not _all_up(newest, tasks.get(other, ())):
                yield f"{other} to have its fixed address", False


def _in_the_way(
    service: str, histories: Histories, tasks: Tasks
) -> Iterator[tuple[str, Task, Claim]]:
    """Tasks of other services that have what this one wants, and are to go or be replaced."""
    wanted = claims_of(histories[service][-1].spec)
    if not wanted:
        return
    for other, found in tasks.items():
        if other == service:
            continue
        newest = histories[other][-1] if other in histories else None
        for task in found:
            if not task.alive or (newest is not None and task.digest == newest.digest):
                continue
            for claim in _held(task, histories.get(other, ())):
                if any(claim.conflicts_with(each) for each in wanted):
                    yield other, task, claim


def _held(task: Task, history: tuple[Revision, ...]) -> tuple[Claim, ...]:
    """What a task has; of one that Compose made, as it was taken over."""
    if task.spec:
        return claims_in_label(task.spec, task.slot)
    return claims_of(history[0].spec, task.slot) if history else ()


def _with_fixed_address(service: str, histories: Histories) -> Iterator[str]:
    """Services with a fixed address on a network on which this one takes any."""
    anywhere = {
        each.name
        for each in histories[service][-1].spec.task.networks
        if not (each.ipv4_address or each.ipv6_address)
    }
    if not anywhere:
        return
    for other, history in histories.items():
        fixed = {claim.where for claim in _addresses(history[-1].spec)}
        if other != service and fixed & anywhere:
            yield other


def _addresses(spec: ServiceSpec) -> Iterator[Claim]:
    if any(each.ipv4_address or each.ipv6_address for each in spec.task.networks):
        yield from (claim for claim in claims_of(spec) if claim.kind == "address")


def _all_up(newest: Revision, tasks: tuple[Task, ...]) -> bool:
    """Each slot has a task that was started with the definition asked for."""
    up = {task.slot for task in tasks if task.alive and task.digest == newest.digest}
    return len(up) >= newest.spec.slots

"""The decisions about all services of a stack, each after those about what it depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from rollout.controller.session import Look
from rollout.decide.bindings import bindings_of, sibling_of, unmanaged, wanted_siblings
from rollout.decide.decide import decide
from rollout.decide.dependencies import waits_for
from rollout.decide.room import goes_after, waits_for_room
from rollout.decide.view import view_of
from rollout.decide.world import NO_BINDINGS, Decision, World
from rollout.model.dependencies import dependencies_first
from rollout.model.state import MarkKind


def _nothing(_service: str) -> dict[str, Any]:
    return {}


def _left_alone(decision: Decision) -> Decision:
    """Something newer runs than all that can be read: the old is not put back in its place."""
    status = replace(
        decision.status,
        message="runs a newer revision that cannot be read, and is left alone",
        waiting_for="",
        outcome=MarkKind.FAILED,
        left_alone=True,
    )
    return Decision(actions=(), status=status, wake_at=None)


def judge(seen: Look, beside: Callable[[str], dict[str, Any]] = _nothing) -> dict[str, Decision]:
    """By service, in the book's order.  `beside`: a service → what its World has that is not seen,
    such as what is being done just now."""
    there = seen.book.keys() | {task.service for task in seen.tasks}
    tasks = {service: seen.tasks_of(service) for service in sorted(there)}
    after = goes_after(seen.book, tasks)
    bound_to = {service: wanted_siblings(history) for service, history in seen.book.items()}
    before = {
        service: (
            *history[-1].spec.depends_on,
            *sorted(bound_to[service]),
            *sorted(after[service]),
        )
        for service, history in seen.book.items()
    }
    owners = frozenset(name for names in bound_to.values() for name in names)
    siblings = {
        name: unmanaged(name, seen.tasks_of(name)) for name in sorted(owners - seen.book.keys())
    }
    decided: dict[str, Decision] = {}
    for service in dependencies_first(before):
        history = seen.book[service]
        waits = (
            *waits_for(history, seen.book, tasks, decided),
            *waits_for_room(service, seen.book, tasks, decided),
        )
        its = {name: siblings[name] for name in sorted(bound_to[service]) if name in siblings}
        bound = bindings_of(history, tasks[service], its, seen.now) if its else NO_BINDINGS
        world = World(
            revisions=history,
            tasks=tasks[service],
            now=seen.now,
            came_up_at=seen.came_up,
            waits_for=tuple(what for what, _ in waits),
            in_vain=next((what for what, over in waits if over), bound.in_vain),
            bound=bound,
            **beside(service),
        )
        decision = decide(world)
        decided[service] = _left_alone(decision) if service in seen.unknown else decision
        if service in owners:
            at_rest = decided[service].status.at_rest
            siblings[service] = sibling_of(view_of(world), at_rest=at_rest)
    return {service: decided[service] for service in seen.book}

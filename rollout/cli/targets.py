"""What a name on the command line means: a stack, or a service `<stack>_<service>`.

Both may contain underscores, so what is on the engine decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rollout.cli.adopted import adopted_service
from rollout.cli.recovered import recovered
from rollout.controller.session import Session, observe
from rollout.errors import NotFoundError, UsageError
from rollout.model.labels import full_name
from rollout.model.revision import Revision

_NEAR = 0.6


class ServiceTarget(NamedTuple):
    stack: str
    service: str
    revisions: tuple[Revision, ...]
    """Oldest first, at least one."""

    @property
    def name(self) -> str:
        return full_name(self.stack, self.service)

    @property
    def newest(self) -> Revision:
        return self.revisions[-1]


class Scope(NamedTuple):
    """What a viewing command looks at: a whole stack, or one service of it."""

    stack: str
    service: str | None = None

    def covers(self, service: str) -> bool:
        return self.service is None or self.service == service


def find_service(session: Session, name: str, *, to_change: bool = False) -> ServiceTarget:
    """`to_change`: something about it will be recorded, so the ledger is brought in order first,
    and what Compose runs is taken over.

    Raises NotFoundError, with the nearest name there is, or UsageError where two fit.
    """
    stacks = session.engine.stacks()
    if to_change:
        stacks = (*stacks, *session.engine.projects())
    found = [
        ServiceTarget(stack, service, revisions)
        for stack, service in _splits(stacks, name)
        if (revisions := _history(session, stack, service, to_change=to_change))
    ]
    if len(found) > 1:
        both = " and ".join(each.stack for each in found)
        raise UsageError(f"{name} is ambiguous: stacks {both} both have such a service")
    if not found:
        raise _not_found(session, "service", name)
    return found[0]


def _history(
    session: Session, stack: str, service: str, *, to_change: bool
) -> tuple[Revision, ...]:
    if not to_change:
        return observe(session, stack).book.get(service, ())
    seen = adopted_service(session, recovered(session, stack), stack, service)
    return seen.book.get(service, ())


def find_scope(session: Session, name: str) -> Scope:
    """A stack or a service.  A stack goes first.  Raises NotFoundError."""
    stacks = session.engine.stacks()
    if name in stacks:
        return Scope(name)
    for stack, service in _splits(stacks, name):
        if service in session.ledger.read(stack) or any(
            task.service == service for task in session.engine.observe(stack)
        ):
            return Scope(stack, service)
    raise _not_found(session, "stack or service", name)


def _splits(stacks: Iterable[str], name: str) -> list[tuple[str, str]]:
    return [
        (stack, name.removeprefix(f"{stack}_"))
        for stack in stacks
        if name.startswith(f"{stack}_") and name != f"{stack}_"
    ]


def _not_found(session: Session, what: str, name: str) -> NotFoundError:
    from difflib import get_close_matches

    stacks = session.engine.stacks()
    names = [
        full_name(stack, service) for stack in stacks for service in session.ledger.read(stack)
    ]
    near = get_close_matches(name, [*names, *stacks], n=1, cutoff=_NEAR)
    hint = f"did you mean {near[0]}?" if near else "`rollout services` lists what there is"
    for project in session.engine.projects():
        if name == project or name.startswith(f"{project}_"):
            hint = f"Compose runs {project}: `rollout deploy -c FILE {project}` takes it over"
    if name in stacks:
        hint = f"{name} is a stack: name a service of it, {name}_SERVICE"
    return NotFoundError(f"{what} {name} not found", hint=hint)

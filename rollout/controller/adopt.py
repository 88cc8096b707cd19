"""What Compose runs already becomes the first revision of a stack, so that a rollback leads to it.

Its tasks are left alone: they are old ones, to be replaced by the first change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from rollout.controller.session import Look, Session, observe
from rollout.model.labels import full_name
from rollout.model.spec import ServiceSpec


def adoptable(seen: Look) -> frozenset[str]:
    """Services that have tasks, and nothing in the ledger."""
    found = {task.service for task in seen.tasks if not task.revision}
    gone = {name for name in found if seen.removal and seen.removal.covers(name)}
    return frozenset(found - seen.book.keys() - gone)


def adopt(
    session: Session,
    stack: str,
    services: Iterable[str],
    wanted: Mapping[str, ServiceSpec],
    tell: Callable[[str], None],
) -> Look:
    """Record what services run now; told, one line each.  The result is what there is then.

    `wanted`: definitions from a file.  A container does not say in which cadence it is to be
    replaced: that is taken from there, for a rollback to it.
    """
    for found in session.engine.foreign(stack, services):
        name = full_name(stack, found.spec.name)
        spec = _with_cadence(found.spec, wanted.get(found.spec.name))
        session.ledger.adopt(stack, spec, found.contents)
        tell(f"{name}: what runs is taken over as revision 1")
    return observe(session, stack)


def _with_cadence(found: ServiceSpec, wanted: ServiceSpec | None) -> ServiceSpec:
    if wanted is None:
        return found
    restart = wanted.task.restart
    same = restart.condition is found.task.restart.condition
    return replace(
        found,
        task=replace(found.task, restart=restart) if same else found.task,
        mode=wanted.mode,
        update=wanted.update,
        rollback=wanted.rollback,
        progress_deadline_s=wanted.progress_deadline_s,
        labels=wanted.labels,
    )

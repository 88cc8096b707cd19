"""Taking a stack, or services of it, down and away."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag

from rollout.controller.drive import StopFlag, drive
from rollout.controller.session import Session
from rollout.controller.telling import Report
from rollout.ledger.ledger import unreadable_in

Tell = Callable[[str], None]


def begin_removal(
    session: Session, stack: str, services: frozenset[str] | None, tell: Tell
) -> bool:
    """Record that a stack (None), or services of it, are to go; False where there is nothing.

    From then on nobody builds them up again, and whoever drives the stack takes them down.
    """
    tasks = session.engine.observe(stack)
    records = session.ledger.store.list(stack)
    broken = (*session.engine.unreadable(stack), *unreadable_in(records))
    if not tasks and not records and not broken:
        for left in session.engine.clear(stack):
            tell(left)
        return False
    session.ledger.begin_removal(stack, services)
    names = {*session.ledger.names(records), *(task.service for task in tasks)}
    for name in sorted(names if services is None else services):
        tell(f"Removing service {stack}_{name}")
    for each in broken if services is None else ():
        tell(f"Removing {each.kind} {each.name}, which cannot be read")
    return True


def remove(
    session: Session,
    stack: str,
    *,
    tell: Tell,
    report: Report,
    stop: StopFlag,
    wake: Flag | None = None,
) -> bool:
    """Remove a stack, as `docker stack rm` does: its tasks, its networks, its records.  Named
    volumes stay.

    False where there was nothing.  Broken off anywhere it is finished by the next command that
    drives the stack; InterruptedRolloutError once `stop` was seen.
    """
    if not begin_removal(session, stack, None, tell):
        return False
    drive(session, stack, report=report, stop=stop, wake=wake, removal_only=True)
    return True

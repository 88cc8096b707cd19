"""Taking a stack, or services of it, down and away."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag

from rollout.controller.drive import StopFlag, drive
from rollout.controller.session import Session
from rollout.controller.telling import Report
from rollout.engine.protocol import Record, StackVolume
from rollout.ledger.ledger import unreadable_in

Tell = Callable[[str], None]


def begin_removal(
    session: Session,
    stack: str,
    services: frozenset[str] | None,
    tell: Tell,
    *,
    volumes: bool = False,
) -> bool:
    """Record that a stack (None), or services of it, are to go; False where there is nothing.

    From then on nobody builds them up again, and whoever drives the stack takes them down.  What
    goes is told before anything is recorded, and so are the volumes without a name that stay.
    `volumes`: the stack's volumes go as well, but for those that others have.
    """
    engine = session.engine
    tasks = engine.observe(stack)
    records = session.ledger.store.list(stack)
    broken = (*engine.unreadable(stack), *unreadable_in(records))
    data = engine.volumes(stack)
    stays = {each.name: _why_it_stays(session, stack, records, each) for each in data}
    doomed = frozenset(name for name, why in stays.items() if volumes and not why)
    if not (tasks or records or broken or doomed):
        for left in engine.clear(stack):
            tell(left)
        return False
    names = {*session.ledger.names(records), *(task.service for task in tasks)}
    for name in sorted(names if services is None else services):
        tell(f"Removing service {stack}_{name}")
    for each in broken if services is None else ():
        tell(f"Removing {each.kind} {each.name}, which cannot be read")
    for volume in data:
        if volume.name in doomed:
            tell(f"Removing volume {volume}")
        elif volumes:
            tell(f"Leaving volume {volume}: {stays[volume.name]}")
        elif volume.anonymous and (services is None or volume.service in services):
            tell(f"Leaving volume {volume}")
    session.ledger.begin_removal(stack, services, doomed)
    return True


def _why_it_stays(
    session: Session, stack: str, records: tuple[Record, ...], volume: StackVolume
) -> str:
    """Why a volume is not removed though volumes are; empty where it is."""
    if volume.name in session.ledger.external_volumes(records):
        return "it is external"
    others = ", ".join(session.engine.holders(volume.name, stack))
    return f"in use by {others}" if others else ""


def remove(
    session: Session,
    stack: str,
    *,
    tell: Tell,
    report: Report,
    stop: StopFlag,
    wake: Flag | None = None,
    volumes: bool = False,
) -> bool:
    """Remove a stack, as `docker stack rm` does: its tasks, its networks, its records.  Volumes
    stay but with `volumes`; then those stay that others have.

    False where there was nothing.  Broken off anywhere it is finished by the next command that
    drives the stack; InterruptedRolloutError once `stop` was seen.
    """
    if not begin_removal(session, stack, None, tell, volumes=volumes):
        return False
    drive(session, stack, report=report, stop=stop, wake=wake, removal_only=True)
    return True

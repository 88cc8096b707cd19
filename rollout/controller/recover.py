"""Before something is recorded: what an earlier command left undone, and what the ledger lost."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as Flag

from rollout.controller.drive import drive
from rollout.controller.rebuild import rebuild
from rollout.controller.session import Look, Session, observe
from rollout.model.event import Event, Progress
from rollout.model.labels import full_name


def recover(
    session: Session, stack: str, tell: Callable[[str], None], wake: Flag | None = None
) -> Look:
    """Finish a removal that was begun, or wait for who does; rebuild what the ledger lacks.

    Each is told, one line a service.  The result is what there is then.
    """
    seen = observe(session, stack)
    if seen.removal is not None:
        names = sorted(full_name(stack, service) for service in seen.removal.services)
        what = stack if seen.removal.whole else ", ".join(names)
        tell(f"finishing the removal of {what}, begun by {seen.removal.by}")
        drive(session, stack, report=_nobody, stop=Flag(), wake=wake, removal_only=True)
        seen = observe(session, stack)
    if seen.lost:
        for event in rebuild(session, seen):
            tell(told(event))
        seen = observe(session, stack)
    return seen


def told(event: Event) -> str:
    return f"{full_name(event.stack, event.service)}: {event.text}"


def _nobody(_progress: Progress) -> None: ...

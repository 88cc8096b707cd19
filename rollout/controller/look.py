"""One look at a stack: where every service stands, with nothing done."""

from __future__ import annotations

from rollout.controller.judge import judge
from rollout.controller.session import Session, observe
from rollout.ledger.lease import newest_entry
from rollout.model.event import Progress


def look(session: Session, stack: str) -> Progress:
    """Raises EngineError where the engine does not answer."""
    seen = observe(session, stack)
    statuses = tuple(each.status for each in judge(seen).values())
    lease = newest_entry(seen.records)
    held = lease is not None and lease.held(seen.now)
    return Progress(
        at=seen.now,
        stack=stack,
        services=statuses,
        holder=lease.holder if lease is not None and held else "",
        held_since=lease.since if lease is not None and held else None,
    )

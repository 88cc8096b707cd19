"""One look at a stack: where every service stands, with nothing done."""

from __future__ import annotations

from rollout.controller.session import Session, observe
from rollout.decide.decide import decide
from rollout.decide.world import World
from rollout.ledger.lease import newest_entry
from rollout.model.event import Progress


def look(session: Session, stack: str) -> Progress:
    """Raises EngineError where the engine does not answer."""
    seen = observe(session, stack)
    statuses = tuple(
        decide(
            World(
                revisions=history,
                tasks=seen.tasks_of(service),
                now=seen.now,
                came_up_at=seen.came_up,
            )
        ).status
        for service, history in seen.book.items()
    )
    lease = newest_entry(seen.records)
    held = lease is not None and lease.held(seen.now)
    return Progress(
        at=seen.now,
        stack=stack,
        services=statuses,
        holder=lease.holder if lease is not None and held else "",
        held_since=lease.since if lease is not None and held else None,
    )

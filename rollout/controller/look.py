"""One look at a stack: where every service stands, with nothing done."""

from __future__ import annotations

from rollout.controller.judge import judge
from rollout.controller.session import Look, Session, observe
from rollout.decide import slots
from rollout.ledger.lease import newest_entry
from rollout.model.event import Progress
from rollout.model.status import ServiceStatus


def status_of(seen: Look, service: str) -> ServiceStatus:
    """Where one service of the book stands, as long as nobody does anything about it."""
    return judge(seen, lambda _service: {"tends": False})[service].status


def scaled_away(seen: Look) -> dict[str, float]:
    """Task id → since when its slot is not asked for, of tasks that are history by that."""
    found: dict[str, float] = {}
    for service, history in seen.book.items():
        found |= slots.scaled_away(history, seen.tasks_of(service))
    return found


def look(session: Session, stack: str) -> Progress:
    """Raises EngineError where the engine does not answer."""
    seen = observe(session, stack)
    lease = newest_entry(seen.records)
    held = lease is not None and lease.held(seen.now)
    # What nobody drives stays as it is.
    decisions = judge(seen, lambda _service: {"tends": held})
    statuses = tuple(each.status for each in decisions.values())
    return Progress(
        at=seen.now,
        stack=stack,
        services=statuses,
        holder=lease.holder if lease is not None and held else "",
        held_since=lease.since if lease is not None and held else None,
    )

"""A ledger that has lost something is made whole again from what the containers say."""

from __future__ import annotations

from collections import defaultdict

from rollout.controller.session import Look, Session
from rollout.model.event import Event, EventKind
from rollout.model.revision import Revision
from rollout.model.state import Cause


def rebuild(session: Session, seen: Look) -> list[Event]:
    """Write what is missing; what to tell of it, one event a service.  Safe to repeat."""
    session.ledger.restore(seen.lost)
    found: dict[str, list[Revision]] = defaultdict(list)
    for revision in seen.lost:
        found[revision.service].append(revision)
    return [
        Event(
            at=seen.now,
            kind=EventKind.NOTE,
            stack=revisions[-1].stack,
            service=service,
            revision=revisions[-1].number,
            text=_sentence(revisions),
        )
        for service, revisions in sorted(found.items())
    ]


def _sentence(revisions: list[Revision]) -> str:
    made = [str(each.number) for each in revisions if each.cause is Cause.REBUILT]
    if not made:
        return "the ledger had lost how earlier revisions ended: rebuilt from what is left"
    which = f"revision {made[0]}" if len(made) == 1 else f"revisions {', '.join(made)}"
    return f"the ledger had lost {which}: rebuilt from the containers, see `rollout history`"

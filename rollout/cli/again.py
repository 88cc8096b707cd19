"""The same definition asked for again: no revision, but what had failed is tried anew.

As in Swarm, where any update resumes a paused one; without losing the rollback target, which there
it does.
"""

from __future__ import annotations

from rollout.controller.session import Session
from rollout.model.revision import Revision
from rollout.model.state import MarkKind

_ENDED_BADLY = (MarkKind.PAUSED, MarkKind.FAILED)


def ask_again(session: Session, newest: Revision) -> bool:
    """Whether there was something to try anew; what it failed with before counts no more."""
    if newest.last_mark not in _ENDED_BADLY:
        return False
    session.ledger.note(newest, MarkKind.RESUMED, "asked for again", reason="request")
    return True

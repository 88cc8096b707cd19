"""The same definition asked for again: no revision, but what had failed is tried anew.

As in Swarm, where any update resumes a paused one; without losing the rollback target, which there
it does.
"""

from __future__ import annotations

from rollout.controller.look import status_of
from rollout.controller.session import Look, Session
from rollout.model.revision import Revision
from rollout.model.state import ENDED_BADLY, MarkKind


def ask_again(session: Session, newest: Revision, seen: Look) -> bool:
    """Whether there was something to try anew: it had failed, or does not run any more, or somebody
    else has made a task since.  What it failed with before counts no more."""
    if not (newest.last_mark in ENDED_BADLY or _has_changed(newest, seen)):
        return False
    session.ledger.note(newest, MarkKind.RESUMED, "asked for again", reason="request")
    return True


def _has_changed(newest: Revision, seen: Look) -> bool:
    if newest.last_mark is not MarkKind.COMPLETED or newest.service not in seen.book:
        return False
    made = any(task.alive and not task.revision for task in seen.tasks_of(newest.service))
    return made or bool(status_of(seen, newest.service).down)

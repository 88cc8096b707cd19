"""The same definition asked for again: no revision, but what had failed is tried anew.

As in Swarm, where any update resumes a paused one; without losing the rollback target, which there
it does.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.controller.session import Session
from rollout.model.revision import Revision
from rollout.model.state import MarkKind
from rollout.model.task import Task

ENDED_BADLY = (MarkKind.PAUSED, MarkKind.FAILED)


def ask_again(session: Session, newest: Revision, tasks: Iterable[Task] = ()) -> bool:
    """Whether there was something to try anew; what it failed with before counts no more.

    `tasks`: the service's; one that is up and that somebody else has made since is to be replaced.
    """
    taken_back = newest.last_mark is MarkKind.COMPLETED and any(
        task.alive and not task.revision for task in tasks
    )
    if newest.last_mark not in ENDED_BADLY and not taken_back:
        return False
    session.ledger.note(newest, MarkKind.RESUMED, "asked for again", reason="request")
    return True

"""Questions about a service's revisions: which one a rollback restores, how each one ended."""

from __future__ import annotations

from rollout.errors import UsageError
from rollout.ledger.ledger import outcome_of
from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.state import Cause, MarkKind

History = tuple[Revision, ...]


def find(revisions: History, number: int) -> Revision:
    """Raises UsageError naming the revisions that there are."""
    for revision in revisions:
        if revision.number == number:
            return revision
    there = ", ".join(str(each.number) for each in revisions)
    name = full_name(revisions[-1].stack, revisions[-1].service) if revisions else "the service"
    raise UsageError(
        f"{name} has no revision {number}", hint=f"recorded: {there}", reference="no-such-revision"
    )


def previous_of(revisions: History) -> Revision:
    """What a plain rollback restores: the definition before the newest, so twice is back and forth.

    Swarm's rule, and its refusals: there must be one, and not after an automatic rollback.
    """
    newest = revisions[-1]
    name = full_name(newest.stack, newest.service)
    if newest.cause is Cause.AUTO_ROLLBACK:
        raise UsageError(
            f"{name} was rolled back automatically to revision {newest.restores}: "
            "the definition before is the one that failed",
            hint=f"`rollout rollback {name} --to N` goes to any; see `rollout history {name}`",
            reference="after-automatic-rollback",
        )
    if len(revisions) < 2:
        raise UsageError(
            f"{name} does not have a previous spec",
            hint="there is one revision only, nothing to go back to",
            reference="no-previous-spec",
        )
    before = revisions[-2]
    if newest.cause is Cause.REBUILT and MarkKind.COMPLETED not in {m.kind for m in before.marks}:
        raise UsageError(
            f"{name}'s ledger was lost and rebuilt: whether revision {before.number} ever was "
            "complete is not known",
            hint=f"`rollout rollback {name} --to N` goes to any; see `rollout history {name}`",
            reference="after-rebuild",
        )
    return before


def outcomes(revisions: History) -> dict[int, str]:
    """Revision number → how it ended: completed, paused, failed, rolled back, superseded, or `in
    progress` for the newest."""
    found = {}
    for at, revision in enumerate(revisions):
        outcome = outcome_of(revision)
        later = revisions[at + 1] if at + 1 < len(revisions) else None
        if later is not None and outcome != "completed":
            outcome = "rolled back" if later.cause is Cause.AUTO_ROLLBACK else "superseded"
            if revision.last_mark is not None and outcome == "superseded":
                outcome = outcome_of(revision)
        found[revision.number] = outcome
    return found

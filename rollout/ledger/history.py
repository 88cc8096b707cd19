"""Questions about a service's revisions: which one a rollback restores, how each one ended."""

from __future__ import annotations

from rollout.errors import UsageError
from rollout.ledger.ledger import outcome_of
from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
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
    """What a plain rollback restores: the newest other definition that was once complete, so that
    twice is back and forth between two that were.

    After a rollback that is the one that was rolled back from.  Raises UsageError, which names the
    revisions to choose from, where that one never was complete: it is nothing to go to unasked.
    Nor is it after an automatic rollback, as in Swarm.
    """
    newest = revisions[-1]
    name = full_name(newest.stack, newest.service)
    if newest.cause is Cause.AUTO_ROLLBACK:
        raise UsageError(
            f"{name} was rolled back automatically to revision {newest.restores}: "
            "the definition before is the one that failed",
            hint=_choices(revisions),
            reference="after-automatic-rollback",
        )
    others = [each for each in revisions if each.spec != newest.spec]
    if not others:
        raise UsageError(
            f"{name} does not have a previous spec",
            hint="there is one revision only, nothing to go back to",
            reference="no-previous-spec",
        )
    complete = [each for each in others if _was_complete(each.spec, revisions)]
    before = others[-1]
    if newest.cause is Cause.REBUILT and before not in complete:
        raise UsageError(
            f"{name}'s ledger was lost and rebuilt: whether revision {before.number} ever was "
            "complete is not known",
            hint=_choices(revisions),
            reference="after-rebuild",
        )
    if not complete or (newest.cause is Cause.ROLLBACK and before not in complete):
        raise UsageError(
            f"{name}: the definition before, revision {before.number}, never was complete",
            hint=_choices(revisions),
            reference="never-complete",
        )
    return complete[-1]


def _was_complete(spec: ServiceSpec, revisions: History) -> bool:
    return any(
        mark.kind is MarkKind.COMPLETED
        for each in revisions
        if each.spec == spec
        for mark in each.marks
    )


def _choices(revisions: History) -> str:
    """Every other definition there is, and how it ended: `--to 1 (completed), --to 3 (paused)`."""
    newest = revisions[-1]
    name = full_name(newest.stack, newest.service)
    ends = outcomes(revisions)
    there = [
        f"--to {each.number} ({ends[each.number]})"
        for each in revisions
        if each.spec != newest.spec
    ]
    return f"choose one with `rollout rollback {name} --to N`: {', '.join(there)}"


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

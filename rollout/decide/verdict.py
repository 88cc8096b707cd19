"""How a run ends: too many failures, nothing left to do, or only what must be held back."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.decide.failure import deadline_of, gave_up
from rollout.decide.jobs import JOB
from rollout.decide.run import last_completed
from rollout.decide.slots import Bucket, Slot
from rollout.decide.update import next_batch
from rollout.decide.view import View
from rollout.model.action import LedgerAction, Note, Push
from rollout.model.spec import FailureAction
from rollout.model.state import Cause, MarkKind, Proof
from rollout.model.status import Failure

EARLY = "due to failure or early termination of task"


def on_failure(view: View) -> LedgerAction:
    """What the failure action asks for.  The newest failure is named, as it was the one too
    many."""
    failure = view.failures[-1]
    run = view.run
    if not view.replaces:
        # New slots only, so there is nothing to pause or go back to.
        return _note(view, MarkKind.FAILED, f"{_named(view, failure)} {failure.reason}", failure)
    source = last_completed(view.world.revisions)
    if run.action is FailureAction.ROLLBACK and not run.target.is_rollback and source is not None:
        return Push(
            source=source,
            number=run.target.number + 1,
            cause=Cause.AUTO_ROLLBACK,
            message=f"update rolled back {EARLY} {_id(view, failure)}",
        )
    return _note(view, MarkKind.PAUSED, f"update paused {EARLY} {_id(view, failure)}", failure)


def in_vain(view: View) -> LedgerAction:
    """What it depends on will not come: nothing of a first deployment is started, nor of an
    update."""
    waited = f"waited for {view.world.in_vain}"
    return Note(
        revision=view.run.target,
        kind=MarkKind.PAUSED if view.replaces else MarkKind.FAILED,
        message=f"update paused: {waited}" if view.replaces else waited,
        reason="dependency",
    )


def at_the_end(view: View) -> Iterator[LedgerAction]:
    """The mark that says how the run ended, once there is nothing left to wait for."""
    if not is_through(view):
        return
    left = _left_behind(view)
    if left:
        names = ", ".join(f"{view.run.target.service}.{slot.number}" for slot in left)
        yield Note(
            revision=view.run.target,
            kind=MarkKind.PAUSED,
            message=f"update paused: {names} kept, nothing else of the service would run",
            reason="held",
        )
        return
    yield Note(
        revision=view.run.target,
        kind=MarkKind.COMPLETED,
        message=completion_message(view),
        reason=_proof(view),
    )


def _proof(view: View) -> str:
    """Whether this is a definition to go back to.  What may fail may: that was asked for."""
    if view.slots and all(slot.bucket is Bucket.COMPLETE for slot in view.slots):
        return JOB
    failed = view.failed_slots
    judged = [slot for slot in view.slots if slot.number not in failed]
    proved = judged and all(
        slot.bucket is Bucket.COMPLETE
        or (slot.new is not None and slot.new.running)
        or (slot.first is not None and slot.first.running_since is not None)
        for slot in judged
    )
    return Proof.PROVED if proved else Proof.UNPROVED


def completion_message(view: View) -> str:
    """Swarm's; empty where no task was out of date, as Swarm then shows no update at all."""
    if view.run.target.is_rollback:
        return "rollback completed"
    return "update completed" if view.replaces else ""


def is_through(view: View) -> bool:
    """Every slot is where it will be, and the last monitor window is over."""
    leaves = any(not task.ended for slot in view.extra for task in slot.tasks)
    if leaves or view.batch.in_flux or view.now < view.complete_at:
        return False
    if view.batch.candidates and next_batch(view):
        return False
    if view.leaving and any(_is_leaving(view, slot) for slot in view.slots):
        return False
    return all(_is_settled(view, slot) for slot in view.slots)


def _is_leaving(view: View, slot: Slot) -> bool:
    """All that is up in it is being stopped: for a number of replicas, say, that was taken back."""
    beside = slot.bucket is Bucket.OVERLAP
    return not beside and any(task.container_id in view.leaving for task in slot.old)


def _is_settled(view: View, slot: Slot) -> bool:
    if view.run.completes and slot.bucket in (Bucket.UPDATED, Bucket.OVERLAP):
        return slot.number in view.failed_slots
    if slot.number in view.failed_slots or slot.bucket in (Bucket.UPDATED, Bucket.DIRTY):
        return True
    if slot.bucket is Bucket.VACANT:
        attempt = view.attempt(slot.number, view.run.digest)
        return attempt is not None and gave_up(attempt, view.run, view.now)
    if slot.bucket is Bucket.OVERLAP:
        # An old task that takes its time to stop is not waited for, as in Swarm (recorded, s47).
        return not _stays(view, slot)
    if slot.bucket is Bucket.VACATED:
        return False
    if slot.bucket is Bucket.STARTING and slot.new is not None:
        # A slot that was added is no part of the update: it is waited for, but not for ever.
        limit = deadline_of(slot.new, view.run)
        return limit is not None and view.now >= limit
    return slot.bucket is not Bucket.DOWN


def _left_behind(view: View) -> tuple[Slot, ...]:
    """Slots that keep what the run was to replace."""
    return tuple(slot for slot in view.slots if _stays(view, slot))


def _stays(view: View, slot: Slot) -> bool:
    """An old task of it is up, and not being stopped."""
    return any(task.container_id not in view.leaving for task in slot.old)


def _note(view: View, kind: MarkKind, message: str, failure: Failure) -> Note:
    reason = "deadline" if failure.deadline else "failure"
    return Note(revision=view.run.target, kind=kind, message=message, reason=reason)


def _named(view: View, failure: Failure) -> str:
    return f"{view.run.target.service}.{failure.slot}"


def _id(view: View, failure: Failure) -> str:
    return failure.task_id or _named(view, failure)

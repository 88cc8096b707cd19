"""One service sorted out for the rules: the run, its slots, its failures, its batch."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from rollout.decide.batch import Batch, batch_of
from rollout.decide.failure import failures_of, gave_up, too_many
from rollout.decide.grace import with_grace
from rollout.decide.jobs import past_of
from rollout.decide.run import Run, last_completed, run_of
from rollout.decide.slots import Bucket, Slot, slots_of, vacant, was_shut_down
from rollout.decide.world import Attempt, World, may_be_bound
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction
from rollout.model.state import Cause
from rollout.model.status import Failure
from rollout.model.task import Task

_TO_REPLACE = (Bucket.DIRTY, Bucket.DOWN, Bucket.VACATED, Bucket.VACANT)


class View(Struct, frozen=True, kw_only=True):
    world: World
    run: Run
    slots: tuple[Slot, ...]
    """Those that are wanted, ascending."""
    extra: tuple[Slot, ...]
    """Those beyond the number of replicas, and the history of those that were."""
    members: tuple[Slot, ...]
    """Slots that the run replaces; where it replaces none, those it adds."""
    replaces: bool
    """The run replaces tasks, so it is an update; else it only adds slots, or nothing."""
    attempts: dict[int, Attempt]
    """Slots whose next task could not be made Ready, since this run began."""
    failures: tuple[Failure, ...]
    batch: Batch
    bindable: frozenset[int]
    """Slots whose task may be made: what it is to be bound to is there, and will stay."""
    leaving: frozenset[str]
    """Container ids of the tasks that are being stopped, whoever asked for that."""

    @property
    def now(self) -> float:
        return self.world.now

    @property
    def is_open(self) -> bool:
        """The update is under way: it has come to no end, for now or for good."""
        return self.run.is_open

    @property
    def supervised(self) -> bool:
        """Somebody watches also what no update is about."""
        return self.world.supervised and not self.world.stopping

    @property
    def unwatched(self) -> bool:
        """Nobody will watch any longer: Docker's own policy takes over."""
        return self.world.stopping or not (self.is_open or self.supervised)

    @property
    def begins(self) -> bool:
        """A task is still to be made, or to be begun, in some slot."""
        return bool(self.batch.candidates) or any(
            slot.bucket is Bucket.VACANT for slot in self.slots
        )

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Who begins nothing (a rollback before anything was replaced) waits for nobody."""
        return self.world.waits_for if self.begins else ()

    @property
    def tends(self) -> bool:
        """What does not run is brought up."""
        return self.is_open or self.world.tends

    @property
    def acts_on_failure(self) -> bool:
        """Enough slots have failed for the failure action; `continue` never counts."""
        return self.run.action is not FailureAction.CONTINUE and too_many(
            len(self.failures), len(self.members), self.run.ratio
        )

    @property
    def failed_slots(self) -> frozenset[int]:
        return frozenset(failure.slot for failure in self.failures)

    @property
    def complete_at(self) -> float:
        """When the run is over if nothing else happens.

        The last task running at 14.4 s, delay 2 s, monitor 1 s (so the final one is 3 s): 19.4 s.
        A run that only adds slots knows no delay.
        """
        if all(slot.bucket is Bucket.COMPLETE for slot in self.members):
            # Nothing to replace or to add, or nothing that could still go wrong.
            return max(self.now, self.proven_at)
        delay = self.run.delay_s if self.replaces else 0.0
        watched = self.run.final_monitor_s if self.replaces else self.run.monitor_s
        return max(self.batch.settled_at + delay + watched, self.proven_at)

    @property
    def proven_at(self) -> float:
        """When every task that is to stay has run for `monitor` since its last start; 0 where none
        runs.  What has replaced a task that ended later than that is not waited for, as in Swarm,
        nor is what has replaced one that failed and might."""
        return max(
            (
                self.run.proven_at(slot.new) or 0.0
                for slot in self.slots
                if slot.new is not None and slot.first in (None, slot.new)
            ),
            default=0.0,
        )

    def is_rebound(self, slot: Slot) -> bool:
        """It is adrift, and gets another task in its place though no update asks for it."""
        numbers = (each.number for each in self.batch.candidates)
        return bool(slot.adrift) and slot.number in numbers

    @property
    def rebinds(self) -> bool:
        """Slots are adrift, and what they are to be bound to is there."""
        return any(slot.adrift for slot in self.batch.candidates)

    def revision_of(self, digest: str) -> Revision:
        """The newest that asks for it; what is asked for now where that is no longer recorded."""
        found = (each for each in reversed(self.world.revisions) if each.digest == digest)
        return next(found, self.run.target)

    def attempt(self, number: int, digest: str) -> Attempt | None:
        """What became of the tries to make a task of this definition Ready in a slot."""
        found = self.attempts.get(number)
        return found if found is not None and found.digest == digest else None

    def has_given_up(self, attempt: Attempt) -> bool:
        """It is not tried again.  Whoever supervises goes on for ever once the update is over."""
        for_ever = self.supervised and not self.is_open
        return not for_ever and gave_up(attempt, self.run, self.now)

    def is_busy(self, target: tuple[str, object]) -> bool:
        return target in self.world.busy

    def old_revision(self) -> Revision:
        """What the slots run that the run has not reached: the last completed definition."""
        return last_completed(self.world.revisions) or self.run.target

    def running(self) -> Iterator[Task]:
        """Every task that runs well and is to stay up, of any definition."""
        for slot in (*self.slots, *self.extra):
            for task in slot.tasks:
                if task.running and task.container_id not in self.leaving:
                    yield task


def view_of(world: World) -> View:
    world = replace(world, tasks=with_grace(world.tasks, world.revisions[-1]))
    run = run_of(world.revisions, world.deadline_s, world.came_up_at)
    run = replace(run, past=past_of(world.revisions, world.tasks, run.monitor_s, world.now))
    leaving = world.leaving | frozenset(_stopped_by_others(world, run))
    adopted = next((r.digest for r in world.revisions if r.cause is Cause.ADOPTED), "")
    found = slots_of(world.tasks, run, leaving, world.bound.adrift, adopted)
    wanted, extra = _choose(found, run)
    attempts = {
        each.slot: _in_this_run(each, run)
        for each in world.attempts
        if each.last_at >= run.began_at
    }
    wanted_digest = {slot.number: slot.digest for slot in wanted}
    ours = {slot: each for slot, each in attempts.items() if each.digest == wanted_digest.get(slot)}
    replaces = any(_is_replaced(slot) for slot in wanted)
    members = tuple(
        slot
        for slot in wanted
        if (_is_replaced(slot) or slot.adrift if replaces else not slot.existed)
    )
    is_for_ever = world.supervised and not world.stopping and (run.paused or run.finished)
    bindable = frozenset(slot.number for slot in wanted if _has_home(world, slot))
    failures = failures_of(members, ours, run, world.now, None)
    handed_out_at = _handed_out_at(members, failures)
    if handed_out_at is not None:
        failures = failures_of(members, ours, run, world.now, handed_out_at)
    return View(
        world=world,
        run=run,
        slots=wanted,
        extra=extra,
        members=members,
        replaces=replaces,
        attempts=attempts,
        failures=failures,
        batch=batch_of(
            wanted,
            members,
            run,
            world.now,
            world.busy,
            {} if is_for_ever else ours,
            failures,
            bindable,
        ),
        bindable=bindable,
        leaving=leaving,
    )


def _stopped_by_others(world: World, run: Run) -> Iterator[str]:
    """Tasks that made room for what was asked for before, until that was taken back, and whoever
    was stopping them died: they will be gone, though they have the definition asked for now.

    At rest nobody knows why a task was asked to end: it may be coming back (`docker restart`).
    """
    if not run.is_open:
        return
    for task in world.tasks:
        ends_at = task.stop_ends_at
        if ends_at is not None and world.now < ends_at and task.revision < run.first:
            yield task.container_id


def _is_replaced(slot: Slot) -> bool:
    return slot.existed and (bool(slot.run) or slot.bucket in _TO_REPLACE)


def _has_home(world: World, slot: Slot) -> bool:
    """All is there that a task of its definition is bound to."""
    if not world.bound.missing:
        return True
    found = (each.spec for each in reversed(world.revisions) if each.digest == slot.digest)
    spec = next(found, world.revisions[-1].spec)
    return may_be_bound(world.bound, spec)


def _in_this_run(attempt: Attempt, run: Run) -> Attempt:
    """A run that is resumed, or asks for the same once more, has its whole deadline again."""
    return replace(attempt, first_at=max(attempt.first_at, run.began_at))


def _choose(found: tuple[Slot, ...], run: Run) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    """Which slots stay, filled up with the lowest free numbers, and which are one too many.

    Swarm's order, and unhealthy before healthy: slots that do not run go first, then the highest.
    3 of 1 2 3 4 5 where 2 is down: 1 3 4 stay, 2 and 5 go.  So it stays when 4 ends later: of those
    that do not run, those that did not when there were to be fewer go first.

    A slot of which only history is left is not there: its number is taken like any other.
    """
    count = run.target.spec.slots
    there = [slot for slot in found if slot.number <= count or not slot.is_history]
    kept = sorted(there, key=lambda slot: (not _runs(slot), _was_down(slot, run), slot.number))
    kept = kept[:count]
    taken = {slot.number for slot in kept}
    extra = tuple(slot for slot in found if slot.number not in taken)
    number = 1
    while len(kept) < count:
        if number not in taken:
            kept.append(vacant(number, run))
        number += 1
    return tuple(sorted(kept, key=lambda slot: slot.number)), extra


def _was_down(slot: Slot, run: Run) -> bool:
    """It did not run when there were last to be fewer slots, and nothing of it has since."""
    if not run.scaled_down or run.scaled_down[-1].until is not None:
        return False
    at = run.scaled_down[-1].at
    return all(task.ended and (task.finished_at or task.created_at) <= at for task in slot.tasks)


def _runs(slot: Slot) -> bool:
    """It is in service, or on its way there after a stop: not down by itself, not unhealthy."""
    return (
        slot.bucket is Bucket.COMPLETE
        or any(task.alive and not task.unhealthy for task in slot.tasks)
        or was_shut_down(slot)
    )


def _handed_out_at(members: tuple[Slot, ...], failures: tuple[Failure, ...]) -> float | None:
    """When the last slot of the run was begun; None while one is still to be."""
    failed = {failure.slot for failure in failures}
    times = []
    for slot in members:
        if slot.first is None and slot.number not in failed:
            return None
        if slot.first is not None:
            times.append(slot.first.started_at or slot.first.created_at)
    return max(times, default=None)

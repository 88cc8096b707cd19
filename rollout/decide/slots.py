"""Each slot in exactly one bucket, from nothing but its containers.

Buckets, of a slot that is wanted (`new` has the definition asked for, `old` another one):

    UPDATED   a new task runs, no old one is left
    OVERLAP   a new task runs, an old one too (start-first): the old one is to be stopped
    STARTING  a new task is up but not running well yet
    VACATED   the old one was stopped for a new one that is Ready: start it
    COMPLETE  the last task had the definition asked for, and has done what it is for: a job's
    FAILED    a new task of this run ended; nothing new is up
    DIRTY     an old task is up, nothing new is; one that is adrift counts as old
    DOWN      an old task was the last one, or one that had ended before anything was asked for, or
              one that went down with what it was bound to,
              and it is not up
    LOST      the last task had the definition asked for, and it ended
    VACANT    there is nothing, or only what was stopped for something else, or the history of a
              slot that was scaled away; of a
              completed update also what was there before it: the task itself was removed by hand
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from rollout.decide.jobs import has_ended_well, was_complete_as_job
from rollout.decide.run import Run, ScaleDown, run_of
from rollout.model.revision import Revision
from rollout.model.spec import RestartCondition
from rollout.model.state import ContainerStatus
from rollout.model.task import Task

_NOTHING: Mapping[str, str] = {}


class Bucket(StrEnum):
    UPDATED = "updated"
    OVERLAP = "overlap"
    STARTING = "starting"
    VACATED = "vacated"
    COMPLETE = "complete"
    FAILED = "failed"
    DIRTY = "dirty"
    DOWN = "down"
    LOST = "lost"
    VACANT = "vacant"


class Slot(Struct, frozen=True, kw_only=True, gc=False):
    number: int
    bucket: Bucket
    tasks: tuple[Task, ...] = ()
    """All of the slot, oldest first."""
    gone: tuple[Task, ...] = ()
    """Those that ended before the slot was scaled away, or with that: history, whatever the slot is
    asked for since."""
    new: Task | None = None
    """Up, with the definition asked for."""
    old: tuple[Task, ...] = ()
    """Up, with another definition, being stopped or failing under Docker, oldest first."""
    surplus: tuple[Task, ...] = ()
    """Up beside `new` with the same definition: one too many."""
    ready: Task | None = None
    stale: tuple[Task, ...] = ()
    """Made Ready for what is no longer asked for, or twice."""
    run: tuple[Task, ...] = ()
    """Tasks by which this run judges the slot, oldest first: those that it has started, and what
    had not run for `monitor` yet when it began."""
    last: Task | None = None
    """What ended last; it need not have been made last (start-first).  After a completed update,
    of the tasks asked for, where there is one: predecessors may have taken long to stop."""
    adrift: str = ""
    """Why what is in it, or was until that was gone, is out of date though its definition is not:
    what it was bound to is gone or was replaced."""
    digest: str = ""
    """Of the definition that it is to have: the run's, or in a paused one that of what is
    adrift."""
    existed: bool = False
    """It was there before this run began, so replacing it is part of the update."""

    @property
    def first(self) -> Task | None:
        """The run's first task here: the slot is through when it is."""
        return self.run[0] if self.run else None

    @property
    def counted(self) -> tuple[Task, ...]:
        """Without those from before it was scaled away."""
        if not self.gone:
            return self.tasks
        return tuple(task for task in self.tasks if task not in self.gone)

    @property
    def is_history(self) -> bool:
        """It was scaled away, and nothing is in it since."""
        return bool(self.gone) and len(self.gone) == len(self.tasks)


def slots_of(
    tasks: Iterable[Task],
    run: Run,
    leaving: frozenset[str] = frozenset(),
    adrift: Mapping[str, str] = _NOTHING,
    adopted: str = "",
) -> tuple[Slot, ...]:
    """Every slot that has a container, in ascending order.

    `leaving`: container ids of tasks that are being stopped.  One that was to make room for a
    definition that is no longer asked for will be gone as well, though it has the right one.
    `adrift`: container id → why, of tasks that are bound to what is gone: out of date as well.
    `adopted`: the digest of the definition that tasks without one were taken over with.
    """
    by_slot: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        by_slot[task.slot].append(task)
    return tuple(
        _slot(number, by_slot[number], run, leaving, adrift, adopted) for number in sorted(by_slot)
    )


def vacant(number: int, run: Run) -> Slot:
    return Slot(
        number=number,
        bucket=_empty(run),
        digest=run.digest,
        existed=number <= run.slots_before,
    )


def _empty(run: Run) -> Bucket:
    """Without a container.  That of a job that is through may have been tidied away: it is not run
    once more for that."""
    return Bucket.COMPLETE if was_complete_as_job(run.target) else Bucket.VACANT


def was_shut_down(slot: Slot) -> bool:
    """What ended last did so after its successor had been made, so it was stopped for it (see
    `state_of`)."""
    return slot.last is not None and _was_stopped_for_another(slot.last, slot.tasks)


def scaled_away(revisions: tuple[Revision, ...], tasks: Iterable[Task]) -> Mapping[str, float]:
    """Task id → when there were to be fewer slots, of tasks that are history by that."""
    run = run_of(revisions)
    by_slot: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        by_slot[task.slot].append(task)
    return {
        task.id: min(
            each.at
            for each in run.scaled_down
            if each.slots < task.slot and task.created_at < each.at
        )
        for found in by_slot.values()
        for task in _gone(tuple(found), run)
    }


def _slot(
    number: int,
    found: list[Task],
    run: Run,
    leaving: frozenset[str],
    adrift: Mapping[str, str],
    adopted: str,
) -> Slot:
    every = tuple(sorted(found, key=_age)) if len(found) > 1 else tuple(found)
    gone = _gone(every, run) if run.scaled_down else ()
    tasks = tuple(task for task in every if task not in gone) if gone else every
    digest = _wanted(tasks, run, adrift, adopted) if adrift and run.paused else run.target.digest
    ran: list[Task] = []
    new: list[Task] = []
    old: list[Task] = []
    stale: list[Task] = []
    ready: Task | None = None
    last: Task | None = None
    for task in tasks:
        fits = task.digest == digest and task.container_id not in adrift
        stays = fits and task.container_id not in leaving and not _does_not_serve(task, run)
        if (
            fits
            and _is_of_run(task, tasks, run)
            and (stays or not task.alive or task.revision >= run.first)
            and not _is_to_be_replaced(task, run)
        ):
            ran.append(task)
        if task.alive:
            (new if stays else old).append(task)
        elif task.ended:
            last = task if last is None or _matters(task, run) >= _matters(last, run) else last
        elif task.prepared:
            # One that an earlier run has left Ready would, once started, not be judged by this one.
            judged = task.revision >= run.first or digest != run.digest
            if ready is None and fits and judged:
                ready = task
            else:
                stale.append(task)
    if len(new) > 1:
        # The one that runs longest well is kept.
        new.sort(key=lambda task: (not task.running, _age(task)))
    lost = "" if new else _lost(old, last, ran, adrift)
    if lost:
        # It begins anew: what it did before is no longer what it is judged by.
        ran = []
    return Slot(
        number=number,
        adrift=lost,
        digest=digest,
        bucket=_adrift_bucket(old, ready, last)
        if lost
        else _bucket(tasks, new, old, ready, ran, last, run),
        tasks=every,
        gone=gone,
        new=new[0] if new else None,
        old=tuple(old),
        surplus=tuple(new[1:]),
        ready=ready,
        stale=tuple(stale),
        run=tuple(ran),
        last=last,
        existed=_existed(tasks, number, run),
    )


def _wanted(tasks: tuple[Task, ...], run: Run, adrift: Mapping[str, str], adopted: str) -> str:
    """A paused update is not continued by what happens to a neighbour: what is adrift in a slot
    that it has not reached gets its own definition again."""
    started = [task for task in tasks if task.alive or (task.ended and task.started_at)]
    if not started:
        return run.digest
    newest = max(started, key=lambda task: (task.alive, task.created_at))
    return newest.digest or adopted if newest.container_id in adrift else run.digest


def _lost(old: list[Task], last: Task | None, ran: list[Task], adrift: Mapping[str, str]) -> str:
    """Why there is nothing in the slot that is bound to what is there; not where the run has begun
    it since."""
    newest = old[-1] if old else last
    if newest is None or any(task.container_id not in adrift for task in (*old, newest)):
        return ""
    if ran and ran[-1].created_at > newest.created_at:
        return ""
    return adrift[newest.container_id]


def _adrift_bucket(old: list[Task], ready: Task | None, last: Task | None) -> Bucket:
    if old:
        return Bucket.DIRTY
    stopped = ready is not None and last is not None and _end(last) >= ready.created_at
    return Bucket.VACATED if stopped else Bucket.DOWN


def _existed(tasks: tuple[Task, ...], number: int, run: Run) -> bool:
    return number <= run.slots_before or any(
        task.revision < run.first or _does_not_serve(task, run) for task in tasks
    )


def _age(task: Task) -> tuple[float, str]:
    return (task.created_at, task.id)


def _matters(task: Task, run: Run) -> tuple[bool, float]:
    return (run.completed and task.digest == run.digest, _end(task))


def _end(task: Task) -> float:
    return task.finished_at or task.created_at


def _is_of_run(task: Task, tasks: tuple[Task, ...], run: Run) -> bool:
    if task.prepared or _may_have_ended_with_engine(task, run):
        return False
    if task.revision >= run.first and task.created_at >= run.since:
        return True
    stopped = task.ended and task.revision < run.first and _was_stopped_for_another(task, tasks)
    return task.created_at < run.began_at and _was_under_way(task, run) and not stopped


def _was_under_way(task: Task, run: Run) -> bool:
    """Neither proven nor over when the run began: that is still to be seen.  Of a task that Docker
    has started anew only its last start is known."""
    proven_at = run.proven_at(task)
    proven = proven_at is not None and proven_at <= run.began_at
    over = task.ended and _end(task) <= run.began_at
    return not proven and not over


def _does_not_serve(task: Task, run: Run) -> bool:
    """It was there before this run, and is of no use to it.  It may have come down under Docker's
    policy, and wait there for its next start: that may be a minute away, and is no start of ours to
    judge."""
    waits = task.status is ContainerStatus.RESTARTING and _was_there_before(task, run)
    return waits or _is_to_be_replaced(task, run)


def _is_to_be_replaced(task: Task, run: Run) -> bool:
    """Somebody holds it by `docker pause`, or it had turned unhealthy, when something was asked
    for: to ask is to have it running."""
    held = task.status is ContainerStatus.PAUSED
    sick = task.unhealthy and (task.unhealthy_since or 0.0) <= run.began_at
    return (held or sick) and _was_there_before(task, run)


def _was_there_before(task: Task, run: Run) -> bool:
    return run.is_open and task.created_at < run.began_at


def _is_tried_again(task: Task, run: Run) -> bool:
    """It had ended before anything was asked for, or went down with the engine: to ask is to have
    it running, whatever its restart policy.  But what ended well may rest."""
    if _may_have_ended_with_engine(task, run):
        return task.revision >= run.first and not run.finished
    over_at = min(_end(task), task.unhealthy_since or _end(task))
    if over_at > run.began_at or _rests(task, run):
        return False
    return not run.finished or (task.revision >= run.first and _end(task) <= run.since)


def _rests(task: Task, run: Run) -> bool:
    """It ended of its own will, and its policy leaves it at that."""
    well = task.exit_code == 0 and task.unhealthy_since is None
    return well and run.target.spec.task.restart.condition is not RestartCondition.ANY


def _may_have_ended_with_engine(task: Task, run: Run) -> bool:
    return task.ended and _end(task) <= run.came_up_at


def _is_complete(task: Task, tasks: tuple[Task, ...], run: Run) -> bool:
    """It has ended well, and by itself."""
    return (
        run.ends_well
        and task.digest == run.digest
        and has_ended_well(task)
        and not _was_stopped_for_another(task, tasks)
        and (run.finished or not _may_have_ended_with_engine(task, run))
    )


def _gone(tasks: tuple[Task, ...], run: Run) -> tuple[Task, ...]:
    return tuple(
        task
        for task in tasks
        if task.ended
        and any(
            each.slots < task.slot
            and task.created_at < each.at
            and not _outlived(each, task, tasks)
            for each in run.scaled_down
        )
    )


def _outlived(down: ScaleDown, task: Task, tasks: tuple[Task, ...]) -> bool:
    """The slot was kept, since another one did not run: tasks of it were started after that, or the
    next one waits for this one to stop."""
    return any(
        _was_started_during(down, other)
        or (other.prepared and task.created_at < other.created_at <= _end(task))
        for other in tasks
    )


def _was_started_during(down: ScaleDown, task: Task) -> bool:
    at = task.started_at
    return at is not None and down.at < at and (down.until is None or at < down.until)


def _was_stopped_for_another(task: Task, tasks: tuple[Task, ...]) -> bool:
    return any(
        other.created_at > task.created_at and (task.finished_at or 0.0) >= other.created_at
        for other in tasks
    )


def _bucket(
    tasks: tuple[Task, ...],
    new: list[Task],
    old: list[Task],
    ready: Task | None,
    ran: list[Task],
    last: Task | None,
    run: Run,
) -> Bucket:
    if new:
        if not new[0].running:
            return Bucket.STARTING
        return Bucket.OVERLAP if old else Bucket.UPDATED
    if not old and last is not None and _is_complete(last, tasks, run):
        return Bucket.COMPLETE
    if ran and ran[-1].ended:
        return Bucket.FAILED
    if old:
        return Bucket.DIRTY
    if last is None:
        return Bucket.VACANT if tasks else _empty(run)
    if ready is not None and (last.finished_at or 0.0) >= ready.created_at:
        return Bucket.VACATED
    if last.digest != run.digest:
        return Bucket.VACANT if run.completed else Bucket.DOWN
    if _is_tried_again(last, run):
        # One that the run itself has added is in no batch: it is filled.
        return Bucket.DOWN if _existed(tasks, last.slot, run) else Bucket.VACANT
    return Bucket.VACANT if _was_stopped_for_another(last, tasks) else Bucket.LOST

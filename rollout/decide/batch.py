"""Batches: which slots are being replaced now, which come next, and when.

    stop-first    prepare the batch ─▶ stop old ─▶ start new ─▶ running ┐
    start-first   prepare the batch ─▶ start new ─▶ running ─▶ stop old ├─▶ delay ─▶ next batch
                                                                               ┘
No batch number is stored anywhere.  A slot that was begun and has not settled (it neither runs nor
failed) is in flux; slots that settled after those were begun, or whose delay is not over, belong to
the same batch.  With parallelism 3 and slots 1 and 2 begun, 1 already running: 1 in flux + 1 mate,
so there is room for one more, whether the controller died between two stops or the parallelism was
just raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from rollout.decide.failure import deadline_of, gave_up
from rollout.decide.run import Run
from rollout.decide.slots import Bucket, Slot
from rollout.decide.world import Attempt
from rollout.model.status import Failure
from rollout.model.task import Task

PROOF_S = 0.5
"""How long a new task without a healthcheck runs beside its predecessor."""


class Batch(Struct, frozen=True, kw_only=True):
    parallelism: int
    in_flux: tuple[int, ...]
    """Slots begun that have not settled."""
    mates: tuple[int, ...]
    """Slots of the same batch that have settled already."""
    open_at: float
    """When the next slots may be begun, as far as the delay says; in the past: now."""
    settled_at: float
    """When the last slot settled; 0 where none has."""
    candidates: tuple[Slot, ...]
    """Slots still to be begun, in order."""
    empty: int
    """How many slots have lost their task to somebody: down already, and being filled."""

    @property
    def room(self) -> int:
        return max(self.parallelism - len(self.in_flux) - len(self.mates) - self.empty, 0)


def batch_of(
    slots: tuple[Slot, ...],
    members: tuple[Slot, ...],
    run: Run,
    now: float,
    busy: Mapping[tuple[str, object], float],
    attempts: Mapping[int, Attempt],
    failures: Iterable[Failure],
    bindable: frozenset[int] = frozenset(),
) -> Batch:
    """`bindable`: slots for which all is there that their task is bound to.  What is adrift is
    replaced also where no update is under way."""
    failed_at = {failure.slot: failure.at for failure in failures}
    begun: dict[int, float] = {}
    settled: dict[int, float] = {}
    candidates: list[Slot] = []
    empty = 0
    for slot in members:
        if slot.new is not None and now < proven_at(slot, run):
            begun[slot.number] = slot.new.created_at
        elif (done_at := settled_at(slot, run, failed_at.get(slot.number))) is not None:
            settled[slot.number] = done_at
        elif (begun_at := _begun_at(slot, busy, now)) is not None:
            begun[slot.number] = begun_at
        elif slot.bucket is Bucket.VACANT:
            empty += slot.existed
        elif _is_due(slot, run, bindable) and _may_be_begun(slot, run, now, attempts):
            candidates.append(slot)
    for slot in slots:
        if slot.first is None and slot.new is not None and _may_still_start(slot.new, run, now):
            begun[slot.number] = slot.new.created_at
    last = max(settled.values(), default=0.0)
    since = min(begun.values(), default=None)
    mates = tuple(
        sorted(
            number
            for number, at in settled.items()
            if since is not None and (at > since or at + run.delay_s > now)
        )
    )
    return Batch(
        parallelism=run.parallelism or max(len(members), 1),
        in_flux=tuple(sorted(begun)),
        mates=mates,
        open_at=0.0 if begun or not settled else last + run.delay_s,
        settled_at=last,
        candidates=tuple(sorted(candidates, key=_urgency)),
        empty=empty,
    )


def _is_due(slot: Slot, run: Run, bindable: frozenset[int]) -> bool:
    if run.paused or run.finished:
        return bool(slot.adrift) and slot.number in bindable
    return slot.existed or bool(slot.adrift)


def proven_at(slot: Slot, run: Run) -> float:
    """When a task that runs beside its predecessor (start-first) may take its place.

    One without a healthcheck counts as running from its start on.  The predecessor is there so that
    nothing is lost if that was too early: it stays until the new one has lived for a moment, which
    an image that exits at once does not.
    """
    task = slot.new
    if slot.bucket is not Bucket.OVERLAP or task is None or task.has_healthcheck:
        return 0.0
    return (task.running_since or task.created_at) + min(PROOF_S, run.monitor_s)


def settled_at(slot: Slot, run: Run, failed_at: float | None) -> float | None:
    """When a slot was through: its new task ran, or the slot failed; None while it is not."""
    if slot.first is None:
        return failed_at
    task = slot.first
    if task.restarts and task.created_at >= run.began_at:
        # A restart by Docker moves the start, never the moment when the slot was through.
        return task.created_at
    if task.running_since is not None:
        return task.running_since
    if slot.bucket is Bucket.COMPLETE and slot.last is not None:
        # Of a job that ended before its healthcheck had passed.
        return slot.last.finished_at
    if task.armed and not run.is_open:
        # Whether it ever runs is between Docker and it.
        return task.created_at
    return failed_at


def _begun_at(slot: Slot, busy: Mapping[tuple[str, object], float], now: float) -> float | None:
    if slot.first is not None:
        return slot.first.started_at or slot.first.created_at
    if slot.bucket is Bucket.VACATED:
        return slot.last.finished_at if slot.last and slot.last.finished_at else now
    if not busy:
        return None
    under_way = [
        busy[key]
        for task in (*slot.old, *((slot.ready,) if slot.ready else ()), *slot.stale)
        if (key := ("task", task.container_id)) in busy
    ]
    return min(under_way, default=None)


def _may_still_start(task: Task, run: Run, now: float) -> bool:
    """Begun before this run and not through: it is down now, whoever began it."""
    if task.running or task.running_since is not None or (task.armed and not run.is_open):
        return False
    limit = deadline_of(task, run)
    return limit is None or now < limit


def _may_be_begun(slot: Slot, run: Run, now: float, attempts: Mapping[int, Attempt]) -> bool:
    attempt = attempts.get(slot.number)
    return attempt is None or not gave_up(attempt, run, now)


def _urgency(slot: Slot) -> tuple[int, int]:
    """Down first, then unhealthy: replacing those cannot cost availability.  Then ascending."""
    rank = 0
    for task in slot.old:
        rank = max(rank, 2 if task.running else 1)
    return (rank, slot.number)


def deadlines(slots: Iterable[Slot], run: Run) -> Iterator[float]:
    """The moments at which starting tasks will have taken too long."""
    for slot in slots:
        task = slot.new
        if task is None or task.running or task.running_since is not None:
            continue
        # What was left to Docker and does not do well is not waited for at rest.
        if run.is_open or not (task.armed and (task.restarts or task.unhealthy)):
            limit = deadline_of(task, run)
            if limit is not None:
                yield limit

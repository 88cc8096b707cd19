"""One run of an update: what it is about, since when, under which cadence.

A run is the newest revision together with those just before it that asked for the same task and
were never finished: `update --update-delay` in the middle of an update is a new revision of the
same run, so failures already seen still count.  Resuming after a pause starts a run afresh, as
Swarm does.
"""

from __future__ import annotations

from msgspec import Struct

from rollout.decide.jobs import Past, ends_well
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction, Order, UpdateConfig
from rollout.model.state import MarkKind

DEFAULT_MONITOR_S = 5.0
"""Swarm's, when 0 or nothing is given."""


class Run(Struct, frozen=True, kw_only=True):
    target: Revision
    first: int
    """Number of the run's first revision."""
    since: float
    """What was through or over before this moment is not of the run: when it was last resumed, else
    0."""
    began_at: float
    """When it was asked for, or resumed."""
    came_up_at: float
    """What had ended by this moment is not of the run: it may have ended with the engine.  0 where
    the run is paused: why it is stays in sight."""
    changes: bool
    """It asks for another task than the revision before it."""
    slots_before: int
    """How many slots the service had before the run: any above are new."""
    scaled_down: tuple[tuple[float, int], ...]
    """When there were to be fewer slots than before, and how many."""
    parallelism: int
    """0 means all."""
    delay_s: float
    monitor_s: float
    final_monitor_s: float
    action: FailureAction
    ratio: float
    order: Order
    deadline_s: float
    past: Past = Past()

    @property
    def digest(self) -> str:
        return self.target.digest

    @property
    def ends_well(self) -> bool:
        """A task that exits 0 has done what it is for."""
        return ends_well(self.target.spec, self.past)

    @property
    def completes(self) -> bool:
        """Others wait for that: it is through when all its tasks have ended."""
        return self.target.spec.completes

    @property
    def paused(self) -> bool:
        return self.target.last_mark is MarkKind.PAUSED

    @property
    def completed(self) -> bool:
        return self.target.last_mark is MarkKind.COMPLETED

    @property
    def finished(self) -> bool:
        return self.target.last_mark in (MarkKind.COMPLETED, MarkKind.FAILED)


def run_of(
    revisions: tuple[Revision, ...], deadline_s: float | None = None, came_up_at: float = 0.0
) -> Run:
    """The run that the newest revision stands for; `deadline_s` replaces its own deadline."""
    target = revisions[-1]
    first = len(revisions) - 1
    while first > 0 and _goes_on(revisions[first - 1], revisions[first]):
        first -= 1
    cadence = target.spec.rollback if target.is_rollback else target.spec.update
    monitor = cadence.monitor_s or DEFAULT_MONITOR_S
    since = max((m.at for m in target.marks if m.kind is MarkKind.RESUMED), default=0.0)
    return Run(
        target=target,
        first=revisions[first].number,
        since=since,
        began_at=max(since, revisions[first].created_at),
        came_up_at=0.0 if target.last_mark is MarkKind.PAUSED else came_up_at,
        changes=first > 0 and revisions[first - 1].digest != target.digest,
        slots_before=revisions[first - 1].spec.slots if first else 0,
        scaled_down=tuple(
            (after.created_at, after.spec.slots)
            for number, after in enumerate(revisions)
            if number and after.spec.slots < revisions[number - 1].spec.slots
        ),
        parallelism=cadence.parallelism,
        delay_s=cadence.delay_s,
        monitor_s=monitor,
        final_monitor_s=_final_monitor(cadence, monitor),
        action=cadence.failure_action,
        ratio=cadence.max_failure_ratio,
        order=cadence.order,
        deadline_s=target.spec.progress_deadline_s if deadline_s is None else deadline_s,
    )


def last_completed(revisions: tuple[Revision, ...]) -> Revision | None:
    """What an automatic rollback goes back to: the newest revision that once was complete and asks
    for another task than the one that fails now."""
    failing = revisions[-1].digest
    return next(
        (
            each
            for each in reversed(revisions[:-1])
            if each.digest != failing and any(m.kind is MarkKind.COMPLETED for m in each.marks)
        ),
        None,
    )


def _goes_on(before: Revision, after: Revision) -> bool:
    """`after` continues what `before` had begun: the same tasks, never finished nor paused."""
    return (
        before.digest == after.digest
        and not before.marks
        and before.is_rollback == after.is_rollback
    )


def _final_monitor(cadence: UpdateConfig, monitor: float) -> float:
    """Swarm's rule for the last tasks, which no delay follows that would watch over them.

    delay 4 s, monitor 2 s: the last batch is watched 4 + 1 = 5 s, so that a task that ends 3 s
    after its start still counts; delay 2 s, monitor 5 s: 5 s.
    """
    return cadence.delay_s + 1.0 if cadence.delay_s >= monitor else monitor

"""One run of an update: what it is about, since when, under which cadence.

A run is the newest revision together with those just before it that asked for the same task and
were never finished: `update --update-delay` in the middle of an update is a new revision of the
same run, so failures already seen still count.  Resuming after a pause starts a run afresh, as
Swarm does.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rollout.decide.jobs import JOB, Past, ends_well
from rollout.model.revision import Revision
from rollout.model.spec import DEFAULT_MONITOR_S, FailureAction, Order, UpdateConfig
from rollout.model.state import Cause, MarkKind, Proof
from rollout.model.task import Task

_KNOWN_TO_RUN = (Cause.ADOPTED, Cause.REBUILT)
"""What was recorded because it ran."""


class ScaleDown(Struct, frozen=True):
    """There were to be fewer slots."""

    at: float
    slots: int
    until: float | None
    """When there were to be more again."""


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
    scaled_down: tuple[ScaleDown, ...]
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

    @property
    def is_open(self) -> bool:
        """It has come to no end, for now or for good."""
        return not (self.paused or self.finished)

    def proven_at(self, task: Task) -> float | None:
        """When a task has run for `monitor` since its last start, whoever started it; None as long
        as it has not run."""
        return None if task.running_since is None else task.running_since + self.monitor_s


def run_of(
    revisions: tuple[Revision, ...], deadline_s: float | None = None, came_up_at: float = 0.0
) -> Run:
    """The run that the newest revision stands for; `deadline_s` replaces its own deadline."""
    target = revisions[-1]
    first = len(revisions) - 1
    while first > 0 and _goes_on(revisions[first - 1], revisions[first]):
        first -= 1
    cadence = _cadence(target)
    monitor = _monitor(cadence)
    since = max((m.at for m in target.marks if m.kind is MarkKind.RESUMED), default=0.0)
    return Run(
        target=target,
        first=revisions[first].number,
        since=since,
        began_at=max(since, revisions[first].created_at),
        came_up_at=0.0 if target.last_mark is MarkKind.PAUSED else came_up_at,
        changes=first > 0 and revisions[first - 1].digest != target.digest,
        slots_before=revisions[first - 1].spec.slots if first else 0,
        scaled_down=scale_downs(revisions),
        parallelism=cadence.parallelism,
        delay_s=cadence.delay_s,
        monitor_s=monitor,
        final_monitor_s=_final_monitor(cadence, monitor),
        action=cadence.failure_action,
        ratio=cadence.max_failure_ratio,
        order=cadence.order,
        deadline_s=target.spec.progress_deadline_s if deadline_s is None else deadline_s,
    )


def scale_downs(revisions: Sequence[Revision]) -> tuple[ScaleDown, ...]:
    found: list[ScaleDown] = []
    for number, after in enumerate(revisions):
        slots = after.spec.slots
        if number and slots < revisions[number - 1].spec.slots:
            later = (each for each in revisions[number:] if each.spec.slots > slots)
            up = next(later, None)
            found.append(ScaleDown(after.created_at, slots, up.created_at if up else None))
    return tuple(found)


def last_completed(revisions: tuple[Revision, ...]) -> Revision | None:
    """What an automatic rollback goes back to: the newest revision whose tasks were once seen to
    run, and that asks for another task than the one that fails now."""
    failing = revisions[-1].digest
    return next(
        (
            revisions[at]
            for at in reversed(range(len(revisions) - 1))
            if revisions[at].digest != failing and was_proved(revisions, at)
        ),
        None,
    )


def was_proved(revisions: tuple[Revision, ...], at: int) -> bool:
    """Whether all tasks of a revision were once seen to run for `monitor`.

    A mark of a version that did not say so counts where there was time enough to see it; else the
    tasks were there before, and what counts is what was seen of them then.
    """
    each = revisions[at]
    began_at = each.created_at
    for mark in each.marks:
        if mark.kind is MarkKind.RESUMED:
            began_at = mark.at
        if mark.kind is not MarkKind.COMPLETED or mark.reason == Proof.UNPROVED:
            continue
        if mark.reason in (Proof.PROVED, JOB) or each.cause in _KNOWN_TO_RUN:
            return True
        if each.spec.slots and mark.at - began_at >= _monitor(_cadence(each)):
            return True
        if at and revisions[at - 1].digest == each.digest and was_proved(revisions, at - 1):
            return True
    return False


def _goes_on(before: Revision, after: Revision) -> bool:
    """`after` continues what `before` had begun: the same tasks, never finished nor paused."""
    return (
        before.digest == after.digest
        and not before.marks
        and before.is_rollback == after.is_rollback
    )


def _cadence(revision: Revision) -> UpdateConfig:
    return revision.spec.rollback if revision.is_rollback else revision.spec.update


def _monitor(cadence: UpdateConfig) -> float:
    return cadence.monitor_s or DEFAULT_MONITOR_S


def _final_monitor(cadence: UpdateConfig, monitor: float) -> float:
    """Swarm's rule for the last tasks, which no delay follows that would watch over them.

    delay 4 s, monitor 2 s: the last batch is watched 4 + 1 = 5 s, so that a task that ends 3 s
    after its start still counts; delay 2 s, monitor 5 s: 5 s.
    """
    return cadence.delay_s + 1.0 if cadence.delay_s >= monitor else monitor

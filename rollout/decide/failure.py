"""Failures of a run: which slots have failed, when, why, and whether that is too many.

A slot fails once, by the first task of the run in it: it ended (exit code 0 too), turned
unhealthy, could not be made Ready or was not running by the deadline, before it was running or
within the monitor window after.  Judged by when it happened, so that nobody need have watched.
What ends later than that is no failure of the update, as in Swarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rollout.decide.jobs import has_ended_well
from rollout.decide.run import Run
from rollout.decide.slots import Slot
from rollout.decide.world import Attempt
from rollout.model.state import ContainerStatus
from rollout.model.status import Failure
from rollout.model.task import Task
from rollout.model.units import format_duration


def failures_of(
    members: Iterable[Slot],
    attempts: Mapping[int, Attempt],
    run: Run,
    now: float,
    handed_out_at: float | None,
) -> tuple[Failure, ...]:
    """Failures among the slots that the run replaces, in order of time.

    `handed_out_at`: when the last of them was begun, None while some wait: from then on the longer
    final monitor window applies.
    """
    found = []
    for slot in members:
        failure = None
        if slot.first is not None:
            failure = _of_task(slot.first, run, now, handed_out_at)
        elif slot.number in attempts:
            failure = _of_attempt(attempts[slot.number], run, now)
        if failure is not None:
            found.append(failure)
    return tuple(sorted(found, key=lambda failure: (failure.at, failure.slot)))


def too_many(failures: int, slots: int, ratio: float) -> bool:
    """Swarm's rule, strictly more: 2 of 4 under 0.5 goes on, 3 of 4 does not; 1 of 10 under 0
    acts."""
    return slots > 0 and failures / slots > ratio


def deadline_of(task: Task, run: Run) -> float | None:
    """When a task that was started must be running, with all its time again after a pause; None: it
    may take for ever."""
    if not run.deadline_s or task.started_at is None:
        return None
    return max(task.started_at, run.since) + run.deadline_s


def retry_at(attempt: Attempt) -> float:
    """Growing pauses: 1, 2, 4, 8, 16, then every 30 seconds."""
    return attempt.last_at + min(2.0 ** min(attempt.count - 1, 5), 30.0)


def gave_up(attempt: Attempt, run: Run, now: float) -> bool:
    """The answer was final, or what may pass has not passed by the deadline."""
    return attempt.final or (bool(run.deadline_s) and now >= attempt.first_at + run.deadline_s)


def _of_attempt(attempt: Attempt, run: Run, now: float) -> Failure | None:
    if not gave_up(attempt, run, now):
        return None
    if attempt.final:
        reason = f"cannot be made: {attempt.error}"
        return Failure(slot=attempt.slot, task_id="", reason=reason, at=attempt.last_at)
    return Failure(
        slot=attempt.slot,
        task_id="",
        reason=f"not ready after {format_duration(run.deadline_s)}: {attempt.error}",
        at=attempt.first_at + run.deadline_s,
        deadline=True,
    )


def _of_task(task: Task, run: Run, now: float, handed_out_at: float | None) -> Failure | None:
    limit = deadline_of(task, run)
    ran_at = task.running_since
    if run.ends_well and has_ended_well(task):
        return None
    held = task.status is ContainerStatus.PAUSED
    if limit is not None and (now >= limit if ran_at is None or held else ran_at > limit):
        late = f"not running after {format_duration(run.deadline_s)}"
        if held:
            late += ": paused by docker pause"
        if why := task.error or task.probe:
            late += f": {why}"
        return _failure(task, late, limit, deadline=True)
    ended_at = _ended_at(task)
    if ended_at is None:
        return None
    window = run.monitor_s
    if handed_out_at is not None and ended_at >= handed_out_at:
        window = run.final_monitor_s
    if ran_at is not None and ended_at - ran_at > window and not run.completes:
        return None
    return _failure(task, describe_end(task), ended_at)


def _ended_at(task: Task) -> float | None:
    if task.unhealthy_since is not None and (task.unhealthy or task.ended):
        return task.unhealthy_since
    if task.ended:
        return task.finished_at or task.started_at or task.created_at
    return None


def describe_end(task: Task) -> str:
    """Why a task is not well, in one phrase: `exited 3 1.2s after start`."""
    if task.unhealthy_since is not None:
        probe = f": {task.error}" if task.error else ""
        return f"unhealthy{probe}"
    if task.started_at is None:
        return f"could not be started: {task.error}" if task.error else "could not be started"
    how = "killed, out of memory," if task.oom_killed else f"exited {task.exit_code}"
    if task.finished_at is None:
        return how
    after = max(task.finished_at - task.started_at, 0.0)
    return f"{how} {after:.1f}s after start"


def _failure(task: Task, reason: str, at: float, *, deadline: bool = False) -> Failure:
    return Failure(slot=task.slot, task_id=task.id, reason=reason, at=at, deadline=deadline)

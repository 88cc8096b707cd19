"""What a ledger has lost, from what is left: the containers' own labels and its other records.

Every container carries the definition it was made from, under the number of its revision.  A task
whose revision is not recorded is the sign of a loss, for `trim` keeps what tasks were made for; so
is a mark without its revision, and a revision that says the one before it had ended though there is
no mark that says how.

What was asked for and never came to a container (a scale-down, another cadence) is lost for good.
A number that some record still names is filled with what runs, so that no older definition becomes
the newest by that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from rollout.model.canonical import spec_in, task_digest
from rollout.model.revision import Mark, Revision
from rollout.model.spec import DEFAULT_MONITOR_S, Mode, RestartCondition, ServiceSpec
from rollout.model.state import Cause, MarkKind
from rollout.model.task import Task

MESSAGE = "rebuilt from its containers"

History = tuple[Revision, ...]
Marks = Mapping[int, tuple[Mark, ...]]
"""Number of a revision → its marks."""

_ENDS = {kind.value: kind for kind in (MarkKind.COMPLETED, MarkKind.PAUSED, MarkKind.FAILED)}


def missing(
    stack: str, service: str, history: History, marks: Marks, tasks: tuple[Task, ...]
) -> History:
    """The revisions of a service that the ledger lacks, and those whose marks it lacks; each with
    the marks it is to have.

    `history` are those recorded, oldest first; `marks` those of revisions that are not; `tasks` are
    the service's, dead ones too.
    """
    known = {each.number: each for each in history}
    lost = _from_tasks(stack, service, known.keys(), tasks) if _is_evidence(history, tasks) else {}
    if not known and not lost:
        return ()
    highest = max((*marks, 0))
    if highest > max((*known, *lost)):
        lost[highest] = _as_it_runs(highest, {**known, **lost}, tasks)
    elif lost and max(lost) > max(known, default=0):
        lost[max(lost)] = _scaled(lost[max(lost)], tasks)
    whole = [each for _, each in sorted({**known, **lost}.items())]
    result: list[Revision] = []
    for at, revision in enumerate(whole):
        before = whole[at - 1] if at else None
        after = whole[at + 1] if at + 1 < len(whole) else None
        whole[at] = completed = _told(revision, before, after, lost, marks, tasks)
        if completed.number in lost or completed.marks != revision.marks:
            result.append(completed)
    return tuple(result)


def with_missing(history: History, found: History) -> History:
    """The history as it was, as far as that is known."""
    whole = {each.number: each for each in (*history, *found)}
    return tuple(each for _, each in sorted(whole.items()))


def _is_evidence(history: History, tasks: Iterable[Task]) -> bool:
    """A container that was only ever created may be what a late controller left of a stack that is
    gone."""
    return bool(history) or any(task.revision and task.started_at is not None for task in tasks)


def _from_tasks(
    stack: str, service: str, known: Iterable[int], tasks: tuple[Task, ...]
) -> dict[int, Revision]:
    found: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        if task.revision > 0 and task.revision not in known and _spec(task) is not None:
            found[task.revision].append(task)
    return {
        number: _revision(stack, service, number, spec, min(task.created_at for task in made))
        for number, made in found.items()
        if (spec := _spec(made[0])) is not None
    }


def _revision(stack: str, service: str, number: int, spec: ServiceSpec, at: float) -> Revision:
    return Revision(
        stack=stack,
        service=service,
        number=number,
        cause=Cause.REBUILT,
        spec=spec,
        digest=task_digest(spec.task),
        created_at=at,
        message=MESSAGE,
    )


def _as_it_runs(number: int, known: Mapping[int, Revision], tasks: tuple[Task, ...]) -> Revision:
    """The definition of what is up now: of the newest revision, where that cannot be told."""
    newest = known[max(known)]
    digests = {task.digest for task in tasks if task.alive}
    like = [each for _, each in sorted(known.items()) if {each.digest} == digests]
    source = like[-1] if like else newest
    made = _revision(newest.stack, newest.service, number, source.spec, newest.created_at)
    return _scaled(made, tasks)


def _scaled(revision: Revision, tasks: tuple[Task, ...]) -> Revision:
    """With as many replicas as there are slots, where all of them run as asked for: the service was
    scaled down after the last task was made.  Of a slot that was scaled away tasks may be left."""
    slots = {task.slot for task in tasks if not _was_asked_to_end(task, revision)}
    fewer = slots == set(range(1, len(slots) + 1)) and len(slots) < revision.spec.slots
    if revision.spec.mode is not Mode.REPLICATED or not fewer:
        return revision
    less = replace(revision, spec=replace(revision.spec, replicas=len(slots)))
    return less if _runs(less, tasks) else revision


def _was_asked_to_end(task: Task, revision: Revision) -> bool:
    """It ran well and would have been started again, unless a stop had taken its policy away."""
    ran_at, ended_at = task.running_since, task.finished_at
    if not task.ended or task.armed or ran_at is None or ended_at is None:
        return False
    condition = revision.spec.task.restart.condition
    watched_s = revision.spec.update.monitor_s or DEFAULT_MONITOR_S
    return condition is not RestartCondition.NONE and ended_at - ran_at >= watched_s


def _told(
    revision: Revision,
    before: Revision | None,
    after: Revision | None,
    lost: Mapping[int, Revision],
    marks: Marks,
    tasks: tuple[Task, ...],
) -> Revision:
    """With what is known of its place among the others, and of how it ended."""
    if revision.number in lost:
        at = min(revision.created_at, after.created_at if after else revision.created_at)
        revision = replace(
            revision,
            created_at=max(at, before.created_at if before else at),
            previous_outcome=str(before.last_mark or "") if before else "",
            marks=marks.get(revision.number, ()),
        )
    end = _end_of(revision, after, lost, tasks)
    if end is None or any(mark.kind is end for mark in revision.marks):
        return revision
    mark = Mark(
        number=max((each.number for each in revision.marks), default=0) + 1,
        kind=end,
        message="" if before is None else f"update {end.value}",
        at=after.created_at if after else max((_up_since(task) for task in tasks), default=0.0),
        reason="rebuilt",
    )
    return replace(revision, marks=(*revision.marks, mark))


def _end_of(
    revision: Revision,
    after: Revision | None,
    lost: Mapping[int, Revision],
    tasks: tuple[Task, ...],
) -> MarkKind | None:
    if after is not None and after.number not in lost:
        return _ENDS.get(after.previous_outcome)
    if revision.number not in lost or revision.marks:
        return None
    through = _runs(revision, tasks) if after is None else _ran(revision, tasks)
    return MarkKind.COMPLETED if through else None


def _runs(revision: Revision, tasks: tuple[Task, ...]) -> bool:
    """Every slot has a task of this definition that was watched long enough and runs."""
    watched = revision.spec.task.restart.condition is RestartCondition.NONE
    well = {
        task.slot
        for task in tasks
        if task.digest == revision.digest and task.running and (task.armed or watched)
    }
    return well >= set(range(1, revision.spec.slots + 1))


def _ran(revision: Revision, tasks: tuple[Task, ...]) -> bool:
    """Every slot has, or had, a task of this definition that ran well until it was replaced."""
    well = {
        task.slot
        for task in tasks
        if task.digest == revision.digest
        and task.running_since is not None
        and (task.alive or _was_replaced(task, tasks))
    }
    return well >= set(range(1, revision.spec.slots + 1))


def _was_replaced(task: Task, tasks: tuple[Task, ...]) -> bool:
    """It ended after its successor had been made: it was stopped for it."""
    successors = [
        each.created_at
        for each in tasks
        if each.slot == task.slot and each.created_at > task.created_at
    ]
    return bool(successors) and (task.finished_at or 0.0) >= min(successors)


def _up_since(task: Task) -> float:
    return task.running_since or task.created_at


def _spec(task: Task) -> ServiceSpec | None:
    return spec_in(task.spec)

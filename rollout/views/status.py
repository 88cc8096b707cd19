"""`status`, and the last lines of a command: where a service is, why, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.state import Cause, MarkKind, TaskState, UpdateState
from rollout.model.status import ServiceStatus
from rollout.model.task import Task
from rollout.views.services import in_order, running_words, state_word, steady
from rollout.views.table import table
from rollout.views.tasks import task_rows
from rollout.views.text import clean, timestamp
from rollout.views.waiting import seconds_left, sentence_of

_HEADER = ("NAME", "REVISION", "STATE", "UPDATED", "RUNNING", "MESSAGE")

Words = Mapping[str, Sequence[str]]
"""Task id → its last log lines."""


class Reason(NamedTuple):
    """Why one task failed.  The id is empty where none was made."""

    slot: int
    task_id: str
    text: str


def status_table(statuses: Iterable[ServiceStatus], *, now: float | None = None) -> str:
    """`now` is epoch seconds on the engine's clock."""
    return table(
        _HEADER,
        [
            (
                full_name(each.stack, each.service),
                str(each.revision.number),
                state_word(each),
                f"{each.updated}/{each.total}",
                steady(each),
                sentence_of(each, now) or each.message,
            )
            for each in in_order(statuses)
        ],
    )


def status_documents(
    statuses: Iterable[ServiceStatus],
    *,
    now: float | None = None,
    told: Mapping[str, tuple[Sequence[Reason], Words]] | None = None,
) -> list[dict[str, object]]:
    """`told`: service → why its tasks are not well, and their last log lines."""
    nothing: tuple[Sequence[Reason], Words] = ((), {})
    return [
        {
            "name": full_name(each.stack, each.service),
            "stack": each.stack,
            "service": each.service,
            "revision": each.revision.number,
            "state": state_word(each),
            "outcome": str(each.outcome) if each.outcome else None,
            "message": each.message,
            "started_at": timestamp(each.started_at),
            "completed_at": timestamp(each.completed_at),
            "replicas": {"running": each.running, "desired": each.desired},
            "restarting": len(each.restarting),
            "completed": each.completed,
            "updated": each.updated,
            "total": each.total,
            "batch": list(each.batch),
            "waiting_for": each.waiting_for,
            "until": timestamp(each.until),
            "seconds_left": seconds_left(each.until, now),
            "sentence": sentence_of(each, now),
            "reasons": reason_documents(*(told or {}).get(each.service, nothing)),
            "next_steps": [command for _, command in steps(each)],
            "failures": [
                {
                    "slot": failure.slot,
                    "task": failure.task_id,
                    "reason": failure.reason,
                    "at": timestamp(failure.at),
                }
                for failure in each.failures
            ],
        }
        for each in in_order(statuses)
    ]


def reason_documents(why: Sequence[Reason], words: Words) -> list[dict[str, object]]:
    return [
        {
            "slot": each.slot,
            "task": each.task_id,
            "reason": each.text,
            "log": list(words.get(each.task_id, ())),
        }
        for each in why
    ]


def went_well(status: ServiceStatus) -> bool:
    """Completed as asked for, and all of it runs: not after an automatic rollback."""
    return (
        status.outcome is MarkKind.COMPLETED
        and not status.rolled_back
        and not status.down
        and not status.left_alone
    )


def result_line(status: ServiceStatus) -> str:
    """`dc_worker: update completed (revision 4, 10/10 running)`."""
    message = status.message or ("deployed" if status.at_rest else "deploying")
    if status.has_fallen:
        message = f"{state_word(status)}: {status.running}/{status.desired}"
    if status.revision.cause is Cause.AUTO_ROLLBACK and status.revision.message != message:
        message += f": {status.revision.message}"
    return clean(
        f"{full_name(status.stack, status.service)}: {message} "
        f"(revision {status.revision.number}, {running_words(status)})"
    )


def superseded_line(by: Revision) -> str:
    """`shop_web: superseded by revision 8: rollback`, of which the result line is then about."""
    return clean(
        f"{full_name(by.stack, by.service)}: superseded by revision {by.number}: {by.cause}"
    )


def reasons(status: ServiceStatus, tasks: Iterable[Task]) -> tuple[Reason, ...]:
    """Why tasks failed: in this update, or where it is a rollback in the one it undoes.

    `tasks` are the stack's, dead ones too.
    """
    rolled_back = status.revision.cause is Cause.AUTO_ROLLBACK
    if status.failures or not (status.has_fallen or rolled_back):
        return tuple(Reason(each.slot, each.task_id, each.reason) for each in status.failures)
    if status.has_fallen:
        return tuple(
            Reason(each.slot, each.task.id if each.task else "", each.note or "there is no task")
            for each in status.down
        )
    ours = [task for task in tasks if task.service == status.service]
    return tuple(
        Reason(row.slot, row.id, row.error)
        for row in task_rows(ours, node="")
        if row.revision == status.revision.number - 1 and row.error
    )


def struggles(status: ServiceStatus) -> tuple[Reason, ...]:
    """Tasks that have not failed and do not run well: what is known of them."""
    failed = {failure.slot for failure in status.failures}
    return tuple(
        Reason(slot.slot, slot.task.id, slot.note or str(slot.state))
        for slot in status.slots
        if slot.task is not None
        and slot.slot not in failed
        and (slot.state is TaskState.STARTING or slot.slot in status.restarting)
    )


def failure_lines(
    status: ServiceStatus, why: Sequence[Reason], words: Words, *, most: int = 3
) -> Iterator[str]:
    """Why tasks failed, each with its last log lines, and what to type next."""
    name = full_name(status.stack, status.service)
    for reason in why[:most]:
        task = f" ({reason.task_id[:12]})" if reason.task_id else ""
        yield "  " + clean(f"{name}.{reason.slot}{task}: {reason.text}")
        for line in words.get(reason.task_id, ()):
            yield f"    | {clean(line)}"
    if len(why) > most:
        yield f"  and {len(why) - most} more"
    yield from next_steps(status)


def next_steps(status: ServiceStatus) -> Iterator[str]:
    """What to type now; nothing where all went well."""
    for what, command in steps(status):
        yield f"  {what}: {command}"


def steps(status: ServiceStatus) -> Iterator[tuple[str, str]]:
    """What can be done, and the command for it."""
    name = full_name(status.stack, status.service)
    number = status.revision.number
    if went_well(status) and not status.restarting:
        return
    if status.left_alone:
        yield "to see what cannot be read", "rollout doctor"
    elif not status.at_rest:
        yield "to go on", f"rollout status {name} --wait"
        yield "to hold it", f"rollout pause {name}"
        if status.revision.number > 1 and not status.revision.is_rollback:
            yield "to go back", f"rollout rollback {name}"
    elif status.has_fallen:
        yield "to start it", f"rollout deploy -c FILE... {status.stack}"
        if status.revision.number > 1:
            yield "to go back", f"rollout rollback {name}"
    elif status.outcome is MarkKind.COMPLETED and status.restarting:
        if status.revision.number > 1:
            yield "to go back", f"rollout rollback {name}"
    elif status.outcome is MarkKind.PAUSED:
        yield "to go on as it is", f"rollout resume {name}"
        if status.state is not UpdateState.ROLLBACK_PAUSED:
            yield "to go back", f"rollout rollback {name}"
    elif status.revision.cause is Cause.AUTO_ROLLBACK:
        yield "what was asked for", f"rollout diff {name} {status.revision.restores} {number - 1}"
    yield "to look closer", f"rollout ps {name}; rollout logs {name}"

"""`status`, and the last lines of a command: where a service is, why, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rollout.model.labels import full_name
from rollout.model.state import Cause, MarkKind, UpdateState
from rollout.model.status import Failure, ServiceStatus
from rollout.views.services import in_order, state_word
from rollout.views.table import table
from rollout.views.text import clean, timestamp

_HEADER = ("NAME", "REVISION", "STATE", "UPDATED", "RUNNING", "MESSAGE")

Words = Mapping[str, Sequence[str]]
"""Task id → its last log lines."""


def status_table(statuses: Iterable[ServiceStatus]) -> str:
    return table(
        _HEADER,
        [
            (
                full_name(each.stack, each.service),
                str(each.revision.number),
                state_word(each),
                f"{each.updated}/{each.total}",
                f"{each.running}/{each.desired}",
                each.message if each.at_rest else each.waiting_for or each.message,
            )
            for each in in_order(statuses)
        ],
    )


def status_documents(statuses: Iterable[ServiceStatus]) -> list[dict[str, object]]:
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
            "updated": each.updated,
            "total": each.total,
            "batch": list(each.batch),
            "waiting_for": each.waiting_for,
            "until": timestamp(each.until),
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


def went_well(status: ServiceStatus) -> bool:
    """Completed as asked for: an automatic rollback that completed is none of that."""
    return status.outcome is MarkKind.COMPLETED and status.revision.cause is not Cause.AUTO_ROLLBACK


def result_line(status: ServiceStatus) -> str:
    """`dc_worker: update completed (revision 4, 10/10 running)`."""
    message = status.message or ("deployed" if status.at_rest else "deploying")
    return clean(
        f"{full_name(status.stack, status.service)}: {message} "
        f"(revision {status.revision.number}, {status.running}/{status.desired} running)"
    )


def failure_lines(status: ServiceStatus, words: Words, *, most: int = 3) -> Iterator[str]:
    """Why tasks failed, each with its last log lines, and what to type next."""
    for failure in status.failures[:most]:
        yield from _failure(status, failure, words.get(failure.task_id, ()))
    if len(status.failures) > most:
        yield f"  and {len(status.failures) - most} more"
    yield from next_steps(status)


def _failure(status: ServiceStatus, failure: Failure, words: Sequence[str]) -> Iterator[str]:
    task = f" ({failure.task_id[:12]})" if failure.task_id else ""
    name = full_name(status.stack, status.service)
    yield "  " + clean(f"{name}.{failure.slot}{task}: {failure.reason}")
    for line in words:
        yield f"    | {clean(line)}"


def next_steps(status: ServiceStatus) -> Iterator[str]:
    """What to type now; nothing where all went well."""
    name = full_name(status.stack, status.service)
    if went_well(status):
        return
    if not status.at_rest:
        yield f"  to go on: rollout status {name} --wait"
    elif status.outcome is MarkKind.PAUSED:
        yield f"  to go on as it is: rollout resume {name}"
        if status.state is not UpdateState.ROLLBACK_PAUSED:
            yield f"  to go back: rollout rollback {name}"
    yield f"  to look closer: rollout ps {name}; rollout logs {name}"

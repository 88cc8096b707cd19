"""The exit code that a stack's final state stands for."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.model.state import Cause, MarkKind
from rollout.model.status import ServiceStatus

DONE = 0
ERROR = 1
PAUSED = 3
ROLLED_BACK = 4
ROLLBACK_PAUSED = 5
DEADLINE = 6

_WORST_FIRST = (ERROR, ROLLBACK_PAUSED, PAUSED, DEADLINE, ROLLED_BACK, DONE)


def exit_code(statuses: Iterable[ServiceStatus]) -> int:
    """Of several services the worst: 1, 5, 3, 6, 4, 0."""
    codes = {code_of(status) for status in statuses}
    return next((code for code in _WORST_FIRST if code in codes), DONE)


def code_of(status: ServiceStatus) -> int:
    marks = status.revision.marks
    last = marks[-1] if marks else None
    if last is None:
        return DONE
    late = last.reason == "deadline"
    match last.kind:
        case MarkKind.PAUSED if status.revision.is_rollback:
            return ROLLBACK_PAUSED
        case MarkKind.PAUSED:
            return DEADLINE if late else PAUSED
        case MarkKind.FAILED:
            return DEADLINE if late else ERROR
        case MarkKind.COMPLETED if status.revision.cause is Cause.AUTO_ROLLBACK:
            return ROLLED_BACK
        case MarkKind.COMPLETED if status.unstable:
            return ERROR
    return DONE

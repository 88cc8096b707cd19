"""The exit code that a stack's final state stands for, for the command that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind
from rollout.model.status import ServiceStatus

DONE = 0
ERROR = 1
PAUSED = 3
ROLLED_BACK = 4
ROLLBACK_PAUSED = 5
DEADLINE = 6
SUPERSEDED = 9

_WORST_FIRST = (ERROR, ROLLBACK_PAUSED, PAUSED, DEADLINE, ROLLED_BACK, SUPERSEDED, DONE)


def exit_code(
    statuses: Iterable[ServiceStatus], superseded: Mapping[str, Revision] | None = None
) -> int:
    """Of several services the worst: 1, 5, 3, 6, 4, 9, 0.

    `superseded`: services of which somebody else has asked for another definition meanwhile.  How
    that ended is his affair.
    """
    gone = superseded or {}
    codes = {SUPERSEDED if each.service in gone else code_of(each) for each in statuses}
    return next((code for code in _WORST_FIRST if code in codes), DONE)


def superseded_by(
    history: tuple[Revision, ...], holds: Callable[[ServiceSpec], bool]
) -> Revision | None:
    """What came in the place of what somebody has asked for: `holds` knows it where it stands.

    None where it stands still, be it under another cadence or scale, and where it was rolled back
    automatically: that is how asking for it ended.
    """
    same = [at for at, each in enumerate(history) if holds(each.spec)]
    later = history[same[-1] + 1 :] if same else history[-1:]
    return next((each for each in later if each.cause is not Cause.AUTO_ROLLBACK), None)


def code_of(status: ServiceStatus) -> int:
    """0 only where every slot runs now, or has completed: a mark says what was, not what is."""
    if status.left_alone:
        return ERROR
    marks = status.revision.marks
    last = marks[-1] if marks else None
    if last is None:
        return ERROR
    late = last.reason == "deadline"
    match last.kind:
        case MarkKind.PAUSED if status.revision.is_rollback:
            return ROLLBACK_PAUSED
        case MarkKind.PAUSED:
            return DEADLINE if late else PAUSED
        case MarkKind.FAILED:
            return DEADLINE if late else ERROR
        case MarkKind.COMPLETED if status.down:
            return ERROR
        case MarkKind.COMPLETED if status.rolled_back:
            return ROLLED_BACK
        case MarkKind.COMPLETED:
            return DONE
    return ERROR

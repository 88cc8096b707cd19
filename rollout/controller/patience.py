"""Waiting for an engine that is away: restarted, upgraded, out of room, cut off.

One outage lasts from the first look that fails to the next that does not.  The pauses in it grow:
0.2, 0.4, 0.8, 1.6, 3.2, then every 5 seconds.  How long all of it may take is the progress
deadline, as for anything else that does not come: with 600 s, a look that fails at 599 s is the
last but one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from rollout.errors import EngineError, EngineUnavailableError
from rollout.model.status import ServiceStatus
from rollout.model.task import Task
from rollout.model.units import format_duration

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_FINISH_S = 20.0
_LONGEST_FINISH_S = 90.0
_SPARE_S = 10.0
_UNKNOWN_LIMIT_S = 600.0
"""Before any definition was seen: the default of the progress deadline."""


class Patience:
    """`monotonic` is a clock that the engine's absence does not touch."""

    def __init__(self, stack: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stack = stack
        self._monotonic = monotonic
        self._since: float | None = None
        self._tries = 0

    @property
    def waits(self) -> bool:
        """An outage is under way."""
        return self._since is not None

    def pause_s(self, error: EngineError, limit_s: float) -> float:
        """How long to wait after a look that failed with `error`.

        Raises the error where waiting cannot help, or has not helped for `limit_s`.
        """
        if not error.may_pass:
            raise error
        now = self._monotonic()
        if self._since is None:
            self._since, self._tries = now, 0
        left = self._since + limit_s - now
        if left <= 0:
            raise EngineUnavailableError(
                f"{self._stack}: the engine has been away for {format_duration(limit_s)}: "
                f"{error.message}",
                hint=f"once it is back, `rollout status {self._stack} --wait` goes on",
            )
        self._tries += 1
        return min(_FIRST_PAUSE_S * 2.0 ** min(self._tries - 1, 10), _LONGEST_PAUSE_S, left)

    def over(self) -> float:
        """The engine is back: how many seconds it was away."""
        since, self._since = self._since, None
        return 0.0 if since is None else self._monotonic() - since


def finish_s(stopping: Iterable[Task]) -> float:
    """How long an interrupted command goes on with what is in flight: long enough for what is being
    stopped, unless that takes very long, and not for what may never become healthy."""
    graces = [task.stop_grace_s + _SPARE_S for task in stopping]
    return min(max([_FINISH_S, *graces]), _LONGEST_FINISH_S)


def limit_of(statuses: Iterable[ServiceStatus], given_s: float | None) -> float:
    """How long to wait, in seconds: what was given, else the longest of the services' progress
    deadlines; a deadline of 0 is for ever."""
    limits = [status.revision.spec.progress_deadline_s for status in statuses]
    if given_s is not None:
        limits = [given_s]
    return math.inf if 0 in limits else max(limits, default=_UNKNOWN_LIMIT_S)

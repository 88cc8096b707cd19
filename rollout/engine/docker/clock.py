"""The engine's own clock, asked once in a while and carried on by ours in between.

The engine's time is taken to be that of the middle of the call: asked at 100.000, answered
"500.010" at 100.020, it is 500.010 at 100.010, and at 160.010 it is 560.010.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from rollout.engine.docker.api import Json
from rollout.engine.docker.observe import parse_time
from rollout.errors import EngineError

_GOOD_FOR_S = 60.0


def uptime() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _elapsed() -> float:
    """Seconds since some moment, those included that the machine slept, where it counts them."""
    counts_sleep = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if counts_sleep is None else time.clock_gettime(counts_sleep)


class EngineClock:
    """`info` asks the engine about itself; its answer is kept for the host's name and size too."""

    def __init__(self, info: Callable[[], Json], monotonic: Callable[[], float] = _elapsed) -> None:
        self._ask = info
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._info: Json | None = None
        self._asked_at = 0.0
        self._ahead = 0.0

    def now(self) -> float:
        """Epoch seconds, also while the engine is away.  Raises EngineError where it has never
        answered.
        """
        with self._lock:
            if self._info is None:
                self._measure()
            elif self._monotonic() - self._asked_at > _GOOD_FOR_S:
                self._asked_at = self._monotonic()
                with contextlib.suppress(EngineError):
                    self._measure()
            return self._monotonic() + self._ahead

    def info(self) -> Json:
        with self._lock:
            if self._info is None:
                self._measure()
            return self._info or {}

    def _measure(self) -> None:
        before = self._monotonic()
        info = self._ask()
        after = self._monotonic()
        theirs = parse_time(info.get("SystemTime"))
        middle = (before + after) / 2
        if theirs is not None:
            self._ahead = theirs - middle
        elif self._info is None:
            self._ahead = time.time() - after
        self._info, self._asked_at = info, after

"""A clock that stands still until it is told to go on, and what is to happen at which moment.

Two ways to use it.  In one thread: `call_at`, then `advance_to` as far as one likes.  With the
controller's threads: calls that take time block them, and the loop's own wait, a `VirtualFlag`,
moves the clock on to whatever comes next as soon as every thread has come to rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from threading import Event, RLock
from typing import Final

EPOCH: Final = 1_000_000.0
"""Where the clock begins unless told otherwise, in epoch seconds."""

_SETTLE_S: Final = 0.003
"""How long, in real time, threads get to come to rest before the clock jumps."""

Callback = Callable[[], None]


class Timer:
    """Something that is to happen; `cancel` it when it no longer is."""

    __slots__ = ("at", "callback")

    def __init__(self, at: float, callback: Callback) -> None:
        self.at = at
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """Safe to use from many threads; callbacks run one at a time, in order of time, then of
    asking, with `lock` held."""

    def __init__(self, now: float = EPOCH) -> None:
        self.lock = RLock()
        self._now = now
        self._timers: list[tuple[float, int, Timer]] = []
        self._asked = 0

    def now(self) -> float:
        return self._now

    def call_at(self, at: float, callback: Callback) -> Timer:
        """Have something happen at a moment; one that is past happens at the next move."""
        timer = Timer(at, callback)
        with self.lock:
            self._asked += 1
            heapq.heappush(self._timers, (at, self._asked, timer))
        return timer

    @property
    def next_at(self) -> float | None:
        """When something is to happen next; None where nothing is."""
        with self.lock:
            while self._timers and self._timers[0][2].callback is None:
                heapq.heappop(self._timers)
            return self._timers[0][0] if self._timers else None

    def advance(self, seconds: float) -> None:
        self.advance_to(self._now + seconds)

    def advance_to(self, at: float) -> None:
        """Move on, never back, and let everything happen that is due by then, each at its time."""
        with self.lock:
            while (due := self.next_at) is not None and due <= at:
                timer = heapq.heappop(self._timers)[2]
                self._now = max(self._now, due)
                if timer.callback is not None:
                    timer.callback()
            self._now = max(self._now, at)


class VirtualFlag(Event):
    """A flag whose `wait` takes virtual seconds, and moves the clock on while it waits."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else self._clock.now() + timeout
        while not super().wait(_SETTLE_S):
            due = self._clock.next_at
            if until is not None and (due is None or due > until):
                self._clock.advance_to(until)
                return self.is_set()
            if due is not None:
                self._clock.advance_to(due)
        return True

"""Threads of which one runs at a time, in an order that a seed decides: real code, repeatable.

A fiber runs until it `pause`s: for its turn, until something is true, or until a moment of the
virtual clock.  Every engine call, ledger call and wait of a controller is such a pause (see
`processes.py`), so its threads interleave wherever those of real controllers could disagree.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

from rollout.engine.simulated.clock import VirtualClock

MOST_STEPS = 50_000
MOST_STEPS_AT_ONE_MOMENT = 3_000


class KilledError(BaseException):
    """Raised in a fiber whose process was killed, at its pause and at every call from then on."""


class Fiber:
    """One thread of `owner`, and what it waits for.  `alive` is asked at each of its pauses."""

    def __init__(self, owner: object, run: Callable[[], None], alive: Callable[[], bool]) -> None:
        self.owner = owner
        self._run = run
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._alive = alive
        self._ready: Callable[[], bool] = _always
        self.until: float | None = None
        self.ended = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def is_ready(self, now: float) -> bool:
        due = self.until is not None and now >= self.until
        return not self._alive() or due or self._ready()

    def step(self) -> None:
        """Let it run up to its next pause, or its end."""
        self._turn.release()
        self._back.acquire()
        if self.ended:
            self._thread.join()

    def wait(self, ready: Callable[[], bool], until: float | None) -> None:
        self._ready, self.until = ready, until
        self._back.release()
        self._turn.acquire()
        self._ready, self.until = _always, None
        if not self._alive():
            raise KilledError

    def _live(self) -> None:
        _here.fiber = self
        self._turn.acquire()
        try:
            if self._alive():
                self._run()
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001  raised by the scheduler
            self.error = error
        self.ended = True
        self._back.release()


def current() -> Fiber:
    """The fiber that this is called in."""
    fiber: Fiber = _here.fiber
    return fiber


def pause(ready: Callable[[], bool] | None = None, until: float | None = None) -> None:
    """Give the turn away, from within a fiber.  Raises KilledError where its process is no more."""
    current().wait(ready or _always, until)


class Scheduler:
    """Chooses who runs next, and when time goes on."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.steps = 0
        self.fibers: list[Fiber] = []
        self.before_step: Callable[[], None] = lambda: None
        self._moment = (0.0, 0)

    def spawn(self, owner: object, run: Callable[[], None], alive: Callable[[], bool]) -> Fiber:
        fiber = Fiber(owner, run, alive)
        self.fibers.append(fiber)
        return fiber

    def run_until(self, true: Callable[[], bool], within_s: float) -> bool:
        """Whether it came to be true in that time; else all has come to rest, or time is up."""
        limit = self.clock.now() + within_s
        while not true():
            self.before_step()
            now = self.clock.now()
            ready = [fiber for fiber in self.fibers if fiber.is_ready(now)]
            if ready and self.random.random() >= _SLOWNESS:
                self._step(self.random.choice(ready))
                continue
            soon = now + self.random.choice(_LITTLE_WHILES) if ready else None
            times = [self.clock.next_at, soon, *(fiber.until for fiber in self.fibers)]
            due = min((at for at in times if at is not None and at >= now), default=None)
            if due is None or due > limit:
                return True if true() else self._give_up(limit)
            self.clock.advance_to(due)
        return True

    def _give_up(self, limit: float) -> bool:
        self.clock.advance_to(limit)
        return False

    def _step(self, fiber: Fiber) -> None:
        self.steps += 1
        at, count = self._moment
        self._moment = (self.clock.now(), count + 1 if at == self.clock.now() else 1)
        assert self._moment[1] < MOST_STEPS_AT_ONE_MOMENT, "going in circles"
        assert self.steps < MOST_STEPS, "never comes to an end"
        fiber.step()
        if fiber.ended:
            self.fibers.remove(fiber)
        if fiber.error is not None:
            raise fiber.error


_here = threading.local()
_SLOWNESS = 0.1
"""How often time goes on though somebody could run: calls take their time."""
_LITTLE_WHILES = (0.001, 0.02, 0.3)


def _always() -> bool:
    return True

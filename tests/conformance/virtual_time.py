"""Virtual time for the controller's threads that never runs ahead of them.

The clock moves only when every thread that was given work waits for the clock: so the same
recording gives the same times, however busy the machine is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from rollout.controller import workers
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.engine import Done, SimulatedEngine
from rollout.errors import EngineError
from rollout.model.action import TaskAction

_MOMENT_S = 0.0005
_STUCK_S = 20.0


class PatientEngine(SimulatedEngine):
    """Counts the calls that wait for the clock."""

    waiting = 0

    def begin(self, action: TaskAction, done: Done) -> None:
        def ended(error: EngineError | None) -> None:
            with self.clock.lock:
                self.waiting -= 1
            done(error)

        with self.clock.lock:
            self.waiting += 1
        super().begin(action, ended)


class PatientFlag(threading.Event):
    """A flag whose `wait` takes virtual seconds, and moves the clock on while it waits."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self.is_settled: Callable[[], bool] = lambda: True

    def wait(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else self._clock.now() + timeout
        patience = _STUCK_S
        while not self.is_set():
            if not self.is_settled():
                patience -= _MOMENT_S
                assert patience > 0, "a thread neither ends nor waits for the clock"
                super().wait(_MOMENT_S)
                continue
            due = self._clock.next_at
            if until is not None and (due is None or due > until):
                self._clock.advance_to(until)
                break
            assert due is not None, "nothing will ever happen"
            self._clock.advance_to(due)
        return self.is_set()


@contextmanager
def patient(engine: PatientEngine, flag: PatientFlag) -> Iterator[None]:
    """Within it the controller's threads and the flag keep pace."""
    at_work: set[Future[Any]] = set()

    class Pool(ThreadPoolExecutor):
        def submit(self, job: Callable[..., Any], /, *given: Any, **more: Any) -> Future[Any]:
            future = super().submit(job, *given, **more)
            at_work.add(future)
            future.add_done_callback(at_work.discard)
            return future

    flag.is_settled = lambda: len(at_work) == engine.waiting
    with patch.object(workers, "ThreadPoolExecutor", Pool):
        yield

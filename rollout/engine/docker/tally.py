"""How many calls were made, and what became of them: for whoever watches over a controller."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from rollout.engine.protocol import Calls
from rollout.errors import EngineError

T = TypeVar("T")


class Tally:
    """Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._made = 0
        self._failed = 0
        self._retried = 0

    def counted(self, call: Callable[[], T]) -> Callable[[], T]:
        """The same call, counted each time it is made; the second time is a retry."""
        tries = 0

        def counting() -> T:
            nonlocal tries
            tries += 1
            self._add(made=1, retried=int(tries > 1))
            try:
                return call()
            except EngineError:
                self._add(failed=1)
                raise

        return counting

    def calls(self) -> Calls:
        with self._lock:
            return Calls(made=self._made, failed=self._failed, retried=self._retried)

    def _add(self, *, made: int = 0, failed: int = 0, retried: int = 0) -> None:
        with self._lock:
            self._made += made
            self._failed += failed
            self._retried += retried

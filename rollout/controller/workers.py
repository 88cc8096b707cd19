"""Actions under way: bounded threads for calls that block, their results as data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from msgspec import Struct

from rollout.errors import RolloutError
from rollout.model.action import Action, Stop, target_of

THREADS = 32
_PAUSE_S = 1.0
"""How long a target is left alone after a call about it has failed."""

Key = tuple[str, tuple[str, object]]
"""Service and target of an action."""


class Result(Struct, frozen=True, kw_only=True):
    service: str
    action: Action
    error: RolloutError | None
    notes: tuple[str, ...] = ()
    """What a person is to know of it."""


class Workers:
    """Runs actions; `wake` is called, from a worker's thread, whenever one has ended.

    `most` is how many may be under way at once, 0 for as many as is good.  An error that is not
    ours ends the controller: it is raised by `results`.
    """

    def __init__(
        self,
        run: Callable[[Action], tuple[str, ...]],
        wake: Callable[[], None],
        most: int = 0,
    ) -> None:
        self._run = run
        self._most = most or THREADS
        self._wake = wake
        self._pool: ThreadPoolExecutor | None = None
        self._ended: SimpleQueue[tuple[Result, BaseException | None]] = SimpleQueue()
        self._busy: dict[Key, float] = {}
        self._leaving: set[Key] = set()
        self._left_alone: dict[Key, float] = {}

    def submit(self, service: str, action: Action, now: float) -> None:
        key = (service, target_of(action))
        self._busy[key] = now
        if isinstance(action, Stop):
            self._leaving.add(key)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="rollout")
        self._pool.submit(self._work, service, action)

    def busy(self, service: str, now: float) -> dict[tuple[str, object], float]:
        """What is under way for a service, or is left alone for a moment, and since when."""
        self._left_alone = {key: at for key, at in self._left_alone.items() if at > now}
        both = (*self._busy.items(), *self._left_alone.items())
        return {target: since for (name, target), since in both if name == service}

    def leaving(self, service: str) -> frozenset[str]:
        """Container ids of a service's tasks that are being stopped now."""
        return frozenset(str(target[1]) for name, target in self._leaving if name == service)

    @property
    def idle(self) -> bool:
        return not self._busy

    def next_retry(self) -> float | None:
        return min(self._left_alone.values(), default=None)

    def results(self, now: float) -> list[Result]:
        """What has ended since the last call."""
        found: list[Result] = []
        while True:
            try:
                result, fatal = self._ended.get_nowait()
            except Empty:
                return found
            key = (result.service, target_of(result.action))
            self._busy.pop(key, None)
            self._leaving.discard(key)
            if fatal is not None:
                raise fatal
            if result.error is not None:
                self._left_alone[key] = now + _PAUSE_S
            found.append(result)

    def close(self, *, wait: bool = True) -> None:
        """Begin nothing that still waits for a thread, and wait for what is under way; without
        `wait` that is left to the engine."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)

    def rest(self) -> None:
        """Let the threads go, where nothing is under way; there are new ones for what comes."""
        if self.idle and self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _work(self, service: str, action: Action) -> None:
        error: RolloutError | None = None
        fatal: BaseException | None = None
        notes: tuple[str, ...] = ()
        try:
            notes = self._run(action)
        except RolloutError as known:
            error = known
        except BaseException as unknown:  # noqa: BLE001  raised again by the loop, in its thread
            fatal = unknown
        self._ended.put((Result(service=service, action=action, error=error, notes=notes), fatal))
        self._wake()

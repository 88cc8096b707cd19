"""Watching over every stack of an engine, until told to stop.

Each stack has a driver in a thread of its own, so that what is wrong with one stops no other.  New
stacks are met as soon as the engine tells of them, or at the next poll; those that are gone are
let go.  Whatever fails is tried again, with growing pauses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

from msgspec import Struct

from rollout.controller.drive import Driver
from rollout.controller.session import Session
from rollout.controller.telling import Report
from rollout.engine.protocol import Watch
from rollout.errors import InterruptedRolloutError, RolloutError
from rollout.model.event import Progress

POLL_S = 10.0
_LEAST_S = 1.0
"""Between two polls, however many events there are."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
SILENT_S = 30.0
"""A loop that has not looked for so long is not well."""

Failed = Callable[[str, Exception, float], None]
"""Told of what went wrong with a stack (empty: with all of them), and in how many seconds it is
tried again."""


class Watched(Struct, frozen=True, kw_only=True):
    """One stack as it was last seen, and how its loop does."""

    stack: str
    progress: Progress | None
    """None until the first look."""
    holds: bool
    """Its lease is ours now."""
    silent_s: float
    """Since the last look."""
    looks: int
    looking_s: float
    errors: int
    """How often its loop had to be begun anew."""


class Supervisor:
    """`only`: the stacks to watch over; none given means all there are, now and later.

    `report` is called from many threads, one at a time for each stack.  `own` is the container that
    this process runs in: the stack that it belongs to is looked at, and driven by others.
    """

    def __init__(
        self,
        session: Session,
        *,
        report: Report,
        failed: Failed,
        only: frozenset[str] = frozenset(),
        own: str = "",
    ) -> None:
        self._session = session
        self._report = report
        self._failed = failed
        self._only = only
        self._own = own
        self._watchers: dict[str, _Watcher] = {}
        self._answered_at = time.monotonic()
        self._away = ""

    def run(self, stop: Flag, wake: Flag) -> None:
        """Until `stop`; set `wake` after it to have it noticed at once.  What is in flight then is
        finished first."""
        watch: Watch | None = None
        pause_s = _FIRST_PAUSE_S
        try:
            while not stop.is_set():
                wake.clear()
                try:
                    watch = watch or self._session.engine.watch(None, wake.set)
                    self._meet(self._session.engine.stacks())
                    self._answered_at, self._away = time.monotonic(), ""
                    pause_s = _FIRST_PAUSE_S
                    stop.wait(_LEAST_S)
                    wake.wait(POLL_S)
                except RolloutError as error:
                    self._away = str(error)
                    self._failed("", error, pause_s)
                    stop.wait(pause_s)
                    pause_s = _longer(pause_s)
        finally:
            if watch is not None:
                watch.close()
            self._end()

    def watched(self) -> tuple[Watched, ...]:
        """Every stack, by name.  May be called from any thread."""
        found = tuple(self._watchers.values())
        return tuple(sorted((each.seen() for each in found), key=lambda seen: seen.stack))

    def ailments(self) -> tuple[str, ...]:
        """What is not well, one sentence each; empty where all is.  From any thread."""
        silent_s = time.monotonic() - self._answered_at
        found = [f"the engine does not answer: {self._away}"] if self._away else []
        if not found and silent_s > SILENT_S + POLL_S:
            found.append(f"the engine has not answered for {silent_s:.0f} s")
        for each in self.watched():
            if each.progress is not None and each.progress.away:
                found.append(f"{each.stack}: {each.progress.away}")
            elif each.silent_s > SILENT_S:
                found.append(f"{each.stack}: no look for {each.silent_s:.0f} s")
        return tuple(found)

    def _meet(self, there: tuple[str, ...]) -> None:
        wanted = {name for name in there if not self._only or name in self._only}
        for name, watcher in tuple(self._watchers.items()):
            if name not in wanted:
                watcher.stop()
            if watcher.has_ended:
                del self._watchers[name]
        for name in sorted(wanted - set(self._watchers)):
            self._watchers[name] = _Watcher(
                self._session, name, self._report, self._failed, self._own
            )

    def _end(self) -> None:
        for watcher in self._watchers.values():
            watcher.stop()
        for watcher in self._watchers.values():
            watcher.wait()


class _Watcher:
    """One stack's thread, from its making."""

    def __init__(
        self, session: Session, stack: str, report: Report, failed: Failed, own: str
    ) -> None:
        self._session = session
        self._stack = stack
        self._report = report
        self._failed = failed
        self._own = own
        self._stop = Flag()
        self._wake = Flag()
        self._driver: Driver | None = None
        self._progress: Progress | None = None
        self._looked_at = time.monotonic()
        self._looks = 0
        self._looking_s = 0.0
        self._errors = 0
        self._thread = Thread(target=self._run, name=f"stack {stack}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def wait(self) -> None:
        self._thread.join()

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def seen(self) -> Watched:
        driver = self._driver
        return Watched(
            stack=self._stack,
            progress=self._progress,
            holds=driver is not None and driver.holds,
            silent_s=time.monotonic() - self._looked_at,
            looks=self._looks + (driver.looks if driver else 0),
            looking_s=self._looking_s + (driver.looking_s if driver else 0.0),
            errors=self._errors,
        )

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._drive()
            except InterruptedRolloutError:
                return
            except Exception as error:  # noqa: BLE001  one stack's trouble is not the others'
                if time.monotonic() - began > _LONGEST_PAUSE_S:
                    pause_s = _FIRST_PAUSE_S
                self._errors += 1
                self._failed(self._stack, error, pause_s)
                self._stop.wait(pause_s)
                pause_s = _longer(pause_s)

    def _drive(self) -> None:
        driver = Driver(
            self._session, self._stack, self._take, self._wake, supervised=True, own=self._own
        )
        self._driver = driver
        try:
            driver.run(self._stop, None, follow=True)
        finally:
            driver.close()
            self._looks, self._looking_s = (
                self._looks + driver.looks,
                self._looking_s + driver.looking_s,
            )
            self._driver = None

    def _take(self, progress: Progress) -> None:
        self._progress = progress
        if not progress.away:
            self._looked_at = time.monotonic()
        self._report(progress)


def _longer(pause_s: float) -> float:
    return min(pause_s * 2.0, _LONGEST_PAUSE_S)

"""Controllers as processes: the real loop, on the simulated engine, each of its calls a pause.

A process can be killed between any two of its steps (what it had asked the engine for is carried
out, nothing else) and stopped for a while, as SIGSTOP does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from rollout.controller.drive import drive
from rollout.controller.session import Session
from rollout.engine.protocol import Contents, Record
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.errors import EngineError, InterruptedRolloutError
from rollout.ledger.ledger import Ledger
from rollout.model.action import Action, TaskAction
from rollout.model.status import ServiceStatus
from rollout.model.task import Task
from tests.schedules.fibers import Fiber, KilledError, Scheduler, current, pause

Statuses = tuple[ServiceStatus, ...]


class Process:
    """One `rollout` command: `record` writes what it asks for, then it drives or follows, or does
    whatever else `work` says."""

    def __init__(
        self,
        scheduler: Scheduler,
        engine: SimulatedEngine,
        stack: str,
        record: Callable[[Ledger], None] = lambda _: None,
        work: Callable[[Session, Process], Statuses] | None = None,
    ) -> None:
        self.alive = True
        self.stopped_until: float | None = None
        self.interrupt = threading.Event()
        self.result: Statuses | None = None
        self.interrupted = False
        self._scheduler = scheduler
        self._stack = stack
        self._record = record
        self._work = work or self._drive
        self._engine = GatedEngine(self, engine)
        self.wake = FiberFlag(self, engine)
        self.unsent: list[Action] = []
        """Decided on, and its job not begun."""
        self.main = self.spawn(self._run)

    def spawn(self, run: Callable[[], None]) -> Fiber:
        return self._scheduler.spawn(self, run, lambda: self.alive)

    def kill(self) -> None:
        self.alive = False

    def stop_for(self, seconds: float) -> None:
        """It does not run for a while, whatever it was doing."""
        self.stopped_until = self._scheduler.clock.now() + seconds
        self._scheduler.clock.call_at(self.stopped_until, lambda: None)

    @property
    def is_stopped(self) -> bool:
        return self.stopped_until is not None and self._engine.now() < self.stopped_until

    def pause(self, ready: Callable[[], bool] | None = None, until: float | None = None) -> None:
        pause(lambda: not self.is_stopped and (ready is None or ready()), until)
        while self.is_stopped:
            pause(lambda: not self.is_stopped)

    def check(self) -> None:
        if not self.alive:
            raise KilledError

    def _run(self) -> None:
        ledger = Ledger(self._engine.store, self._engine.now, "ann@host")
        self._record(ledger)
        try:
            self.result = self._work(Session(self._engine, ledger), self)
        except InterruptedRolloutError:
            self.interrupted = True

    def _drive(self, session: Session, _process: Process) -> Statuses:
        return drive(
            session,
            self._stack,
            report=lambda _: None,
            stop=self.interrupt,
            wake=self.wake,
        )


class FiberFlag(threading.Event):
    """A flag whose `wait` gives the turn away."""

    def __init__(self, process: Process, engine: SimulatedEngine) -> None:
        super().__init__()
        self._process = process
        self._now = engine.now

    def wait(self, timeout: float | None = None) -> bool:
        self._process.pause(self.is_set, None if timeout is None else self._now() + timeout)
        return self.is_set()


class FiberPool:
    """In the place of the controller's thread pool: each job is a fiber of its process."""

    def __init__(self, _threads: int = 0, thread_name_prefix: str = "") -> None:
        del thread_name_prefix
        owner = current().owner
        assert isinstance(owner, Process)
        self._process = owner
        self._jobs: list[Fiber] = []

    def submit(self, run: Callable[..., None], service: str, action: Action) -> None:
        unsent = self._process.unsent
        unsent.append(action)

        def job() -> None:
            self._process.pause()
            unsent.remove(action)
            run(service, action)

        self._jobs.append(self._process.spawn(job))

    def shutdown(self, *, wait: bool, cancel_futures: bool = False) -> None:
        assert wait
        self._process.check()
        pause(lambda: all(job.ended for job in self._jobs))


class GatedEngine:
    """The engine as one process sees it: each call is a pause before it and, where it changes
    something, another before its answer."""

    def __init__(self, process: Process, engine: SimulatedEngine) -> None:
        self._process = process
        self._engine = engine
        self.store = GatedStore(process, engine)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def now(self) -> float:
        return self._engine.now()

    def observe(self, stack: str) -> tuple[Task, ...]:
        self._process.pause()
        return self._engine.observe(stack)

    def watch(self, stack: str | None, wake: Callable[[], None]) -> Any:
        self._process.check()
        return self._engine.watch(stack, wake)

    def act(self, action: TaskAction, contents: Contents) -> tuple[str, ...]:
        outcome: list[EngineError | None] = []
        self._process.check()
        self._engine.begin(action, outcome.append)
        self._process.pause(lambda: bool(outcome))
        if outcome[0] is not None:
            raise outcome[0]
        return ()


class GatedStore:
    def __init__(self, process: Process, engine: SimulatedEngine) -> None:
        self._process = process
        self._store = engine.store

    def put(self, name: str, labels: dict[str, str]) -> Record:
        self._process.pause()
        record = self._store.put(name, labels)
        self._process.pause()
        return _to_the_second(record)

    def list(self, stack: str | None = None) -> tuple[Record, ...]:
        self._process.pause()
        return tuple(map(_to_the_second, self._store.list(stack)))

    def drop(self, name: str) -> None:
        self._process.pause()
        self._store.drop(name)
        self._process.pause()


def _to_the_second(record: Record) -> Record:
    """As Docker tells a volume's time of creation."""
    return replace(record, created_at=float(int(record.created_at)))

"""A recording played on the simulated engine: the controller's own loop, in virtual time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from rollout.cli.again import ask_again
from rollout.compose.load import load
from rollout.controller.drive import drive
from rollout.controller.look import look
from rollout.controller.outcome import exit_code
from rollout.controller.session import Session, observe
from rollout.engine.simulated.clock import VirtualClock
from rollout.engine.simulated.engine import Happened as Event
from rollout.errors import RolloutError, UsageError
from rollout.ledger.history import previous_of
from rollout.ledger.ledger import Ledger
from rollout.model.event import Progress
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause
from tests.conformance.behaviours import Recorded
from tests.conformance.case import SERVICE, Case, compose_of, forced
from tests.conformance.facts import Facts
from tests.conformance.lives import Happened, lives_of
from tests.conformance.play import Until, goes_back_to, play
from tests.conformance.recording import Spec
from tests.conformance.trace import Asked, Timeline, Trace, shown_of
from tests.conformance.virtual_time import PatientEngine, PatientFlag, patient

STACK = "st"


class Virtual:
    """The stage; `folder` takes the Compose files."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case = case
        self._folder = folder
        self.clock = VirtualClock()
        self._engine = PatientEngine(self.clock, Recorded(case), self._witness)
        self._ledger = Ledger(self._engine.store, self.clock.now, "ann@host")
        self._session = Session(self._engine, self._ledger)
        self._wake = PatientFlag(self.clock)
        self._events: list[Happened] = []
        self._timeline = Timeline()
        self._asked: list[Asked] = []
        self._exit_code: int | None = None
        self._script: Iterator[Until] = play(case, self)
        self._pending: Until | None = None
        self.busy = False

    def play(self) -> Facts:
        """All of it.  Raises AssertionError where it does not end."""
        trace, succeeds = self.trace()
        return self._case.facts_of(trace, succeeds=succeeds)

    def trace(self) -> tuple[Trace, bool | None]:
        """The same before it is boiled down, and whether the command ended well."""
        self._pending = next(self._script)
        while self._pending is not None:
            if self.busy:
                self._drive()
            elif not self._proceed():
                assert self._pending.at is not None, "waits for what nobody does"
                self._look()
                self.clock.advance_to(min(self._pending.at, self.clock.now() + 0.5))
        self._look()
        return self._trace(), self._succeeds()

    # -- the stage

    def now(self) -> float:
        return self.clock.now()

    @property
    def made(self) -> bool:
        return bool(self._ledger.read(STACK))

    @property
    def state(self) -> str | None:
        return self._timeline.state

    def running(self, image: str | None) -> int:
        found = self._engine.observe(STACK)
        return sum(1 for task in found if task.running and image in (None, task.image))

    def create(self, spec: Spec) -> None:
        self._record(spec, Cause.DEPLOY)

    def update(self, spec: Spec, before: Spec) -> None:
        self._record(spec, Cause.UPDATE)

    def roll_back(self) -> None:
        history = self._ledger.read(STACK).get(SERVICE, ())
        try:
            source = previous_of(history)
        except UsageError as error:
            self._asked.append(Asked(self.now(), str(error)))
            return
        self._ledger.record(
            STACK,
            source.spec,
            Cause.ROLLBACK,
            restores=source.number,
            message="manually requested rollback",
        )
        self._accepted()

    def kill(self, image: str) -> None:
        for task in self._engine.observe(STACK):
            if task.alive and task.image == image:
                self._engine.crash(task)

    def touch(self, path: str) -> None: ...

    def delete(self, path: str) -> None: ...

    # -- what a command does

    def _record(self, spec: Spec, cause: Cause) -> None:
        try:
            wanted = self._read(spec)
        except RolloutError as error:
            self._asked.append(Asked(self.now(), str(error)))
            return
        made = self._ledger.record(STACK, wanted, cause)
        if made is None:
            newest = self._ledger.read(STACK)[SERVICE][-1]
            ask_again(self._session, newest, observe(self._session, STACK))
        self._accepted()

    def _read(self, spec: Spec) -> ServiceSpec:
        path = self._folder / "compose.yml"
        path.write_text(json.dumps(compose_of(spec, str(self._folder))))
        stack = load([str(path)], environ={}, project_name=STACK, cwd=self._folder)
        service = stack.services[0]
        return replace(service, task=replace(service.task, force=forced(spec)))

    def _accepted(self) -> None:
        self._asked.append(Asked(self.now()))
        self.busy = True
        self._wake.set()

    # -- time

    def _drive(self) -> None:
        with patient(self._engine, self._wake):
            statuses = drive(
                self._session,
                STACK,
                report=self._report,
                stop=threading.Event(),
                timeout_s=self._case.deadline_s,
                wake=self._wake,
            )
        self.busy = False
        self._exit_code = exit_code(statuses)

    def _report(self, progress: Progress) -> None:
        self._show(progress)
        while self._proceed():
            pass

    def _proceed(self) -> bool:
        """Do the next steps, where what they wait for has come to be."""
        waits = self._pending
        if waits is None:
            return False
        if not waits.true() and (waits.at is None or self.now() < waits.at):
            return False
        self._pending = next(self._script, None)
        if self._pending is not None and self._pending.at is not None:
            self.clock.call_at(self._pending.at, self._wake.set)
        return True

    def _look(self) -> None:
        self._show(look(self._session, STACK))

    def _show(self, progress: Progress) -> None:
        for status in progress.services:
            self._timeline.add(shown_of(status, status.revision.spec.task.image))

    # -- what was seen

    def _witness(self, event: Event) -> None:
        task = event.task
        container = self._engine._containers.get(task.container_id)
        self._events.append(
            Happened(
                at=event.at,
                what=event.what,
                container=task.container_id,
                slot=task.slot,
                image=task.image,
                task=task.id,
                exit_code=container._exit_code if container else None,
                has_healthcheck=task.has_healthcheck,
            )
        )

    def _trace(self) -> Trace:
        return Trace(
            lives=lives_of(self._events),
            shown=tuple(self._timeline.shown),
            asked=tuple(self._asked),
            until=self.now(),
            previous=goes_back_to(self._ledger.read(STACK).get(SERVICE, ())),
        )

    def _succeeds(self) -> bool | None:
        return None if self.state is None else self._exit_code == 0

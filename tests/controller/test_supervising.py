"""A driver that supervises, on the simulated engine: what it does at rest, beside others, for
long."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from rollout.controller.drive import Driver
from rollout.controller.remove import remove
from rollout.controller.session import Session
from rollout.controller.supervise import Supervisor
from rollout.engine.simulated.clock import VirtualFlag
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.errors import EngineUnavailableError, InterruptedRolloutError
from rollout.ledger.lease import Lease, entries
from rollout.ledger.ledger import Ledger
from rollout.model.event import EventKind, Progress
from rollout.model.spec import RestartPolicy, ServiceSpec, TaskSpec, UpdateConfig
from rollout.model.state import Cause
from rollout.model.task import Task

STACK = "st"
_PATIENCE_S = 60.0


def _spec(image: str = "v1", replicas: int = 3) -> ServiceSpec:
    return ServiceSpec(
        name="web",
        replicas=replicas,
        update=UpdateConfig(parallelism=0),
        task=TaskSpec(image=image, restart=RestartPolicy(delay_s=1.0)),
    )


def _eventually(true: Callable[[], object], what: Callable[[], object] = lambda: "") -> None:
    until = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < until, what()
        time.sleep(0.005)


class House:
    """An engine, and one supervised stack on it."""

    def __init__(self, engine: SimulatedEngine | None = None, *, own: str = "") -> None:
        self.engine = engine or SimulatedEngine()
        self.ledger = Ledger(self.engine.store, self.engine.now, "ann@host")
        self.session = Session(self.engine, self.ledger)
        self.changes = 0
        self.engine.store.on_change(self._changed)
        self.progress: list[Progress] = []
        self._stop = threading.Event()
        self._wake = VirtualFlag(self.engine.clock)
        self.driver = Driver(
            self.session, STACK, self._report, self._wake, supervised=True, own=own
        )
        self.ended: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _changed(self, _stack: str) -> None:
        self.changes += 1

    def _run(self) -> None:
        try:
            self.driver.run(self._stop, None, follow=True)
        except InterruptedRolloutError:
            pass
        except BaseException as error:  # noqa: BLE001  shown by the test
            self.ended.append(error)
        finally:
            self.driver.close()

    def ask(self, image: str) -> None:
        self.ledger.record(STACK, _spec(image), Cause.UPDATE)

    def runs(self, image: str) -> bool:
        assert not self.ended
        up = [task for task in self.tasks if task.running]
        newest = self.ledger.read(STACK)["web"][-1]
        complete = newest.last_mark == "completed" and not self.leases
        return complete and [task.image for task in up] == [image] * 3

    def comes_to_run(self, image: str) -> None:
        _eventually(lambda: self.runs(image), lambda: (self.ended, self.progress[-1:]))

    def looks(self, count: int) -> None:
        """Until the driver has looked that often."""
        wanted = self.driver.looks + count
        _eventually(lambda: self.driver.looks >= wanted)

    def _report(self, progress: Progress) -> None:
        self.progress = [*self.progress[-50:], progress]

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.engine.observe(STACK)

    @property
    def leases(self) -> int:
        return len(entries(self.engine.store.list(STACK)))

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


def test_what_is_recorded_is_driven(house: House) -> None:
    """That is what `--detach` leaves behind."""
    house.ask("v1")
    house.comes_to_run("v1")

    house.ask("v2")

    house.comes_to_run("v2")


def test_at_rest_it_holds_nothing_and_writes_nothing(house: House) -> None:
    """So `--on-conflict fail` goes on meaning what it says."""
    house.ask("v1")
    house.comes_to_run("v1")
    house.looks(20)
    before = house.changes

    house.looks(20)

    assert house.changes == before
    assert not house.leases


def test_a_lost_task_is_replaced_and_the_lease_given_back(house: House) -> None:
    house.ask("v1")
    house.comes_to_run("v1")

    house.engine.remove_by_hand(house.tasks[0])

    _eventually(lambda: len(house.tasks) == 3 and house.runs("v1"))


def test_another_holder_is_followed_and_succeeded_when_it_dies(house: House) -> None:
    """It held the lease, and was never heard of again."""
    house.ask("v1")
    house.comes_to_run("v1")
    other = Lease(house.engine.store, STACK, house.engine.now)
    assert other.hold(house.engine.store.list(STACK)) is None

    house.ask("v2")

    house.comes_to_run("v2")
    lease = [
        event.text
        for progress in house.progress
        for event in progress.events
        if event.kind is EventKind.LEASE
    ]
    assert lease[0].startswith("followed, driven by ")
    assert lease[-1] == "taken over"


def test_a_removed_stack_is_not_made_again(house: House) -> None:
    """Whoever removes it is helped, and nothing is left: no task, no record, no lease."""
    house.ask("v1")
    house.comes_to_run("v1")

    remove(
        house.session,
        STACK,
        tell=lambda _: None,
        report=lambda _: None,
        stop=threading.Event(),
        wake=VirtualFlag(house.engine.clock),
    )
    house.looks(20)

    assert house.tasks == ()
    assert house.engine.store.list(STACK) == ()


def test_told_to_stop_it_ends_and_leaves_no_lease(house: House) -> None:
    house.ask("v1")
    house.comes_to_run("v1")
    house.ask("v2")

    house.close()

    assert not house.ended
    assert not house.leases


def test_its_own_stack_is_left_to_others() -> None:
    """Who stops himself does not live to start his successor."""
    first = House()
    first.ask("v1")
    first.comes_to_run("v1")
    first.close()

    ours = House(first.engine, own=first.tasks[1].container_id)
    ours.ask("v2")
    ours.looks(20)
    leases = ours.leases
    ours.close()

    assert {task.image for task in first.tasks} == {"v1"}
    assert not leases
    assert not ours.ended


@pytest.mark.timeout(300)
def test_memory_does_not_grow(house: House) -> None:
    """A revision alone is some 60 blocks of memory; less is left behind by an update, and that is
    the simulated engine's."""

    def update(numbers: range) -> int:
        for number in numbers:
            house.ask(f"v{number}")
            house.comes_to_run(f"v{number}")
        house.looks(3)
        gc.collect()
        return sys.getallocatedblocks()

    before = update(range(60))
    after = update(range(60, 120))

    assert (after - before) / 60 < 60
    assert len(house.ledger.read(STACK)["web"]) <= 20


class _Moody(SimulatedEngine):
    """One stack's tasks cannot be looked at, for a reason that nobody has thought of; and for a
    while the engine does not answer at all."""

    away = False

    def observe(self, stack: str) -> tuple[Task, ...]:
        if stack == "bad":
            raise ZeroDivisionError("nobody has thought of it")
        self._answer()
        return super().observe(stack)

    def stacks(self) -> tuple[str, ...]:
        self._answer()
        return super().stacks()

    def _answer(self) -> None:
        if self.away:
            raise EngineUnavailableError("nobody answers")


class Moving:
    """A supervisor on an engine whose clock runs a hundred times as fast as ours."""

    def __init__(self, only: frozenset[str] = frozenset()) -> None:
        self.engine = _Moody()
        self.ledger = Ledger(self.engine.store, self.engine.now, "ann@host")
        self.failed: list[tuple[str, Exception, float]] = []
        self.supervisor = Supervisor(
            Session(self.engine, self.ledger),
            report=lambda _: None,
            failed=lambda *found: self.failed.append(found),
            only=only,
        )
        self._stop, self._wake = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._tick),
            threading.Thread(target=lambda: self.supervisor.run(self._stop, self._wake)),
        ]
        for thread in self._threads:
            thread.start()

    def _tick(self) -> None:
        while not self._stop.wait(0.005):
            self.engine.clock.advance(0.5)

    def deploy(self, stack: str) -> None:
        self.ledger.record(stack, _spec(), Cause.DEPLOY)

    def runs(self, stack: str) -> bool:
        tasks = SimulatedEngine.observe(self.engine, stack)
        return len([task for task in tasks if task.running]) == 3

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        while any(thread.is_alive() for thread in self._threads):
            self.engine.clock.advance(0.5)
            time.sleep(0.005)


@pytest.fixture
def moving() -> Iterator[Moving]:
    found = Moving()
    yield found
    found.close()


def test_one_stack_in_trouble_stops_no_other(moving: Moving) -> None:
    """The trouble is told, with the stack's name, and tried again after growing pauses."""
    moving.deploy("bad")
    moving.deploy("good")

    _eventually(lambda: moving.runs("good"))
    _eventually(lambda: len(moving.failed) >= 2)

    assert [(stack, str(error)) for stack, error, _ in moving.failed[:2]] == [
        ("bad", "nobody has thought of it")
    ] * 2
    assert [pause for *_, pause in moving.failed[:2]] == [1.0, 2.0]
    seen = {each.stack: each for each in moving.supervisor.watched()}
    assert seen["bad"].errors >= 2
    assert seen["good"].errors == 0


def test_new_stacks_are_met_and_gone_ones_let_go(moving: Moving) -> None:
    moving.deploy("one")
    _eventually(lambda: moving.runs("one"))
    moving.deploy("two")
    _eventually(lambda: moving.runs("two"))

    for task in moving.engine.observe("one"):
        moving.engine.remove_by_hand(task)
    moving.ledger.remove("one")

    _eventually(lambda: [each.stack for each in moving.supervisor.watched()] == ["two"])


def test_only_the_stacks_that_were_named() -> None:
    moving = Moving(only=frozenset({"mine"}))
    try:
        moving.deploy("other")
        moving.deploy("mine")
        _eventually(lambda: moving.runs("mine"))

        assert not moving.runs("other")
        assert [each.stack for each in moving.supervisor.watched()] == ["mine"]
    finally:
        moving.close()


def test_an_engine_that_is_away_is_an_ailment_until_it_is_back(moving: Moving) -> None:
    moving.deploy("one")
    _eventually(lambda: moving.runs("one") and not moving.supervisor.ailments())

    moving.engine.away = True
    _eventually(moving.supervisor.ailments)
    assert "nobody answers" in moving.supervisor.ailments()[0]

    moving.engine.away = False
    _eventually(lambda: not moving.supervisor.ailments())
    moving.engine.remove_by_hand(moving.engine.observe("one")[0])
    _eventually(lambda: moving.runs("one"))


def test_a_revision_that_asks_for_fewer_is_driven_too(moving: Moving) -> None:
    moving.deploy("one")
    _eventually(lambda: moving.runs("one"))

    moving.ledger.record("one", replace(_spec(), replicas=1), Cause.SCALE)

    _eventually(lambda: sum(task.alive for task in moving.engine.observe("one")) == 1)

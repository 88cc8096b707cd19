"""A removal that is killed at any call is finished by whoever comes next; nothing comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from rollout.controller.drive import drive
from rollout.controller.recover import recover
from rollout.controller.remove import begin_removal, remove
from rollout.controller.session import Session, observe
from rollout.engine.simulated.clock import VirtualFlag
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Rule
from rollout.errors import ConflictError, RolloutError
from rollout.ledger.lease import EXPIRES_AFTER_S
from rollout.ledger.ledger import Ledger
from rollout.model.event import Progress
from rollout.model.state import Cause
from tests.scenarios.world import spec


class KilledError(BaseException):
    """The process is gone: nothing that comes after is done."""


class Mortal:
    """An engine or a store whose user dies at the n-th call that changes anything."""

    def __init__(self, inner: Any, life: list[int], calls: frozenset[str]) -> None:
        self._inner = inner
        self._life = life
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._calls:
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._life[0] -= 1
            if self._life[0] <= 0:
                raise KilledError
            return found(*arguments, **options)

        return call


class MortalEngine(Mortal):
    def __init__(self, inner: SimulatedEngine, life: list[int]) -> None:
        super().__init__(inner, life, frozenset({"act", "clear"}))
        self.store = Mortal(inner.store, life, frozenset({"put", "drop"}))


def _quiet(_progress: Progress) -> None: ...


def _session(engine: Any) -> Session:
    return Session(engine, Ledger(engine.store, engine.now, "ann@host"))


def _drive(session: Session, clock: SimulatedEngine, **options: Any) -> None:
    wake = VirtualFlag(clock.clock)
    drive(session, "st", report=_quiet, stop=threading.Event(), wake=wake, **options)


def _remove(session: Session, clock: SimulatedEngine) -> bool:
    told: list[str] = []
    wake = VirtualFlag(clock.clock)
    return remove(session, "st", tell=told.append, report=_quiet, stop=threading.Event(), wake=wake)


def _deployed() -> SimulatedEngine:
    """Two services, one of them updated once; at rest."""
    engine = SimulatedEngine()
    session = _session(engine)
    session.ledger.put_contents("st", {"d" * 64: b"content"})
    session.ledger.record("st", spec(2), Cause.DEPLOY)
    session.ledger.record("st", replace(spec(1), name="db"), Cause.DEPLOY)
    _drive(session, engine)
    session.ledger.record("st", spec(2, image="v2"), Cause.UPDATE)
    _drive(session, engine)
    return engine


@contextmanager
def _time_goes_on(engine: SimulatedEngine, life: list[int]) -> Iterator[None]:
    """Calls that were under way when their maker died end at the engine all the same."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.002):
            if life[0] <= 0:
                engine.clock.advance(1.0)

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        over.set()
        ticking.join()


def _is_clean(engine: SimulatedEngine) -> bool:
    return not engine.observe("st") and not engine.store.list()


def test_nothing_is_left() -> None:
    """No task, no record, no lease."""
    engine = _deployed()
    assert [r.name for r in engine.store.list() if "lease" in r.name] == []

    assert _remove(_session(engine), engine)

    assert _is_clean(engine)
    assert not _remove(_session(engine), engine)


FINISHED_BY: dict[str, Callable[[Session, SimulatedEngine], object]] = {
    "rm": _remove,
    "status --wait": _drive,
    "before a deploy": lambda session, engine: recover(
        session, "st", lambda _: None, VirtualFlag(engine.clock)
    ),
}


@pytest.mark.parametrize("finisher", FINISHED_BY)
def test_killed_at_any_call_the_next_command_finishes_it(finisher: str) -> None:
    """Every call that changes something, from the first record to the last.  Until then no
    definition of it is to be seen."""
    died = 0
    while True:
        engine = _deployed()
        life = [died + 1]
        try:
            with _time_goes_on(engine, life):
                _remove(_session(MortalEngine(engine, life)), engine)
        except KilledError:
            died += 1
        else:
            break
        engine.clock.advance(EXPIRES_AFTER_S + 1)
        begun = died > 1
        assert bool(observe(_session(engine), "st").book) is not begun

        if begun:
            FINISHED_BY[finisher](_session(engine), engine)
            assert _is_clean(engine), f"killed at call {died}"

    assert died > 15


def test_a_driver_takes_down_what_it_was_driving() -> None:
    """It sees the record, builds nothing up again, and leaves no lease behind."""
    engine = _deployed()
    session = _session(engine)
    engine.faults.add(Rule(behaviour=Behaviour(prepare_s=30.0), image="v3"))
    session.ledger.record("st", spec(2, image="v3"), Cause.UPDATE)
    told: list[str] = []

    def ask() -> None:
        begin_removal(session, "st", None, told.append)

    engine.clock.call_at(engine.now() + 10, ask)

    _drive(session, engine)

    assert told == ["Removing service st_db", "Removing service st_web"]
    assert _is_clean(engine)


def test_one_service_goes_and_the_others_stay() -> None:
    """As `deploy --prune` asks for it; killed or not, whoever drives does it."""
    engine = _deployed()
    session = _session(engine)
    begin_removal(session, "st", frozenset({"db"}), lambda _: None)
    assert set(observe(session, "st").book) == {"web"}

    _drive(session, engine)

    assert {task.service for task in engine.observe("st")} == {"web"}
    names = [record.name for record in engine.store.list()]
    assert not [name for name in names if "db" in name or "removal" in name or "lease" in name]


def test_nothing_is_recorded_for_what_is_being_removed() -> None:
    engine = _deployed()
    session = _session(engine)
    begin_removal(session, "st", frozenset({"db"}), lambda _: None)

    with pytest.raises(ConflictError, match="st_db is being removed by ann@host"):
        session.ledger.record("st", replace(spec(4), name="db"), Cause.DEPLOY)
    assert session.ledger.record("st", spec(3, image="v2"), Cause.SCALE) is not None


def test_a_task_that_will_not_go_ends_it_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what is begun stays begun."""
    engine = _deployed()

    def refuse(*_: object) -> None:
        raise ConflictError("device is busy", status=409)

    monkeypatch.setattr(engine, "act", refuse)

    with pytest.raises(RolloutError, match="device is busy"):
        _remove(_session(engine), engine)

    removal = observe(_session(engine), "st").removal
    assert removal is not None
    assert removal.whole


def test_names_of_a_stack_and_of_a_service_of_another_do_not_meet() -> None:
    """Stack `a_b` is removed; service `b` of stack `a` is not."""
    engine = SimulatedEngine()
    session = _session(engine)
    session.ledger.record("a_b", spec(1), Cause.DEPLOY)
    session.ledger.record("a", replace(spec(1), name="b"), Cause.DEPLOY)

    begin_removal(session, "a_b", None, lambda _: None)

    assert observe(session, "a").removal is None
    assert session.ledger.read("a_b") == {}
    assert set(session.ledger.read("a")) == {"b"}

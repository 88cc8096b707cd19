"""What all commands ask before they record something: the rest of the stack counts, and only what
makes tasks is asked about."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rollout.controller.feasible import check
from rollout.controller.session import Session
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.errors import ConflictError
from rollout.ledger.ledger import Ledger
from rollout.model.spec import Order, Port, ServiceSpec, TaskSpec, UpdateConfig
from rollout.model.state import Cause, MarkKind

PORT = (Port(target=80, published=(8080, 8080)),)


class Refusing(SimulatedEngine):
    """An engine on which nothing new can run."""

    def check(
        self, spec: ServiceSpec, stack: str, beside: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        return (f"no: {spec.name} beside {', '.join(sorted(beside))}",)


def _session(engine: SimulatedEngine, *services: ServiceSpec) -> Session:
    """One with services that are recorded and complete."""
    session = Session(engine, Ledger(engine.store, engine.now, by="ann@host"))
    for spec in services:
        revision = session.ledger.record("st", spec, Cause.DEPLOY)
        assert revision is not None
        session.ledger.note(revision, MarkKind.COMPLETED, "")
    return session


def _spec(name: str = "web", replicas: int = 1, **fields: Any) -> ServiceSpec:
    task = {key: fields.pop(key) for key in tuple(fields) if key in TaskSpec.__struct_fields__}
    return ServiceSpec(name=name, replicas=replicas, task=TaskSpec(image="v1", **task), **fields)


def test_two_services_want_one_port() -> None:
    """In one file, or one that was recorded before; but for one that goes."""
    session = _session(SimulatedEngine(), _spec("old", ports=PORT))
    new = _spec("new", ports=PORT)

    with pytest.raises(ConflictError) as raised:
        check(session, [new], "st")
    assert str(raised.value) == "st_new: port 8080/tcp is also what st_old asks for"
    check(session, [new], "st", going={"old"})
    check(session, [new, _spec("old")], "st")
    with pytest.raises(ConflictError):
        check(session, [new, _spec("newer", ports=PORT)], "st", going={"old"})


def test_more_replicas_than_can_be() -> None:
    """`scale`, and any other way to more of them."""
    before = _spec(ports=PORT)
    session = _session(SimulatedEngine(), before)

    with pytest.raises(ConflictError, match="not by 3 replicas"):
        check(session, [replace(before, replicas=3)], "st")
    with pytest.raises(ConflictError, match="use stop-first"):
        check(session, [replace(before, update=UpdateConfig(order=Order.START_FIRST))], "st")


def test_what_makes_no_task_is_not_asked_about() -> None:
    """Fewer replicas and another cadence are always possible, whatever is wrong on the host."""
    before = _spec(replicas=3)
    session = _session(Refusing(), before)

    check(session, [replace(before, replicas=1)], "st")
    check(session, [replace(before, update=UpdateConfig(parallelism=2))], "st")
    check(session, [replace(before, replicas=0, task=TaskSpec(image="v2"))], "st")
    for wanted in (replace(before, replicas=4), replace(before, task=TaskSpec(image="v2"))):
        with pytest.raises(ConflictError, match="no: web beside web"):
            check(session, [wanted], "st")


def test_what_ended_badly_is_asked_about_again() -> None:
    """A resume, or the same file once more: it had not run."""
    spec = _spec()
    session = _session(Refusing(), spec)
    [revision] = session.ledger.read("st")["web"]
    check(session, [spec], "st")

    session.ledger.note(revision, MarkKind.PAUSED, "")

    with pytest.raises(ConflictError, match="no: web"):
        check(session, [spec], "st")

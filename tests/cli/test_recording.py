"""Two people change a service at the same moment: neither undoes what the other did."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from rollout.cli.recording import record_change, still_changed
from rollout.cli.targets import find_service
from rollout.controller.session import Session
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.errors import NotFoundError
from rollout.ledger.ledger import Ledger
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause
from tests.scenarios.world import spec


def _session() -> Session:
    engine = SimulatedEngine()
    session = Session(engine, Ledger(engine.store, engine.now, "ann@host"))
    session.ledger.record("st", spec(3), Cause.DEPLOY)
    return session


def test_a_change_is_made_to_what_another_has_recorded_meanwhile() -> None:
    """An image and a number of replicas: both stay."""
    session = _session()
    target = find_service(session, "st_web")

    def scaled_by_two_at_once(found: ServiceSpec) -> ServiceSpec:
        newer = replace(found, task=replace(found.task, image="v2"))
        session.ledger.record("st", newer, Cause.UPDATE)
        return replace(found, replicas=5)

    made = record_change(session, target, scaled_by_two_at_once, Cause.SCALE)

    assert made.is_new
    recorded = made.revision
    assert (recorded.number, recorded.spec.replicas) == (3, 5)
    assert recorded.spec.task.image == "v2"


def test_no_change_no_revision() -> None:
    session = _session()

    same = record_change(session, find_service(session, "st_web"), _same, Cause.UPDATE)

    assert (same.revision.number, same.is_new) == (1, False)
    assert len(session.ledger.read("st")["web"]) == 1


def test_removed_meanwhile() -> None:
    """It is not made anew from an old definition."""
    session = _session()

    def too_late(found: ServiceSpec) -> ServiceSpec:
        session.ledger.remove("st")
        return replace(found, replicas=5)

    with pytest.raises(NotFoundError, match="removed meanwhile"):
        record_change(session, find_service(session, "st_web"), too_late, Cause.SCALE)


def _same(found: ServiceSpec) -> ServiceSpec:
    return found


@pytest.mark.parametrize(
    ("change", "newer", "stands"),
    [
        ({"image": "v2"}, {"image": "v2", "replicas": 4}, True),
        ({"image": "v2"}, {"image": "v1"}, False),
        ({"image": "v2"}, {"image": "v3"}, False),
        ({"replicas": 5}, {"image": "v3", "replicas": 5}, True),
        ({"replicas": 5}, {"image": "v3"}, False),
        ({"replicas": 5}, {"replicas": 3}, True),
    ],
)
def test_what_a_command_asked_for_stands_in_the_same_tasks_or_where_it_is_kept(
    change: dict[str, Any], newer: dict[str, Any], stands: bool
) -> None:
    """Of a number of replicas it is the number, or the same tasks under another one."""
    session = _session()
    target = find_service(session, "st_web")

    asked = partial(_changed, **change)
    recorded = record_change(session, target, asked, Cause.UPDATE)

    assert still_changed(recorded, asked)(_changed(target.newest.spec, **newer)) is stands


def _changed(spec: ServiceSpec, *, image: str = "", replicas: int = 0) -> ServiceSpec:
    task = replace(spec.task, image=image) if image else spec.task
    return replace(spec, task=task, replicas=replicas or spec.replicas)

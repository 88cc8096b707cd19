"""What is told of two looks, one after the other."""

from __future__ import annotations

from rollout.controller.events import events_between
from rollout.model.state import MarkKind, UpdateState
from rollout.model.status import ServiceStatus
from tests.support.shown import NOW, revision, slot, status, task


def _updating(**fields: object) -> ServiceStatus:
    given = {
        "revision": revision(2),
        "state": UpdateState.UPDATING,
        "message": "update in progress",
        "outcome": None,
    }
    return status(**{**given, **fields})


def _texts(before: ServiceStatus, after: ServiceStatus) -> list[str]:
    return [each.text for each in events_between({"web": before}, {"web": after}, NOW)]


def test_a_task_that_uses_its_grace_is_told_when_it_is_asked_to_end() -> None:
    """Once, and those with one grace together."""
    stopping = tuple(
        slot(number, stopping=task(number, stop_grace_s=grace_s))
        for number, grace_s in ((1, 10.0), (2, 10.0), (3, 90.0))
    )
    before, after = _updating(slots=(slot(1), slot(2), slot(3))), _updating(slots=stopping)

    assert _texts(before, after) == [
        "stopping web.1, web.2 (grace 10s)",
        "stopping web.3 (grace 1m30s)",
    ]
    assert _texts(after, after) == []


def test_what_is_paused_begins_no_batch() -> None:
    """A slot in flight may take its time, or be taken up again."""
    paused = {"revision": revision(2, mark=MarkKind.PAUSED), "state": UpdateState.PAUSED}

    assert _texts(_updating(), _updating(batch=(2,))) == ["batch: slots 2"]
    assert _texts(_updating(**paused), _updating(**paused, batch=(2,))) == []


def test_every_restart_by_docker_is_told() -> None:
    first, second = task(1, restarts=1, last_exit=3), task(1, restarts=2, last_exit=3)
    before, after = (
        _updating(slots=(slot(1, task=first),)),
        _updating(slots=(slot(1, task=second),)),
    )

    (event,) = events_between({"web": before}, {"web": after}, NOW)

    assert event.text == "web.1 restarted 2 times by Docker, last exit 3"
    assert event.state == "restarting"
    assert _texts(after, after) == []

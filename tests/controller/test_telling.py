"""What is told while a command drives: the same trouble once, however often it is met."""

from __future__ import annotations

from rollout.controller.telling import Telling
from rollout.errors import EngineError
from rollout.model.action import Prepare
from rollout.model.event import EventKind, Progress
from rollout.model.revision import Revision
from rollout.model.status import Failure, ServiceStatus
from tests.decide.given import first


class Told:
    def __init__(self) -> None:
        self.seen: list[Progress] = []
        self.telling = Telling("st", self.seen.append)

    def meets(self, slot: int, name: str, said: str) -> None:
        action = Prepare(revision=MADE, slot=slot, cause="updated to revision 1")
        self.telling.failed("web", action, EngineError(f"create {name}: {said}"), 1.0)

    def look(self, *failures: Failure) -> list[str]:
        """The troubles and failures told with this look."""
        self.telling.look({"web": _status(failures)}, 1.0, None, ours=True)
        kinds = (EventKind.RETRY, EventKind.FAILURE)
        return [event.text for event in self.seen[-1].events if event.kind in kinds]


def test_the_same_trouble_is_told_once() -> None:
    told = Told()
    told.meets(1, "web.1.aaa", "no such image")
    told.meets(2, "web.2.bbb", "no such image")
    assert told.look() == ["prepare web.1, updated to revision 1: create web.1.aaa: no such image"]

    told.meets(1, "web.1.ccc", "no such image")
    assert told.look() == []

    told.meets(1, "web.1.ccc", "no space left on device")
    assert len(told.look()) == 1


def test_what_has_become_a_failure_is_told_as_that() -> None:
    told = Told()
    told.meets(1, "web.1.aaa", "unknown log opt")
    reason = "cannot be made: create web.1.aaa: unknown log opt"

    assert told.look(Failure(slot=1, task_id="", reason=reason, at=1.0)) == [
        f"web.1 failed: {reason}"
    ]


def test_at_rest_it_is_forgotten() -> None:
    """A controller that stays tells of it again when it happens again."""
    told = Told()
    told.meets(1, "web.1.aaa", "no such image")
    told.look()
    told.telling.forget()
    told.meets(1, "web.1.aaa", "no such image")

    assert len(told.look()) == 1


MADE: Revision = first()


def _status(failures: tuple[Failure, ...]) -> ServiceStatus:
    return ServiceStatus(
        stack="st",
        service="web",
        revision=MADE,
        state=None,
        message="",
        started_at=None,
        completed_at=None,
        slots=(),
        batch=(),
        in_flux=(),
        updated=0,
        total=0,
        running=0,
        desired=1,
        failures=failures,
    )

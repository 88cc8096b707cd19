"""Exit codes: how a stack ended, for CI."""

from __future__ import annotations

import pytest

from rollout.controller.outcome import exit_code
from rollout.model.revision import Mark, Revision
from rollout.model.spec import ServiceSpec, TaskSpec
from rollout.model.state import Cause, MarkKind
from rollout.model.status import ServiceStatus


def _ended(kind: MarkKind, cause: Cause = Cause.DEPLOY, reason: str = "failure") -> ServiceStatus:
    revision = Revision(
        stack="shop",
        service="web",
        number=2,
        cause=cause,
        spec=ServiceSpec(name="web", task=TaskSpec(image="web")),
        digest="d",
        marks=(Mark(number=1, kind=kind, reason=reason),),
    )
    return ServiceStatus(
        stack="shop",
        service="web",
        revision=revision,
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
        desired=0,
        outcome=kind,
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (_ended(MarkKind.COMPLETED), 0),
        (_ended(MarkKind.COMPLETED, Cause.ROLLBACK), 0),
        (_ended(MarkKind.FAILED), 1),
        (_ended(MarkKind.PAUSED), 3),
        (_ended(MarkKind.PAUSED, reason="request"), 3),
        (_ended(MarkKind.COMPLETED, Cause.AUTO_ROLLBACK), 4),
        (_ended(MarkKind.PAUSED, Cause.AUTO_ROLLBACK), 5),
        (_ended(MarkKind.PAUSED, Cause.ROLLBACK), 5),
        (_ended(MarkKind.PAUSED, reason="deadline"), 6),
        (_ended(MarkKind.FAILED, reason="deadline"), 6),
    ],
    ids=str,
)
def test_each_end_has_its_code(status: ServiceStatus, code: int) -> None:
    """A paused or rolled back update is never 0."""
    assert exit_code([status]) == code


def test_of_several_services_the_worst_counts() -> None:
    """1 before 5 before 3 before 6 before 4."""
    done, back = _ended(MarkKind.COMPLETED), _ended(MarkKind.COMPLETED, Cause.AUTO_ROLLBACK)
    paused, failed = _ended(MarkKind.PAUSED), _ended(MarkKind.FAILED)

    assert exit_code([done, back]) == 4
    assert exit_code([back, paused, done]) == 3
    assert exit_code([paused, failed, back]) == 1
    assert exit_code([]) == 0

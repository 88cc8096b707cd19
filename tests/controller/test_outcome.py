"""Exit codes: how a stack ended, for CI."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rollout.controller.outcome import exit_code, superseded_by
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


def test_what_was_asked_for_is_not_rolled_back() -> None:
    """The good file once more, after an automatic rollback to it."""
    back = _ended(MarkKind.COMPLETED, Cause.AUTO_ROLLBACK)

    assert exit_code([replace(back, as_asked=True)]) == 0


def test_of_several_services_the_worst_counts() -> None:
    """1 before 5 before 3 before 6 before 4."""
    done, back = _ended(MarkKind.COMPLETED), _ended(MarkKind.COMPLETED, Cause.AUTO_ROLLBACK)
    paused, failed = _ended(MarkKind.PAUSED), _ended(MarkKind.FAILED)

    assert exit_code([done, back]) == 4
    assert exit_code([back, paused, done]) == 3
    assert exit_code([paused, failed, back]) == 1
    assert exit_code([]) == 0


def _history(*asked: tuple[str, Cause]) -> tuple[Revision, ...]:
    """Revisions 1, 2, …, each by its image and what made it."""
    return tuple(
        Revision(
            stack="shop",
            service="web",
            number=number,
            cause=cause,
            spec=ServiceSpec(name="web", task=TaskSpec(image=image)),
            digest=image,
        )
        for number, (image, cause) in enumerate(asked, start=1)
    )


@pytest.mark.parametrize(
    ("later", "by"),
    [
        ([], None),
        ([("v2", Cause.SCALE)], None),
        ([("v1", Cause.ROLLBACK)], 3),
        ([("v2", Cause.UPDATE), ("v3", Cause.DEPLOY), ("v4", Cause.DEPLOY)], 4),
        ([("v1", Cause.AUTO_ROLLBACK)], None),
        ([("v1", Cause.AUTO_ROLLBACK), ("v3", Cause.DEPLOY)], 4),
        ([("v3", Cause.DEPLOY), ("v1", Cause.AUTO_ROLLBACK)], 3),
        ([("v1", Cause.ROLLBACK), ("v2", Cause.ROLLBACK)], None),
    ],
    ids=str,
)
def test_what_somebody_else_asked_for_instead(
    later: list[tuple[str, Cause]], by: int | None
) -> None:
    """Asked for was revision 2, v2.  An automatic rollback is how that ended, unless it was of what
    came after."""
    history = _history(("v1", Cause.DEPLOY), ("v2", Cause.UPDATE), *later)

    found = superseded_by(history, lambda spec: spec.task.image == "v2")

    assert (found.number if found else None) == by


def test_superseded_is_a_code_of_its_own_however_the_other_ended() -> None:
    """9; behind whatever went wrong with another service."""
    other = {"web": _history(("v1", Cause.ROLLBACK))[0]}

    assert exit_code([_ended(MarkKind.COMPLETED)], other) == 9
    assert exit_code([_ended(MarkKind.PAUSED)], other) == 9
    assert exit_code([_ended(MarkKind.COMPLETED, Cause.AUTO_ROLLBACK)], {}) == 4

"""What cannot be read of a stack, as whoever looks at it and drives it meets it."""

from __future__ import annotations

import pytest

from rollout.controller.doctor import discard, examine
from rollout.controller.look import look
from rollout.controller.outcome import exit_code
from rollout.controller.session import observe
from rollout.errors import UsageError
from rollout.model import labels
from rollout.model.state import Cause
from tests.scenarios.test_lost_ledger import Stack
from tests.scenarios.world import spec


def spoil(stack: Stack, number: int) -> str:
    """A revision's record cannot be read any more."""
    name = labels.revision_record("st", "web", number)
    stack.engine.store.drop(name)
    stack.engine.store.put(name, {labels.RECORD: "revision", labels.STACK: "st"})
    return name


def test_a_newer_revision_that_cannot_be_read_is_not_undone() -> None:
    """Its tasks run on, shown with their number; nothing is recorded in its place, nothing is said
    to be done; and a deploy goes on from there."""
    stack = Stack().roll(spec(), spec(image="v2"))
    spoil(stack, 2)

    stack.drive()

    assert {(image, revision) for _, image, revision in stack.running} == {("v2", 2)}
    assert [each.number for each in stack.written] == [1]
    assert observe(stack.session, "st").unknown == {"web"}
    (status,) = look(stack.session, "st").services
    assert status.left_alone
    assert status.at_rest
    assert exit_code([status]) == 1
    stack.roll(spec(image="v3"))
    assert [each.number for each in stack.written] == [1, 3]
    assert {(image, revision) for _, image, revision in stack.running} == {("v3", 3)}
    assert exit_code(look(stack.session, "st").services) == 0


def test_one_that_nothing_runs_of_is_in_nobody_s_way() -> None:
    stack = Stack().roll(spec())
    stack.engine.store.put(
        labels.revision_record("st", "web", 2), {labels.RECORD: "revision", labels.STACK: "st"}
    )

    stack.drive()

    (status,) = look(stack.session, "st").services
    assert not status.left_alone
    assert exit_code([status]) == 0
    assert stack.ask(spec(image="v2"), Cause.UPDATE) is not None
    assert [each.number for each in stack.written] == [1, 3]


def test_an_older_one_is_lost_for_rollbacks_only() -> None:
    """It is not made anew from its containers under a number that is taken."""
    stack = Stack().roll(spec(), spec(image="v2"))
    spoil(stack, 1)

    stack.recover()
    stack.drive()

    assert not stack.told
    assert [each.number for each in stack.written] == [2]
    assert exit_code(look(stack.session, "st").services) == 0


def test_the_doctor_names_it_and_removes_it_by_name() -> None:
    stack = Stack().roll(spec(), spec(image="v2"))
    assert not examine(stack.session)
    name = spoil(stack, 2)

    found = examine(stack.session)

    assert [(each.check, each.name, each.removable) for each in found] == [
        ("unreadable", name, True),
        ("unknown", "st_web", False),
    ]
    for other in ("nothing", labels.revision_record("st", "web", 1)):
        with pytest.raises(UsageError, match="left alone"):
            discard(stack.session, [name, other])
    assert len(examine(stack.session)) == 2
    assert [each.name for each in discard(stack.session, [name, name])] == [name]
    assert not examine(stack.session)


def test_the_doctor_finds_what_is_left_of_a_stack() -> None:
    stack = Stack()
    stack.session.ledger.put_contents("st", {"abc": b"hello"})
    stack.engine.store.put(labels.mark_record("st", "web", 1, 1), {labels.STACK: "a/b"})

    found = {each.check: each for each in examine(stack.session)}

    assert found.keys() == {"leftovers", "unreadable"}
    assert found["leftovers"].advice == "rollout rm st"


def test_the_doctor_finds_who_is_gone_and_what_he_was_doing() -> None:
    stack = Stack().roll(spec())
    stack.engine.store.put(
        labels.lease_record("st", 1),
        {labels.RECORD: "lease", labels.STACK: "st", "rollout.holder": "ann@host (pid 1)"},
    )
    stack.session.ledger.begin_removal("st", None)

    assert not examine(stack.session)
    stack.engine.clock.advance(60)

    assert [(each.check, each.advice) for each in examine(stack.session)] == [
        ("removals", "rollout rm st"),
        ("leases", "rollout status st --wait goes on from there"),
    ]

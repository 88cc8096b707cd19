"""Somebody pruned the volumes: what can be known is known again, and nothing old comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from rollout.controller.drive import drive
from rollout.controller.recover import recover
from rollout.controller.session import Session, observe
from rollout.engine.simulated.clock import VirtualFlag
from rollout.engine.simulated.engine import SimulatedEngine
from rollout.engine.simulated.faults import Behaviour, Rule
from rollout.errors import UsageError
from rollout.ledger.history import outcomes, previous_of
from rollout.ledger.ledger import Ledger
from rollout.model.action import Prepare
from rollout.model.event import EventKind, Progress
from rollout.model.revision import Revision
from rollout.model.spec import FailureAction, ServiceSpec, UpdateConfig
from rollout.model.state import Cause, MarkKind
from tests.scenarios.world import spec


class Stack:
    """Stack `st` on a simulated engine, driven by the real controller."""

    def __init__(self) -> None:
        self.engine = SimulatedEngine()
        self.session = Session(self.engine, Ledger(self.engine.store, self.engine.now, "ann@host"))
        self.told: list[str] = []

    def ask(self, service: ServiceSpec, cause: Cause = Cause.UPDATE) -> Revision | None:
        return self.session.ledger.record("st", service, cause)

    def drive(self) -> None:
        def report(progress: Progress) -> None:
            self.told += [each.text for each in progress.events if each.kind is EventKind.NOTE]

        wake = VirtualFlag(self.engine.clock)
        drive(self.session, "st", report=report, stop=threading.Event(), wake=wake)

    def roll(self, *services: ServiceSpec) -> Stack:
        for service in services:
            self.ask(service)
            self.drive()
            self.engine.clock.advance(100)
        return self

    def prune(self, which: Callable[[str], bool] = lambda _: True) -> Stack:
        for record in self.engine.store.list("st"):
            if which(record.name):
                self.engine.store.drop(record.name)
        return self

    def recover(self) -> None:
        recover(self.session, "st", self.told.append)

    @property
    def seen(self) -> tuple[Revision, ...]:
        """As whoever only looks sees it."""
        return observe(self.session, "st").book.get("web", ())

    @property
    def written(self) -> tuple[Revision, ...]:
        return self.session.ledger.read("st").get("web", ())

    @property
    def running(self) -> list[tuple[int, str, int]]:
        return [(t.slot, t.image, t.revision) for t in self.engine.observe("st") if t.alive]


def _facts(revisions: tuple[Revision, ...]) -> list[tuple[int, str, int, str]]:
    ended = outcomes(revisions)
    return [(r.number, r.spec.task.image, r.spec.replicas, ended[r.number]) for r in revisions]


def test_all_of_it_is_rebuilt_from_the_containers() -> None:
    """Every revision that a container was made for, with its number, and how it ended."""
    stack = Stack().roll(spec(2), spec(2, image="v2"), spec(2, image="v3"))
    before, tasks = _facts(stack.written), stack.running

    stack.prune()
    assert _facts(stack.written) == []
    assert _facts(stack.seen) == before
    stack.drive()

    assert _facts(stack.written) == before
    assert all(revision.cause is Cause.REBUILT for revision in stack.written)
    assert stack.running == tasks
    assert stack.told == [
        "the ledger had lost revisions 1, 2, 3: rebuilt from the containers, see `rollout history`"
    ]
    assert previous_of(stack.written).number == 2


def test_a_number_is_never_used_twice() -> None:
    """What is recorded next stands above all that containers name."""
    stack = Stack().roll(spec(2), spec(2, image="v2")).prune()

    stack.recover()
    made = stack.ask(spec(2, image="v3"))

    assert made is not None
    assert made.number == 3


def test_a_number_that_only_marks_remember_is_not_used_again() -> None:
    """Nor does the definition before it come back: what runs is what was asked for last."""
    stack = Stack().roll(spec(4), spec(2))
    stack.prune(lambda name: name.endswith(".r2"))

    stack.drive()

    assert _facts(stack.written) == [(1, "v1", 4, "completed"), (2, "v1", 2, "completed")]
    assert len(stack.running) == 2
    made = stack.ask(spec(3))
    assert made is not None
    assert made.number == 3


def test_marks_without_any_definition_do_not_fall_to_a_new_revision() -> None:
    """The first of a service whose records were pruned but for its marks."""
    stack = Stack().roll(spec(1))
    for task in stack.engine.observe("st"):
        stack.engine.remove_by_hand(task)
    stack.prune(lambda name: name.endswith(".r1"))

    made = stack.ask(spec(1))

    assert made is not None
    assert made.number == 2
    stack.drive()
    assert len(stack.running) == 1


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_any_one_revision_is_rebuilt(lost: int) -> None:
    """The newest too: the one before it never becomes what is asked for."""
    stack = Stack().roll(spec(2), spec(2, image="v2"), spec(2, image="v3"))
    before, tasks = _facts(stack.written), stack.running

    stack.prune(lambda name: f".r{lost}" in name)
    stack.drive()

    assert _facts(stack.written) == before
    assert stack.running == tasks


def test_lost_marks_are_rebuilt() -> None:
    """From what the next revision says of the one before it; the newest is judged anew."""
    stack = Stack().roll(spec(2), spec(2, image="v2"))
    before = _facts(stack.written)

    stack.prune(lambda name: ".m" in name)
    stack.drive()

    assert _facts(stack.written) == before


def test_after_a_gap_in_the_marks_the_next_is_still_written() -> None:
    """Numbers go on above the last, not above the count."""
    stack = Stack()
    revision = stack.ask(spec(1))
    assert revision is not None
    for kind in (MarkKind.PAUSED, MarkKind.RESUMED):
        stack.session.ledger.note(stack.written[-1], kind, "asked for")
    stack.prune(lambda name: name.endswith(".m1"))

    stack.drive()

    assert [mark.kind for mark in stack.written[-1].marks] == ["resumed", "completed"]


def test_an_update_goes_on_though_its_ledger_is_pruned_under_way() -> None:
    """The driver that is at it rebuilds it and finishes the new definition."""
    stack = Stack().roll(spec(3))
    stack.engine.faults.add(Rule(behaviour=Behaviour(prepare_s=5.0), image="v2"))
    stack.ask(spec(3, image="v2", update=UpdateConfig(parallelism=1, delay_s=10)))

    def prune() -> None:
        stack.prune()

    stack.engine.clock.call_at(stack.engine.now() + 17, prune)

    stack.drive()

    assert {(image, number) for _, image, number in stack.running} == {("v2", 2)}
    assert len(stack.told) == 1
    assert [record.name for record in stack.engine.store.list() if "lease" in record.name] == []


def test_an_update_that_fails_after_a_prune_still_goes_back() -> None:
    """The last completed definition is known from the tasks that were replaced."""
    stack = Stack().roll(spec(2), spec(2, image="v2")).prune()
    stack.recover()
    bad = Behaviour(exits_after_s=0.5, exit_code=1)
    stack.engine.faults.add(Rule(behaviour=bad, image="bad"))
    cadence = UpdateConfig(failure_action=FailureAction.ROLLBACK)

    stack.roll(spec(2, image="bad", update=cadence))

    assert {image for _, image, _ in stack.running} == {"v2"}
    assert stack.written[-1].restores == 2


def test_a_scale_down_that_no_container_tells_of_is_kept() -> None:
    """All slots that are left run as asked for: that many were wanted."""
    stack = Stack().roll(spec(5), spec(2)).prune()

    stack.drive()

    assert stack.written[-1].spec.replicas == 2
    assert len(stack.running) == 2


def test_a_plain_rollback_is_refused_where_what_was_before_never_was_complete() -> None:
    """An automatic rollback cannot be told from another once it is lost."""
    bad = Behaviour(exits_after_s=0.5, exit_code=1)
    cadence = UpdateConfig(failure_action=FailureAction.ROLLBACK)
    stack = Stack()
    stack.engine.faults.add(Rule(behaviour=bad, image="bad"))
    stack.roll(spec(2), spec(2, image="bad", update=cadence)).prune()
    stack.drive()
    assert {image for _, image, _ in stack.running} == {"v1"}

    with pytest.raises(UsageError, match="rebuilt"):
        previous_of(stack.written)


def test_what_a_late_controller_only_created_brings_no_stack_back() -> None:
    """A container that never ran, of a stack that was removed meanwhile."""
    stack = Stack()
    stack.engine.faults.add(Rule(behaviour=Behaviour(start_s=1000.0)))
    stack.ask(spec(1))
    revision = stack.written[-1]
    stack.engine.begin(Prepare(revision=revision, slot=1, cause="late"), lambda _: None)
    stack.engine.clock.advance(1)
    stack.prune()

    assert len(stack.engine.observe("st")) == 1
    assert stack.seen == ()


def test_nothing_is_rebuilt_of_what_is_whole() -> None:
    """Looking twice, while driving, after a trim: the ledger is as it was."""
    stack = Stack()
    for number in range(14):
        stack.roll(replace(spec(2, image=f"v{number}"), labels={}))

    assert stack.told == []
    assert not observe(stack.session, "st").lost
    assert len(stack.written) < 14

"""A recording's steps, asked of rollout: the same on a real engine and in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from rollout.errors import UsageError
from rollout.ledger.history import previous_of
from rollout.model.revision import Revision
from tests.conformance.case import Case
from tests.conformance.recording import (
    AwaitRunning,
    AwaitState,
    Create,
    Delete,
    Kill,
    Rollback,
    Sleep,
    Spec,
    Touch,
    Update,
)


class Until(Struct, frozen=True):
    """What is waited for; at the latest `at`."""

    true: Callable[[], bool]
    at: float | None = None


class Stage(Protocol):
    """Where a recording is played."""

    def now(self) -> float: ...

    @property
    def busy(self) -> bool:
        """A command is under way."""

    @property
    def made(self) -> bool:
        """The service was taken on."""

    @property
    def state(self) -> str | None:
        """What the update shows."""

    def running(self, image: str | None) -> int:
        """How many tasks run well."""

    def create(self, spec: Spec) -> None: ...

    def update(self, spec: Spec, before: Spec) -> None: ...

    def roll_back(self) -> None: ...

    def kill(self, image: str) -> None: ...

    def touch(self, path: str) -> None: ...

    def delete(self, path: str) -> None: ...


def play(case: Case, stage: Stage) -> Iterator[Until]:
    """Does the steps one after the other; go on when what was yielded is true.

    A person waits for the first deployment before changing it, and for a state only as long as
    something is under way that may lead to it.
    """
    spec: Spec = {}
    changed = 0
    for step in case.steps:
        match step:
            case Create():
                spec = step.spec
                stage.create(spec)
            case Update() | Rollback():
                if not changed:
                    yield Until(lambda: not stage.busy)
                if not stage.made:
                    return
                if isinstance(step, Update):
                    stage.update(step.spec, spec)
                else:
                    stage.roll_back()
                spec = case.definitions[changed]
                changed += 1
            case AwaitRunning(count, image):
                yield Until(_running(stage, count, image))
            case AwaitState(states, within_s):
                yield Until(_in_state(stage, states), stage.now() + within_s)
            case Sleep(seconds):
                yield Until(lambda: False, stage.now() + seconds)
            case Kill(image):
                stage.kill(image)
            case Touch(path):
                stage.touch(path)
            case Delete(path):
                stage.delete(path)
    yield Until(lambda: not stage.busy)


def _running(stage: Stage, count: int, image: str | None) -> Callable[[], bool]:
    return lambda: not stage.busy or stage.running(image) >= count


def _in_state(stage: Stage, states: tuple[str, ...]) -> Callable[[], bool]:
    return lambda: not stage.busy or stage.state in states


def goes_back_to(history: tuple[Revision, ...]) -> str | None:
    """The image that a plain rollback would bring back; None where it is refused."""
    try:
        return previous_of(history).spec.task.image if history else None
    except UsageError:
        return None

"""Taking down what is being removed: whoever drives the stack does it, whoever asked for it.

Tasks are stopped, those first that others do not depend on, then removed; when none is left the
ledger forgets the service, or with the stack its networks go too.  Each look begins from what is
there, so it may be broken off anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache

from rollout.controller.session import Look, Session
from rollout.controller.workers import Result, Workers
from rollout.errors import RolloutError
from rollout.ledger.removal import Removal
from rollout.model.action import Action, Remove, Stop, target_of
from rollout.model.canonical import spec_in
from rollout.model.state import ContainerStatus
from rollout.model.task import Task

_TRIES = 5
"""How often one task may refuse to go before it is somebody's business."""
_CAUSE = "removed on request"


class Removing:
    """For one drive of one stack."""

    def __init__(
        self,
        session: Session,
        stack: str,
        workers: Workers,
        note: Callable[[str], None],
    ) -> None:
        self._session = session
        self._stack = stack
        self._workers = workers
        self._note = note
        self._refused: Counter[object] = Counter()

    def go_on(self, seen: Look) -> bool:
        """Begin what is to be done next; True where something has come to its end by that, so that
        one must look again.
        """
        removal = seen.removal
        if removal is None:
            return False
        left = [task for task in seen.tasks if removal.covers(task.service)]
        needed = _needed(left)
        for task in left:
            action = _next_step(task)
            if (
                action is None
                or task.service in needed
                or target_of(action) in self._workers.busy(task.service, seen.now)
            ):
                continue
            self._workers.submit(task.service, action, seen.now)
        if removal.whole:
            if left or not self._workers.idle:
                return False
            self._forget_stack(removal)
            return True
        gone = list(self._gone(removal, left, seen.now))
        for service in gone:
            self._session.ledger.finish_removal(self._stack, service)
        return bool(gone)

    def take(self, result: Result) -> None:
        """What became of a step.  Raises the error of one that was tried often enough."""
        action = result.action
        if result.error is None or not is_removal(action):
            return
        key = target_of(result.action)
        self._refused[key] += 1
        if self._refused[key] >= _TRIES:
            raise RolloutError(
                f"{result.action}: {result.error}",
                hint="the removal goes on with the next command",
                reference="removal-stuck",
            )

    def _gone(self, removal: Removal, left: list[Task], now: float) -> Iterator[str]:
        there = {task.service for task in left}
        for service in sorted(removal.services - there):
            if not self._workers.busy(service, now):
                yield service

    def _forget_stack(self, removal: Removal) -> None:
        """The record of the removal goes last: until then anybody can go on from here.  The lease
        is held until its own record goes: nobody else is to drop what was recorded since."""
        for left in self._session.engine.clear(self._stack):
            self._note(left)
        for volume in sorted(removal.volumes):
            self._session.engine.remove_volume(volume)
        self._session.ledger.finish_removal(self._stack)


def is_removal(action: Action) -> bool:
    """A step of taking down what is being removed."""
    return isinstance(action, Stop | Remove) and action.cause == _CAUSE


def _needed(left: list[Task]) -> frozenset[str]:
    """Services that others which are still up depend on: those go first, unless in a circle."""
    up = {task.service for task in left if task.alive}
    needed = {name for task in left if task.alive for name in _depends_on(task.spec)}
    return frozenset(needed) if up - needed else frozenset()


@lru_cache(maxsize=256)
def _depends_on(spec: str) -> frozenset[str]:
    """Of a definition in a container's label; nothing where it cannot be read."""
    found = spec_in(spec)
    return frozenset(found.depends_on if found else ())


def _next_step(task: Task) -> Stop | Remove | None:
    if task.status is ContainerStatus.REMOVING:
        return None
    return Stop(task=task, cause=_CAUSE) if task.alive else Remove(task=task, cause=_CAUSE)

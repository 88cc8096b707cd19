"""The two things every command works with: an engine and its ledger."""

from __future__ import annotations

from msgspec import Struct

from rollout.engine.protocol import Engine, Record
from rollout.ledger.ledger import Book, Ledger
from rollout.model.task import Task


class Session(Struct, frozen=True):
    engine: Engine
    ledger: Ledger


class Look(Struct, frozen=True, kw_only=True):
    """All of a stack at one moment of the engine's clock."""

    now: float
    came_up: float
    """When the engine last began with nothing running."""
    records: tuple[Record, ...]
    book: Book
    tasks: tuple[Task, ...]

    def tasks_of(self, service: str) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.service == service)


def observe(session: Session, stack: str) -> Look:
    """Read the ledger first: a task is then never newer than the revision it was made for."""
    records = session.ledger.store.list(stack)
    return Look(
        came_up=session.engine.came_up(),
        records=records,
        book=session.ledger.book_of(records),
        tasks=session.engine.observe(stack),
        now=session.engine.now(),
    )

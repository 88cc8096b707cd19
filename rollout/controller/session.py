"""The two things every command works with: an engine and its ledger."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rollout.engine.protocol import Engine, Record
from rollout.ledger.ledger import Book, Ledger, hidden_in, marks_in
from rollout.ledger.rebuild import missing, with_missing
from rollout.ledger.removal import Removal, removal_in
from rollout.model.revision import Mark, Revision
from rollout.model.task import Task


class Session(Struct, frozen=True):
    engine: Engine
    ledger: Ledger
    parallel: int = 0
    """Actions under way at once, at the most; 0 for as many as is good."""


class Look(Struct, frozen=True, kw_only=True):
    """All of a stack at one moment of the engine's clock."""

    now: float
    came_up: float
    """When the engine last began with nothing running."""
    records: tuple[Record, ...]
    book: Book
    """With what the ledger has lost, as far as it can be known."""
    tasks: tuple[Task, ...]
    removal: Removal | None = None
    """What is on its way out: it is not in the book, its tasks are still here."""
    unknown: frozenset[str] = frozenset()
    """Services of which a newer revision runs than any that can be read: what is wanted of them is
    not known, and nothing is done about them."""
    lost: tuple[Revision, ...] = ()
    """What the ledger lacks, and the book has all the same."""

    def tasks_of(self, service: str) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.service == service)


def observe(session: Session, stack: str) -> Look:
    """Read the ledger, then the tasks; where a task seems to have no revision, the ledger again,
    since that may have been recorded in between."""
    records = session.ledger.store.list(stack)
    tasks = session.engine.observe(stack)
    lost = _lost(session, stack, records, tasks)
    if lost:
        records = session.ledger.store.list(stack)
        lost = _lost(session, stack, records, tasks)
    book = session.ledger.book_of(records)
    for service in sorted({each.service for each in lost}):
        found = tuple(each for each in lost if each.service == service)
        book[service] = with_missing(book.get(service, ()), found)
    hidden = hidden_in(records)
    return Look(
        unknown=frozenset(
            service
            for service, history in book.items()
            if _is_ahead(history[-1].number, hidden.get(service, frozenset()), tasks, service)
        ),
        came_up=session.engine.came_up(),
        records=records,
        book=dict(sorted(book.items())),
        tasks=tasks,
        now=session.engine.now(),
        removal=removal_in(records),
        lost=lost,
    )


def _lost(
    session: Session, stack: str, records: tuple[Record, ...], tasks: tuple[Task, ...]
) -> tuple[Revision, ...]:
    book, marks, removal = session.ledger.book_of(records), marks_in(records), removal_in(records)
    hidden = hidden_in(records)
    ours: dict[str, list[Task]] = {service: [] for service in book}
    for task in tasks:
        taken = hidden.get(task.service, ())
        if (
            task.revision
            and task.revision not in taken
            and not (removal and removal.covers(task.service))
        ):
            ours.setdefault(task.service, []).append(task)
    return tuple(
        revision
        for service, found in sorted(ours.items())
        for revision in missing(
            stack,
            service,
            book.get(service, ()),
            _without(marks.get(service, {}), hidden.get(service, frozenset())),
            tuple(found),
        )
    )


def _without(
    marks: Mapping[int, tuple[Mark, ...]], taken: frozenset[int]
) -> dict[int, tuple[Mark, ...]]:
    """Of a revision that cannot be read nothing is lost."""
    return {number: each for number, each in marks.items() if number not in taken}


def _is_ahead(newest: int, hidden: frozenset[int], tasks: tuple[Task, ...], service: str) -> bool:
    """A revision that cannot be read is newer than all that can, and tasks were made for it."""
    newer = {number for number in hidden if number > newest}
    return any(task.service == service and task.revision in newer for task in tasks)

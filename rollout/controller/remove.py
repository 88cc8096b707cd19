"""Taking a stack, or services of it, down and away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rollout.controller.session import Session
from rollout.controller.workers import THREADS
from rollout.model.action import Remove, Stop
from rollout.model.task import Task


def remove(
    session: Session,
    stack: str,
    services: set[str] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> bool:
    """Stop and remove all tasks, forget the revisions; with `services` None the networks too.

    False where there was nothing.  Named volumes stay, as with `docker stack rm`.  The ledger is
    told first: whoever drives the stack then has nothing to bring back.
    """
    engine, ledger = session.engine, session.ledger
    book = ledger.read(stack)
    tasks = [task for task in engine.observe(stack) if services is None or task.service in services]
    names = sorted({*book, *(task.service for task in tasks)})
    for name in names:
        if services is None or name in services:
            tell(f"Removing service {stack}_{name}")
            ledger.remove(stack, name)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda task: _take_down(session, stack, task), tasks))
    if services is None:
        engine.clear(stack)
        ledger.remove(stack)
    return bool(tasks or book)


def _take_down(session: Session, stack: str, task: Task) -> None:
    contents = session.ledger.contents(stack)
    if task.alive:
        session.engine.act(Stop(task=task, cause="stack removed"), contents)
    session.engine.act(Remove(task=task, cause="stack removed"), contents)

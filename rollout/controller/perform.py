"""One action done: to the engine, or written into the ledger."""

from __future__ import annotations

from threading import Lock

from rollout.controller.session import Session
from rollout.errors import NotFoundError
from rollout.ledger.lease import Lease
from rollout.model.action import Action, Note, Prepare, Push, TaskAction
from rollout.model.revision import Revision


class Perform:
    """For one stack.  Called from many threads, for different targets; raises RolloutError."""

    def __init__(self, session: Session, stack: str, lease: Lease) -> None:
        self._session = session
        self._stack = stack
        self._lease = lease
        self._ensuring = Lock()
        self._ensured: set[str] = set()

    def __call__(self, action: Action) -> tuple[str, ...]:
        """What a person is to know of it.  Nothing is begun so late that another may hold the
        stack by now: our process was stopped, or the machine slept."""
        if not self._lease.surely_ours:
            return ()
        ledger = self._session.ledger
        match action:
            case Note():
                ledger.note(action.revision, action.kind, action.message, action.reason)
            case Push():
                ledger.record(
                    self._stack,
                    action.source.spec,
                    action.cause,
                    restores=action.source.number,
                    message=action.message,
                    number=action.number,
                )
            case _:
                if isinstance(action, Prepare):
                    self._ensure(action.revision)
                return self._act(action)
        return ()

    def forget(self) -> None:
        """What is there already; it is looked at again when it is needed."""
        with self._ensuring:
            self._ensured.clear()

    def _act(self, action: TaskAction) -> tuple[str, ...]:
        try:
            return self._session.engine.act(action, self._session.ledger.contents(self._stack))
        except NotFoundError:
            # Somebody may have removed what it needs: that is made again with the next try.
            self.forget()
            raise

    def _ensure(self, revision: Revision) -> None:
        """Networks and volumes, once per revision: two at once would make a network twice."""
        with self._ensuring:
            if revision.digest not in self._ensured:
                self._session.engine.ensure(revision.spec, self._stack)
                self._ensured.add(revision.digest)

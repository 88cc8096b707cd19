"""The loop: observe, decide, act, observe, until every service of a stack is at rest.

One driver holds the stack's lease and acts.  Any other command runs the same loop without acting:
it sees and reports the same, since what it reports is derived from what it observes, and takes over
as soon as the lease is free.  An engine that does not answer is waited for.

A driver that supervises does not end at rest.  It takes the lease when there is something to do,
gives it back when that is done, and writes nothing in between.
"""

from __future__ import annotations

import contextlib
import math
import time
from threading import Event as Flag
from typing import Protocol

from rollout.controller.attempts import Attempts
from rollout.controller.judge import judge
from rollout.controller.patience import Patience, finish_s, limit_of
from rollout.controller.perform import Perform
from rollout.controller.rebuild import rebuild
from rollout.controller.removing import Removing, is_removal
from rollout.controller.session import Look, Session, observe
from rollout.controller.telling import Report, Telling
from rollout.controller.workers import Workers
from rollout.decide.grace import with_grace
from rollout.decide.run import last_completed
from rollout.decide.world import Decision
from rollout.errors import EngineError, HeldError, InterruptedRolloutError
from rollout.ledger.lease import Entry, Lease, newest_entry
from rollout.ledger.ledger import KEEP
from rollout.ledger.records import FILE
from rollout.model import labels
from rollout.model.action import Prepare
from rollout.model.event import Event, EventKind
from rollout.model.revision import Revision
from rollout.model.state import MarkKind
from rollout.model.status import ServiceStatus

POLL_S = 5.0
"""How often to look though no event came: events may be lost, the truth is what is listed."""
FOLLOW_POLL_S = 2.0


class StopFlag(Protocol):
    def is_set(self) -> bool: ...


def drive(
    session: Session,
    stack: str,
    *,
    report: Report,
    stop: StopFlag,
    on_conflict: str = "follow",
    timeout_s: float | None = None,
    services: set[str] | None = None,
    wake: Flag | None = None,
    removal_only: bool = False,
    tends: bool = True,
) -> tuple[ServiceStatus, ...]:
    """Bring every service of a stack to its newest revision, or follow whoever does; what is being
    removed is taken down, with `removal_only` nothing else is done.

    `tends` False: what is at rest is not brought up again, only what is under way is driven.
    `services`: whose end a follower waits for (None: all).  `timeout_s` replaces each service's
    progress deadline.  Set `wake` after `stop` to have it noticed at once.
    Returns how the services stand; raises HeldError (with `on_conflict="fail"`) where another holds
    the stack, InterruptedRolloutError once `stop` was seen and what was in flight is finished, or
    left as it takes long, EngineError where the engine said no to a look, or was away for the whole
    deadline.
    """
    driver = Driver(session, stack, report, wake or Flag())
    driver.timeout_s = timeout_s
    driver.removal_only = removal_only
    driver.tends = tends
    try:
        return driver.run(stop, services, follow=on_conflict == "follow")
    finally:
        driver.close()


class Driver:
    """One stack's loop.  With `supervised` it goes on until it is told to stop, through any absence
    of the engine; `own` is the container that the process itself runs in, whose stack is left to
    others: who replaces himself does not live to start his successor.
    """

    def __init__(
        self,
        session: Session,
        stack: str,
        report: Report,
        wake: Flag,
        *,
        supervised: bool = False,
        own: str = "",
    ) -> None:
        self._session = session
        self._stack = stack
        self._wake = wake
        self._supervised = supervised
        self._own = own
        self._lease = Lease(session.engine.store, stack, session.engine.now)
        self._perform = Perform(session, stack, self._lease)
        self._workers = Workers(self._perform, wake.set, session.parallel)
        self._attempts = Attempts()
        self._telling = Telling(stack, report)
        self._patience = Patience(stack)
        self._watch = session.engine.watch(stack, wake.set)
        self._removing = Removing(session, stack, self._workers, self._note)
        self.timeout_s: float | None = None
        self.removal_only = False
        self.tends = True
        self.looks = 0
        self.looking_s = 0.0
        """How long all looks have taken together, each from observing to acting."""
        self._rebuilt: tuple[Revision, ...] = ()
        self._finish_by: float | None = None
        self._gives_up = False

    @property
    def holds(self) -> bool:
        """The lease is ours."""
        return self._lease.ours

    def run(
        self, stop: StopFlag, services: set[str] | None, *, follow: bool
    ) -> tuple[ServiceStatus, ...]:
        while True:
            self._wake.clear()
            stopping, began = stop.is_set(), time.monotonic()
            try:
                seen, holder, decisions = self._judge(stopping=stopping)
            except EngineError as error:
                self._bear(error, stopping=stopping)
                continue
            self._note_return()
            if holder is not None and not follow:
                raise HeldError(
                    f"{self._stack} is held by {holder.holder}",
                    hint="wait for it, or leave out --on-conflict fail to follow it",
                )
            statuses = self._tell(decisions, seen, holder)
            if self._lease.ours and not self.removal_only:
                self._act(decisions, seen.now)
            late = self._is_late(seen) if stopping else False
            self.looks, self.looking_s = self.looks + 1, self.looking_s + time.monotonic() - began
            over = self._is_over(seen, decisions, services, stopping=stopping)
            if late and not over:
                self._gives_up = True
                raise InterruptedRolloutError(f"{self._stack}: interrupted", left=True)
            if over:
                if self._lease.ours:
                    self._tidy(seen)
                if stopping and (seen.removal or not _all_at_rest(statuses)):
                    raise InterruptedRolloutError(f"{self._stack}: interrupted")
                return tuple(
                    each for each in statuses if services is None or each.service in services
                )
            if self._supervised and self._lease.ours and not self._is_needed(seen, decisions):
                self._leave(seen)
            self._wait(decisions, seen.now, holder)

    def close(self) -> None:
        self._watch.close()
        self._workers.close(wait=not self._gives_up)
        self._session.ledger.left(self._stack)
        with contextlib.suppress(EngineError):  # it runs out by itself
            self._lease.release()

    def _judge(self, *, stopping: bool) -> tuple[Look, Entry | None, dict[str, Decision]]:
        """A look and what follows from it.

        An engine that goes down ends its tasks first: what looks like a failure is one only if the
        engine still stands afterwards, and has not been away in between.
        """
        while True:
            seen, holder = self._look(stopping=stopping)
            decisions = self._decide(seen, stopping=stopping, followed=holder is not None)
            before = self._telling.before.values()
            known = {failure for each in before for failure in each.failures}
            found = {failure for each in decisions.values() for failure in each.status.failures}
            if found <= known or self._session.engine.came_up(anew=True) == seen.came_up:
                return seen, holder, decisions

    def _look(self, *, stopping: bool) -> tuple[Look, Entry | None]:
        """What there is, and who else holds the lease.

        What was seen before the lease was ours is not acted on: whoever held it may have done more.
        Where there is nothing to drive it is not taken: nothing of a removed stack is to be left.
        """
        # Before the look: what ended by now is in it, what ends later is still busy.
        self._take_results(self._session.engine.now())
        while True:
            seen = observe(self._session, self._stack)
            if not seen.book and seen.removal is None:
                self._lease.release()
                return seen, None
            if self._is_left_to_others(seen, stopping=stopping):
                return seen, self._other_holder(seen)
            holder = self._lease.hold(seen.records)
            if holder is not None:
                return seen, holder
            if self._lease.anew:
                self._session.engine.sweep(self._stack)
            elif seen.lost not in ((), self._rebuilt):
                self._rebuilt = seen.lost
                self._telling.note(rebuild(self._session, seen))
            elif stopping or not self._removing.go_on(seen):
                return seen, None

    def _is_left_to_others(self, seen: Look, *, stopping: bool) -> bool:
        """Whoever supervises does not take the lease for nothing, nor to replace himself."""
        if not self._supervised or self._lease.ours:
            return False
        if any(task.container_id == self._own for task in seen.tasks):
            return True
        return not self._is_needed(seen, self._decide(seen, stopping=stopping))

    def _is_needed(self, seen: Look, decisions: dict[str, Decision]) -> bool:
        """There is something under way or to be done now, not only something to wait for."""
        return (
            not self._workers.idle
            or seen.removal is not None
            or seen.lost not in ((), self._rebuilt)
            or any(each.actions or _is_open(each.status) for each in decisions.values())
        )

    def _other_holder(self, seen: Look) -> Entry | None:
        newest = newest_entry(seen.records)
        return newest if newest is not None and newest.held(seen.now) else None

    def _leave(self, seen: Look) -> None:
        """At rest: nothing is held, and nothing kept that was for the work that is done."""
        self._tidy(seen)
        self._lease.release()
        self._workers.rest()
        self._perform.forget()
        self._telling.forget()

    def _bear(self, error: EngineError, *, stopping: bool) -> None:
        """Wait a moment for an engine that does not answer; nothing is known to be in flight."""
        limit_s = limit_of(self._telling.before.values(), self.timeout_s)
        if self._supervised:
            limit_s = math.inf
        first = not self._patience.waits
        pause_s = self._patience.pause_s(error, limit_s)
        if stopping:
            self._gives_up = not self._supervised and not self._workers.idle
            raise InterruptedRolloutError(f"{self._stack}: interrupted", left=self._gives_up)
        if first:
            what = "is not well" if error.status else "does not answer"
            self._tell_of_engine(f"the engine {what}, waiting for it: {error.message}")
        self._wake.wait(pause_s)

    def _note_return(self) -> None:
        if self._patience.waits:
            away_s = self._patience.over()
            self._tell_of_engine(f"the engine is back after {away_s:.1f}s")

    def _tell_of_engine(self, text: str) -> None:
        self._telling.engine(text, self._session.engine.now(), away=self._patience.waits)

    def _decide(self, seen: Look, *, stopping: bool, followed: bool = False) -> dict[str, Decision]:
        return judge(
            seen,
            lambda service: {
                "busy": self._workers.busy(service, seen.now),
                "leaving": self._workers.leaving(service),
                "attempts": self._attempts.of(service),
                "stopping": stopping,
                "supervised": self._supervised,
                "tends": self.tends or followed,
                "deadline_s": self.timeout_s,
            },
        )

    def _act(self, decisions: dict[str, Decision], now: float) -> None:
        for service, decision in decisions.items():
            for action in decision.actions:
                self._workers.submit(service, action, now)

    def _take_results(self, now: float) -> None:
        for result in self._workers.results(now):
            if isinstance(result.action, Prepare):
                self._attempts.take(result.service, result.action, result.error, now)
            self._removing.take(result)
            if not is_removal(result.action):  # it was said when the removal was asked for
                self._telling.known(result.service, result.notes, now)
            if result.error is not None:
                self._telling.failed(result.service, result.action, result.error, now)

    def _tell(
        self, decisions: dict[str, Decision], seen: Look, holder: Entry | None
    ) -> tuple[ServiceStatus, ...]:
        after = {service: decision.status for service, decision in decisions.items()}
        self._attempts.keep(after.values())
        return self._telling.look(
            after, seen.now, holder, ours=self._lease.ours, finish_s=_finish_s(seen)
        )

    def _is_over(
        self,
        seen: Look,
        decisions: dict[str, Decision],
        services: set[str] | None,
        *,
        stopping: bool,
    ) -> bool:
        if not self._workers.idle:
            return False
        if self._supervised and not stopping:
            return False
        if seen.removal is not None or self.removal_only:
            return stopping or seen.removal is None
        ours = [
            each.status for name, each in decisions.items() if services is None or name in services
        ]
        if not self._lease.ours:
            return stopping or all(_is_known(each, seen.now) for each in ours)
        if all(each.status.at_rest for each in decisions.values()):
            return stopping or all(_is_known(each, seen.now) for each in ours)
        return stopping and not any(
            each.actions or each.status.in_flux for each in decisions.values()
        )

    def _note(self, text: str) -> None:
        at = self._session.engine.now()
        self._telling.note([Event(at=at, kind=EventKind.NOTE, stack=self._stack, text=text)])

    def _is_late(self, seen: Look) -> bool:
        """What was in flight when we were told to stop is not finished in the time for it.  Whoever
        supervises waits: its own supervisor knows how long."""
        if self._supervised:
            return False
        if self._finish_by is None:
            self._finish_by = seen.now + _finish_s(seen)
        return seen.now >= self._finish_by

    def _tidy(self, seen: Look) -> None:
        """Forget old revisions, but for those that a task was made for or a rollback goes to."""
        with contextlib.suppress(EngineError):  # the next command tidies up
            self._trim(seen)

    def _trim(self, seen: Look) -> None:
        for service, history in seen.book.items():
            if len(history) > KEEP:
                needed = {task.revision for task in seen.tasks_of(service)}
                target = last_completed(history)
                needed |= {target.number} if target else set()
                self._session.ledger.trim(self._stack, service, frozenset(needed))
        if any(record.labels.get(labels.RECORD) == FILE for record in seen.records):
            self._session.ledger.trim_contents(self._stack)

    def _wait(self, decisions: dict[str, Decision], now: float, holder: Entry | None) -> None:
        until = [now + (FOLLOW_POLL_S if holder else POLL_S)]
        if self._finish_by is not None:
            until.append(self._finish_by)
        until += [each.wake_at for each in decisions.values() if each.wake_at is not None]
        until += [
            each.status.proven_at for each in decisions.values() if each.status.proven_at > now
        ]
        if self._lease.renew_at is not None:
            until.append(self._lease.renew_at)
        retry = self._workers.next_retry()
        if retry is not None:
            until.append(retry)
        self._wake.wait(max(min(until) - now, 0.0) + 0.001)


def _finish_s(seen: Look) -> float:
    stopping = [task for task in seen.tasks if task.stop_ends_at is not None]
    for history in seen.book.values():
        stopping += with_grace(
            (task for task in stopping if task.service == history[-1].service), history[-1]
        )
    return finish_s(stopping)


def _all_at_rest(statuses: tuple[ServiceStatus, ...]) -> bool:
    return all(status.at_rest for status in statuses)


def _is_known(status: ServiceStatus, now: float) -> bool:
    """It is at rest, and what runs is no crash loop that happens to be up just now: what was
    started anew since it was complete is waited for, for its `monitor`."""
    shaky = status.outcome is MarkKind.COMPLETED and not status.down and now < status.proven_at
    return status.at_rest and not shaky


def _is_open(status: ServiceStatus) -> bool:
    """Its update has come to no end yet, for now or for good."""
    return status.revision.last_mark in (None, MarkKind.RESUMED)

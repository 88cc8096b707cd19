"""The lease: who may act on a stack now.

A numbered record, renewed by taking the next number every few seconds.  It is old when the
engine's own clock says so, never ours.  Taking it over is the same step as renewing it, so of
several who try one wins; whoever has won looks once more, since the view on which it took the
number may have been overtaken.  A holder on this host whose process is gone is succeeded at once.
Who is through leaves no record behind.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable

from msgspec import Struct

from rollout.engine.protocol import Record, Store
from rollout.errors import EngineError
from rollout.ledger.process import identity, is_gone, owner
from rollout.ledger.records import LEASE, TOKEN, lease_number
from rollout.model import labels

EXPIRES_AFTER_S = 10.0
RENEW_EVERY_S = 3.0

_HOLDER = "rollout.holder"
_PROCESS = "rollout.process"
_RELEASED = "rollout.released"
_SINCE = "rollout.since"


class Entry(Struct, frozen=True, kw_only=True):
    """One lease record."""

    number: int
    holder: str
    token: str
    process: str
    released: bool
    """It was unlocked; `holder` is who did that."""
    since: float
    """When its holder took it, epoch seconds on the engine's clock."""
    at: float
    """When it was taken or renewed last."""

    def held(self, now: float) -> bool:
        """A record of a future that the clock has left (it was set back) holds nothing either."""
        fresh = abs(now - self.at) <= EXPIRES_AFTER_S
        return fresh and not self.released and not is_gone(self.process)


class Lease:
    """One process's view of a stack's lease."""

    def __init__(self, store: Store, stack: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._stack = stack
        self._clock = clock
        self._token = secrets.token_hex(8)
        self._since = 0.0
        self._taken_at: float | None = None
        self._lost_at: float | None = None
        self.anew = False
        """The last `hold` took it from nobody or from another, or after ours had run out: what was
        seen before may be out of date, for somebody else may have acted on it."""

    @property
    def ours(self) -> bool:
        return self._taken_at is not None

    @property
    def surely_ours(self) -> bool:
        """It is ours and nobody can have taken it yet: what is begun now is not too late."""
        taken_at = self._taken_at
        return taken_at is not None and 0 <= self._clock() - taken_at <= EXPIRES_AFTER_S

    @property
    def renew_at(self) -> float | None:
        """When it must be renewed; None where it is not ours."""
        return None if self._taken_at is None else self._taken_at + RENEW_EVERY_S

    def hold(self, found: tuple[Record, ...]) -> Entry | None:
        """Take, keep or renew it, given the stack's records.

        None: it is ours.  Else the entry of whoever holds it, or of who has unlocked it: whoever
        lost it so leaves it to others for as long as a lease lasts.
        """
        now = self._clock()
        self.anew = False
        newest = newest_entry(found)
        if newest is None:
            return self._take(1, now)
        if newest.token == self._token:
            fresh = self._taken_at is not None and 0 <= now - self._taken_at < RENEW_EVERY_S
            return None if fresh else self._take(newest.number + 1, now)
        if newest.released and self._taken_at is not None:
            return self._lose(newest, now)
        if newest.held(now) or (newest.released and self._has_just_lost(now)):
            self._taken_at = None
            return newest
        return self._take(newest.number + 1, now)

    def release(self) -> None:
        """Give it back, where it is ours.  Should the engine not answer, it will expire."""
        if self._taken_at is None:
            return
        self._taken_at = None
        with contextlib.suppress(EngineError):
            found = entries(self._store.list(self._stack))
            last = max((each.number for each in found if each.token == self._token), default=0)
            self._drop(each for each in found if each.number <= last)

    def _take(self, number: int, now: float) -> Entry | None:
        renews = self._taken_at is not None
        self._since = self._since if renews else now
        while (winner := self._put(number)).token != self._token:
            if winner.released and renews:
                return self._lose(winner, now)
            if winner.held(now):
                self._taken_at = None
                return winner
            number += 1  # something old has that name
        if self.surely_ours:
            self._store.drop(labels.lease_record(self._stack, number - 1))
        elif (rival := self._look_again(number, now, renews=renews)) is not None:
            return rival
        else:
            self.anew = True
        self._taken_at, self._lost_at = now, None
        return None

    def _look_again(self, number: int, now: float, *, renews: bool) -> Entry | None:
        """Who else holds it, and then it is not ours; else what is older goes.

        For one who renews only a higher number counts: of two who find each other one stays.
        """
        found = entries(self._store.list(self._stack))
        unlocked = max((each.number for each in found if each.released), default=0)
        above = number if renews else unlocked
        rivals = [
            each
            for each in found
            if each.number > above and each.token != self._token and each.held(now)
        ]
        if rivals:
            self._taken_at = None
            self._store.drop(labels.lease_record(self._stack, number))
            return rivals[-1]
        self._drop(each for each in found if each.number < number)
        return None

    def _lose(self, newest: Entry, now: float) -> Entry:
        self._taken_at, self._lost_at = None, now
        return newest

    def _has_just_lost(self, now: float) -> bool:
        return self._lost_at is not None and 0 <= now - self._lost_at <= EXPIRES_AFTER_S

    def _put(self, number: int) -> Entry:
        return _put(self._store, self._stack, number, token=self._token, since=self._since)

    def _drop(self, old: Iterable[Entry]) -> None:
        for each in old:
            self._store.drop(labels.lease_record(self._stack, each.number))


def unlock(store: Store, stack: str, clock: Callable[[], float]) -> Entry | None:
    """Free a lease though its holder seems alive: who held it; None where nobody did.

    The holder, if it lives, sees so when it next looks, and follows.
    """
    token = secrets.token_hex(8)
    while True:
        newest = newest_entry(store.list(stack))
        now = clock()
        if newest is None or not newest.held(now):
            return None
        won = _put(store, stack, newest.number + 1, token=token, since=now, released=True)
        if won.token == token:
            return newest


def newest_entry(found: tuple[Record, ...]) -> Entry | None:
    ordered = entries(found)
    return ordered[-1] if ordered else None


def entries(found: tuple[Record, ...]) -> tuple[Entry, ...]:
    """The lease's records by number; one whose name holds no number is none."""
    ordered = []
    for record in found:
        if record.labels.get(labels.RECORD) != LEASE:
            continue
        number = lease_number(record)
        if number is not None:
            ordered.append(_entry(record, number))
    return tuple(sorted(ordered, key=lambda entry: entry.number))


def _put(
    store: Store, stack: str, number: int, *, token: str, since: float, released: bool = False
) -> Entry:
    found = {
        labels.RECORD: LEASE,
        labels.STACK: stack,
        _HOLDER: owner(),
        _PROCESS: identity(),
        _RELEASED: "1" if released else "",
        _SINCE: repr(since),
        TOKEN: token,
    }
    return _entry(store.put(labels.lease_record(stack, number), found), number)


def _entry(record: Record, number: int) -> Entry:
    found = record.labels
    return Entry(
        number=number,
        holder=found.get(_HOLDER, "somebody"),
        token=found.get(TOKEN, ""),
        process=found.get(_PROCESS, ""),
        released=bool(found.get(_RELEASED)),
        since=_seconds(found.get(_SINCE), record.created_at),
        at=record.created_at,
    )


def _seconds(text: str | None, otherwise: float) -> float:
    try:
        found = float(text or otherwise)
    except ValueError:
        return otherwise
    return found if 0 <= found <= otherwise + EXPIRES_AFTER_S else otherwise

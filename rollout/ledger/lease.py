"""The lease: who may act on a stack now.

A numbered record, renewed by taking the next number every few seconds.  It is old when the
engine's own clock says so, never ours.  Taking it over is the same step as renewing it, so of
several who try one wins.  A holder on this host whose process is gone is succeeded at once.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from rollout.engine.protocol import Record, Store
from rollout.ledger.records import LEASE, TOKEN
from rollout.model import labels

EXPIRES_AFTER_S = 10.0
RENEW_EVERY_S = 3.0

_NUMBER = "rollout.lease"
_HOLDER = "rollout.holder"
_PROCESS = "rollout.process"
_RELEASED = "rollout.released"
_ENDED = ("Z", "X")
"""The kernel's states of a process that nobody has collected yet."""


class Entry(Struct, frozen=True, kw_only=True):
    """The newest lease record of a stack."""

    number: int
    holder: str
    token: str
    process: str
    released: bool
    at: float

    def held(self, now: float) -> bool:
        return not self.released and now - self.at <= EXPIRES_AFTER_S and not _is_dead(self.process)


class Lease:
    """One process's view of a stack's lease."""

    def __init__(self, store: Store, stack: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._stack = stack
        self._clock = clock
        self._token = secrets.token_hex(8)
        self._taken_at: float | None = None
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
        return taken_at is not None and self._clock() - taken_at <= EXPIRES_AFTER_S

    @property
    def renew_at(self) -> float | None:
        """When it must be renewed; None where it is not ours."""
        return None if self._taken_at is None else self._taken_at + RENEW_EVERY_S

    def hold(self, found: tuple[Record, ...]) -> Entry | None:
        """Take, keep or renew it, given the stack's records.

        None: it is ours.  Else the entry of whoever holds it.
        """
        now = self._clock()
        self.anew = False
        newest = newest_entry(found)
        if newest is not None and newest.token == self._token and not newest.released:
            if self._taken_at is not None and now - self._taken_at < RENEW_EVERY_S:
                return None
        elif newest is not None and newest.held(now):
            self._taken_at = None
            return newest
        return self._take(newest, now)

    def release(self) -> None:
        """Give it back, where it is ours."""
        if self._taken_at is None:
            return
        newest = newest_entry(self._store.list(self._stack))
        self._taken_at = None
        if newest is not None and newest.token == self._token:
            self._put(newest.number + 1, released=True)

    def _take(self, newest: Entry | None, now: float) -> Entry | None:
        number = newest.number + 1 if newest else 1
        winner = self._put(number, released=False)
        if winner.token != self._token:
            self._taken_at = None
            return winner
        kept = newest is not None and newest.token == self._token and self.surely_ours
        self.anew, self._taken_at = not kept, now
        return None

    def _put(self, number: int, *, released: bool) -> Entry:
        found = {
            labels.RECORD: LEASE,
            labels.STACK: self._stack,
            _NUMBER: str(number),
            _HOLDER: holder_name(),
            _PROCESS: _process(),
            _RELEASED: "1" if released else "",
            TOKEN: self._token,
        }
        record = self._store.put(labels.lease_record(self._stack, number), found)
        if record.labels.get(TOKEN) == self._token:
            for old in range(max(number - 2, 1), number):
                self._store.drop(labels.lease_record(self._stack, old))
        return _entry(record)


def newest_entry(found: tuple[Record, ...]) -> Entry | None:
    entries = [_entry(each) for each in found if each.labels.get(labels.RECORD) == LEASE]
    return max(entries, key=lambda entry: entry.number, default=None)


def holder_name() -> str:
    """`user@host (pid 4711)`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (pid {os.getpid()})"


def _entry(record: Record) -> Entry:
    found = record.labels
    number = found.get(_NUMBER, "0")
    return Entry(
        number=int(number) if number.isdigit() else 0,
        holder=found.get(_HOLDER, "somebody"),
        token=found.get(TOKEN, ""),
        process=found.get(_PROCESS, ""),
        released=bool(found.get(_RELEASED)),
        at=record.created_at,
    )


def _process() -> str:
    """Names our process, so that another on the same kernel can tell whether it still lives."""
    return " ".join((_kernel(), str(os.getpid()), _started(os.getpid())))


def _is_dead(process: str) -> bool:
    """Known to be gone.  False where that cannot be told: another host, another namespace."""
    try:
        kernel, pid, started = process.split(" ")
        if kernel != _kernel() or not started:
            return False
        return _started(int(pid)) != started
    except ValueError:
        return False


def _kernel() -> str:
    """Boot and process namespace: process ids mean something only within both."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return f"unknown-{secrets.token_hex(4)}"


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where it has ended, or never was."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *numbers = stat.rpartition(")")[2].split()
    return "" if state in _ENDED else numbers[18]

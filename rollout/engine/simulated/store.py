"""A put-once store in memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from rollout.engine.protocol import Record
from rollout.model import labels


class MemoryStore:
    """Safe to use from many threads.  `clock` gives the times of its records."""

    def __init__(self, clock: Callable[[], float], lock: RLock) -> None:
        self._clock = clock
        self._lock = lock
        self._records: dict[str, Record] = {}
        self._changed: list[Callable[[str], None]] = []

    def put(self, name: str, labels: dict[str, str]) -> Record:
        with self._lock:
            if name not in self._records:
                self._records[name] = Record(
                    name=name, labels=dict(labels), created_at=self._clock()
                )
                self._tell(self._records[name])
            return self._records[name]

    def list(self, stack: str | None = None) -> tuple[Record, ...]:
        with self._lock:
            return tuple(
                record
                for _, record in sorted(self._records.items())
                if stack in (None, stack_of(record))
            )

    def drop(self, name: str) -> None:
        with self._lock:
            if (record := self._records.pop(name, None)) is not None:
                self._tell(record)

    def on_change(self, changed: Callable[[str], None]) -> None:
        """Call `changed` with the stack's name, with the lock held, after each change."""
        self._changed.append(changed)

    def _tell(self, record: Record) -> None:
        for changed in self._changed:
            changed(stack_of(record))


def stack_of(record: Record) -> str:
    return record.labels.get(labels.STACK, "")

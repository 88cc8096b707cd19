"""Replacements that could not be made Ready: the one thing that is remembered between two looks.

A controller that dies forgets it, and the next one begins with short pauses again.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.decide.world import Attempt
from rollout.errors import ImpossibleError
from rollout.model.action import Prepare
from rollout.model.status import ServiceStatus


class Attempts:
    """By service and slot; only the definition that was tried last counts."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], Attempt] = {}

    def of(self, service: str) -> tuple[Attempt, ...]:
        return tuple(attempt for (name, _), attempt in self._found.items() if name == service)

    def take(self, service: str, action: Prepare, error: Exception | None, now: float) -> None:
        """What became of one; with `error` None the slot begins from nothing again."""
        key = (service, action.slot)
        if error is None:
            self._found.pop(key, None)
            return
        before = self._found.get(key)
        if before is not None and before.digest != action.revision.digest:
            before = None
        self._found[key] = Attempt(
            slot=action.slot,
            digest=action.revision.digest,
            count=before.count + 1 if before else 1,
            first_at=before.first_at if before else now,
            last_at=now,
            error=str(error),
            final=isinstance(error, ImpossibleError),
        )

    def keep(self, statuses: Iterable[ServiceStatus]) -> None:
        """Forget slots that are no longer there."""
        if self._found:
            there = {(each.service, slot.slot) for each in statuses for slot in each.slots}
            self._found = {key: found for key, found in self._found.items() if key in there}

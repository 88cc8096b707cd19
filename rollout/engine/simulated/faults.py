"""How simulated tasks behave: how long things take, and what goes wrong, on demand.

A rule gives a behaviour to the tasks that fit it; of several that fit, the last one given counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from rollout.model.revision import Revision

FOR_EVER: Final = -1


class Behaviour(Struct, frozen=True, kw_only=True):
    """One task's life.  Times are seconds; those that end in `after_s` count from its start, and
    None means never."""

    prepare_s: float = 0.1
    """Pull and create."""
    prepare_failures: int = 0
    """How often a task cannot be made Ready before it can; `FOR_EVER`."""
    prepare_error: str = "no such image"
    prepare_is_final: bool = False
    """No other answer will come."""
    start_s: float = 0.2
    start_error: str = ""
    """Where set, it cannot be started: `port is already allocated`."""
    healthy_after_s: float | None = 1.0
    """Where the definition has a healthcheck."""
    unhealthy_after_s: float | None = None
    probe_output: str = "probe failed"
    exits_after_s: float | None = None
    exit_code: int = 1
    oom_killed: bool = False
    stop_s: float = 0.1
    """How long it takes to end when asked to."""
    ignores_term: bool = False
    """It is killed when its grace is over."""


class Rule(Struct, frozen=True, kw_only=True):
    """Which tasks a behaviour is for: what is left out fits all."""

    behaviour: Behaviour
    service: str = ""
    image: str = ""
    environment: Mapping[str, str | None] = {}
    """Variables that the definition must have, with these values."""
    slot: int = 0
    generation: int = 0
    """1 for the first task that a slot has of a definition, 2 for the second …"""

    def fits(self, revision: Revision, slot: int, generation: int) -> bool:
        task = revision.spec.task
        return (
            self.service in ("", revision.service)
            and self.image in ("", task.image)
            and self.slot in (0, slot)
            and self.generation in (0, generation)
            and all(
                key in task.environment and task.environment[key] == value
                for key, value in self.environment.items()
            )
        )


class Faults:
    """The rules of one engine, in the order given."""

    def __init__(self, usual: Behaviour | None = None) -> None:
        self.usual = usual or Behaviour()
        """Of tasks that no rule fits."""
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)

    def clear(self) -> None:
        self._rules.clear()

    def behaviour(self, revision: Revision, slot: int, generation: int) -> Behaviour:
        for rule in reversed(self._rules):
            if rule.fits(revision, slot, generation):
                return rule.behaviour
        return self.usual

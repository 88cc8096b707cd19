"""Which faults are tried: every kind at every call that changes anything, and at every read.

A read that gets no answer is the same whether the engine saw it or not, so a command is killed,
cut off, refused or kept waiting at a read once.  Of the reads made over and over, a kill is tried
at the first after each change, as the others find the engine as it was then; where the command is
to live, all of them are hit, several in one run: the 1st, 5th, 9th, …; then the 2nd, 6th, …
"""

from __future__ import annotations

import atexit
import shlex
from collections import Counter
from collections.abc import Collection, Iterator

from msgspec import Struct

from tests.chaos.calls import FIRST_LOOK, LOOK, LOOKS, is_read
from tests.chaos.faults import Fault, Kind
from tests.chaos.scenarios import Scenario
from tests.chaos.trial import Bench, Tried

TRIES = 3
EVERY = 4
_AT_READS = (Kind.KILLED_BEFORE, Kind.CUT_BEFORE, Kind.ERROR_BEFORE, Kind.LATE)


class Point(Struct, frozen=True):
    scenario: Scenario
    fault: Fault | None
    again: bool = False
    """The next command after a kill is the same once more, else `status --wait`."""

    def __str__(self) -> str:
        if self.fault is None:
            return f"{self.scenario.title}: no fault"
        again = " --again" if self.again else ""
        every = f" --every {self.fault.every}" if self.fault.every else ""
        return (
            f"python -m tests.chaos --only {self.scenario.title} --kind {self.fault.kind}"
            f" --call {shlex.quote(self.fault.call)} --nth {self.fault.nth}{every}{again}"
        )


def points_of(
    scenario: Scenario, calls: Counter[str], kinds: Collection[Kind] = tuple(Kind)
) -> Iterator[Point]:
    """After a kill the next command is in turn `status --wait` and the same once more."""
    for position, kind in enumerate(Kind):
        # Before and after the same call are followed by different commands.
        for turn, fault in enumerate(_faults(kind, calls), position):
            if kind in kinds:
                yield Point(scenario, fault, again=bool(turn % 2))


def _faults(kind: Kind, calls: Counter[str]) -> Iterator[Fault]:
    for call, count in sorted(calls.items()):
        if is_read(call) and kind not in _AT_READS:
            continue
        if call == LOOK:
            if not kind.kills:
                yield from (Fault(kind, call, nth, EVERY) for nth in range(1, EVERY + 1))
        elif call not in LOOKS and (kind.kills or call != FIRST_LOOK):
            yield from (Fault(kind, call, nth) for nth in range(1, count + 1))


_bench: list[Bench] = []


def try_point(point: Point) -> Tried:
    """In a worker's process, which keeps its bench.  What is not reached is tried three times."""
    if not _bench:
        _bench.append(Bench())
        atexit.register(_bench[0].close)
    for _ in range(TRIES):
        tried = _bench[0].tried(point.scenario, point.fault, again=point.again)
        if tried.hits or tried.losses or point.fault is None:
            break
    return tried

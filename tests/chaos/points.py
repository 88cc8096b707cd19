"""Which faults are tried: kills at every call that changes anything, the others at every call.

A killed command does nothing more, so each kill is a run of its own: before and after every write.
A kill at a read would be one after the write before it, or before the next one.

A command that is to live through its faults has many of a kind in one run, far enough apart for
what it tries again.  What was not reached is tried in further runs: where it was too near to
another, and where the command had ended with an error.  At a read, before and after are the same.
"""

from __future__ import annotations

import atexit
import shlex
from collections import Counter
from collections.abc import Collection, Iterator

from msgspec import Struct
from msgspec.structs import replace

from tests.chaos.calls import LOOK, is_read
from tests.chaos.faults import Fault, Kind, Moment
from tests.chaos.scenarios import Scenario
from tests.chaos.trial import Bench, Tried

TRIES = 3
_AT_READS = (Kind.CUT_BEFORE, Kind.ERROR_BEFORE, Kind.LATE)


class Point(Struct, frozen=True):
    scenario: Scenario
    fault: Fault | None
    again: bool = True
    """The next command after a kill is the same once more, else `status --wait`."""

    def __str__(self) -> str:
        if self.fault is None:
            return f"{self.scenario.title}: no fault"
        at = " ".join(f"--at {shlex.quote(str(each))}" for each in sorted(self.fault.at))
        next_one = " --status" if self.fault.kind.kills and not self.again else ""
        return (
            f"python -m tests.chaos --only {self.scenario.title} --kind {self.fault.kind}"
            f" {at}{next_one}"
        )


def points_of(
    scenario: Scenario, calls: Counter[str], kinds: Collection[Kind] = tuple(Kind)
) -> Iterator[Point]:
    """After a kill the next command is in turn `status --wait` and the same once more."""
    for position, kind in enumerate(Kind):
        if kind not in kinds:
            continue
        moments = list(_moments(kind, calls))
        if not kind.kills:
            yield Point(scenario, Fault(kind, frozenset(moments)))
            continue
        # Before and after the same call are followed by different commands.
        for turn, moment in enumerate(moments, position):
            yield Point(scenario, Fault(kind, frozenset({moment})), again=bool(turn % 2))


def _moments(kind: Kind, calls: Counter[str]) -> Iterator[Moment]:
    for call, count in sorted(calls.items()):
        if kind in _AT_READS or not is_read(call):
            yield from (Moment(call, nth) for nth in range(1, count + 1))


_bench: list[Bench] = []


def try_point(point: Point) -> list[tuple[Point, Tried]]:
    """In a worker's process, which keeps its bench: runs until there was a fault at each call, or
    three and more have not reached it.  Each is told with the faults that there were."""
    if not _bench:
        _bench.append(Bench())
        atexit.register(_bench[0].close)
    if point.fault is None:
        return [(point, _bench[0].tried(point.scenario, None, again=point.again))]
    runs: list[tuple[Point, Tried]] = []
    left = point.fault
    while left.at and (len(runs) < TRIES or _is_worth_another(left, runs[-1][1])):
        tried = _bench[0].tried(point.scenario, left, again=point.again)
        hits = frozenset(tried.hits)
        runs.append((replace(point, fault=replace(left, at=hits or left.at)), tried))
        left = replace(left, at=left.at - hits)
    return runs


def _is_worth_another(left: Fault, last: Tried) -> bool:
    """How many looks there are varies; for what is left of those, three runs are enough."""
    return bool(last.hits) and any(moment.call != LOOK for moment in left.at)

"""The verdict on one recording: equal, departs by design, or unexplained."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tests.conformance.case import Case
from tests.conformance.departures import Rule, expected
from tests.conformance.facts import Facts
from tests.conformance.rounds import TOLERANCE_S
from tests.conformance.times import RANGES, Times


class Verdict(Struct, frozen=True, kw_only=True):
    case: Case
    rules: tuple[Rule, ...]
    """By which we depart."""
    unexplained: tuple[str, ...]
    """What is neither as Swarm did it nor as a rule says, a line each."""
    only_times: bool
    """Nothing but times is unexplained."""

    @property
    def word(self) -> str:
        if self.unexplained:
            return "UNEXPLAINED"
        return "departs by design" if self.rules else "equal"


def verdict(case: Case, ours: Facts, slack_s: float = 0.0) -> Verdict:
    """`slack_s`: by how much the machine itself was late, on top of the half second."""
    wanted, rules = expected(case)
    what = tuple(_differences(wanted, ours))
    times = tuple(_late(wanted.seconds, ours.seconds, TOLERANCE_S + slack_s))
    return Verdict(
        case=case, rules=rules, unexplained=(*what, *times), only_times=not what and bool(times)
    )


def differences(wanted: Facts, ours: Facts) -> Iterator[str]:
    """A line each."""
    yield from _differences(wanted, ours)
    yield from _late(wanted.seconds, ours.seconds, TOLERANCE_S)


def _differences(wanted: Facts, ours: Facts) -> Iterator[str]:
    for name in Facts.__struct_fields__:
        theirs, mine = getattr(wanted, name), getattr(ours, name)
        if name != "seconds" and theirs != mine:
            yield f"{name}: expected {theirs}, was {mine}"


def _late(wanted: Times, ours: Times, tolerance_s: float) -> Iterator[str]:
    for name in sorted(wanted.keys() | ours.keys()):
        theirs, mine = wanted.get(name, ()), ours.get(name, ())
        if name in RANGES:
            close = _within(theirs or wanted.get("restart", ()), mine, tolerance_s)
        else:
            close = len(theirs) == len(mine) and all(
                abs(one - other) <= tolerance_s for one, other in zip(theirs, mine, strict=True)
            )
        if not close:
            yield f"{name}: expected {theirs} s, was {mine} s"


def _within(theirs: tuple[float, ...], mine: tuple[float, ...], tolerance_s: float) -> bool:
    return not mine or bool(
        theirs and min(theirs) - tolerance_s <= mine[0] and mine[-1] <= max(theirs) + tolerance_s
    )


def failed(case: Case, why: str) -> Verdict:
    """It could not be played to its end."""
    return Verdict(case=case, rules=expected(case)[1], unexplained=(why,), only_times=False)

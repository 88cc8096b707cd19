"""`python -m tests.chaos`: every fault at every call of every scenario; see `make chaos`.

Dry runs of each scenario count its calls by class; then each kind of fault is tried at each of
them.  A call that is not made again (the number of looks varies with the timing) counts as not
tried.  Ends with 1 where anything was lost, and says how to see it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.chaos.faults import Fault, Kind, Moment
from tests.chaos.points import Point, points_of, try_point
from tests.chaos.scenarios import Scenario, scenarios
from tests.chaos.trial import Tried
from tests.support.engine import build_image

DRY_RUNS = 2


def main() -> int:
    flags = _flags()
    build_image()
    began = time.monotonic()
    results: list[tuple[Point, Tried]] = []
    with ProcessPoolExecutor(flags.jobs, mp_context=get_context("spawn")) as pool:
        points = list(_named(flags) if flags.at else _enumerated(pool, flags))
        for number, future in enumerate(
            as_completed([pool.submit(try_point, point) for point in points]), 1
        ):
            for each in future.result():
                results.append(each)
                _tell(*each)
            if number % 50 == 0:
                _say(f"{number} of {len(points)}, {time.monotonic() - began:.0f} s")
    return _summary(points, results, time.monotonic() - began)


def _chosen(flags: argparse.Namespace) -> list[Scenario]:
    return [each for each in scenarios() if any(word in each.title for word in flags.only or [""])]


def _named(flags: argparse.Namespace) -> Iterator[Point]:
    named = [each.rpartition("#") for each in flags.at]
    at = frozenset(Moment(call, int(nth)) for call, _, nth in named)
    for scenario in _chosen(flags):
        for kind in flags.kind or list(Kind):
            yield Point(scenario, Fault(Kind(kind), at), again=not flags.status)


def _enumerated(pool: ProcessPoolExecutor, flags: argparse.Namespace) -> Iterator[Point]:
    dry = [Point(each, None) for each in _chosen(flags) for _ in range(DRY_RUNS)]
    calls: dict[str, Counter[str]] = {}
    for [(point, tried)] in pool.map(try_point, dry):
        if tried.losses:
            _tell(point, tried)
            raise SystemExit("a scenario does not hold without any fault")
        calls.setdefault(point.scenario.title, Counter())
        calls[point.scenario.title] |= tried.calls
    for scenario in _chosen(flags):
        kinds = [Kind(kind) for kind in flags.kind or list(Kind)]
        found = list(points_of(scenario, calls[scenario.title], kinds))
        _say(f"{scenario.title}: {_size(found)} faults")
        yield from found


def _size(points: Iterable[Point]) -> int:
    return sum(len(point.fault.at) for point in points if point.fault)


def _tell(point: Point, tried: Tried) -> None:
    if tried.losses:
        print(f"LOST {point}", *(f"  {line}" for line in tried.losses), sep="\n")
        print(*(f"    {line}" for line in tried.evidence.splitlines()), sep="\n", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _summary(points: list[Point], results: list[tuple[Point, Tried]], took_s: float) -> int:
    counts: dict[str, Counter[str]] = {}
    lived: Counter[bool] = Counter()
    for point, tried in results:
        if point.fault is None:
            continue
        counts.setdefault(point.scenario.title, Counter())[point.fault.kind] += len(tried.hits)
        if tried.hits and not point.fault.kind.kills:
            lived[tried.came_through] += 1
    print(f"{'faults tried':32}", *(f"{kind:>13}" for kind in Kind))
    for title, by_kind in sorted(counts.items()):
        print(f"{title:32}", *(f"{by_kind[kind]:13}" for kind in Kind))
    total = sum(by_kind.total() for by_kind in counts.values())
    print(
        f"of {lived.total()} commands that were not killed {lived[True]} came through, "
        f"{lived[False]} said what was wrong and the next did it; {_size(points) - total} calls "
        "were not made again, so not tried"
    )
    lost = [point for point, tried in results if tried.losses]
    print(*(f"  {point}" for point in lost), sep="\n", end="\n" if lost else "")
    print(
        f"{total} faults tried in {len(results)} runs, {took_s:.0f} s: "
        + (f"{len(lost)} lost something" if lost else "nothing lost")
    )
    return 1 if lost else 0


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", action="append", help="scenarios whose title has this in it")
    parser.add_argument("--kind", action="append", choices=list(Kind), help="kinds of fault")
    parser.add_argument("--at", action="append", help="only there: CALL#NTH, as a loss names it")
    parser.add_argument("--status", action="store_true", help="after a kill: `status --wait`")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

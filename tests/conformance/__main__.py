"""`python -m tests.conformance [RECORDING...]`: all recordings of Swarm on a real engine.

Exit code 1 where anything differs that no rule explains.  `--simulated` plays them in virtual time,
`--data FOLDER` takes recordings from there, `--write` writes the README's table of departures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rollout.engine.docker.engine import connect
from tests.conformance.case import Case
from tests.conformance.compare import Verdict, verdict
from tests.conformance.recording import DATA, recordings
from tests.conformance.side_by_side import WIDTH, play_all
from tests.conformance.table import departures, result_lines, write_readme
from tests.conformance.virtual import Virtual


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance")
    parser.add_argument("only", nargs="*", metavar="RECORDING", help="such as s08b")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--width", type=int, default=WIDTH, help="how many side by side")
    given = parser.parse_args()
    cases = [Case(each) for each in recordings(given.data)]
    if given.write:
        write_readme(departures(cases))
        return 0
    chosen = [case for case in cases if not given.only or case.id in given.only]
    found = _simulated(chosen) if given.simulated else _real(chosen, given.width)
    print("\n".join(result_lines(found)))
    return 1 if any(each.unexplained for each in found) else 0


def _simulated(cases: Iterable[Case]) -> list[Verdict]:
    with tempfile.TemporaryDirectory() as folder:
        return [verdict(case, Virtual(case, Path(folder)).play()) for case in cases]


def _real(cases: Iterable[Case], width: int) -> list[Verdict]:
    engine = connect()
    try:
        return list(play_all(cases, engine, width))
    finally:
        engine.close()


if __name__ == "__main__":
    sys.exit(main())

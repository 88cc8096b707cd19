"""Many recordings at once on one engine; what went wrong where the machine was late, once more and
alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from rollout.engine.docker.engine import DockerEngine
from tests.conformance.case import Case
from tests.conformance.compare import Verdict, failed, verdict
from tests.conformance.real import Real
from tests.conformance.rounds import TOLERANCE_S
from tests.support.engine import new_stack

WIDTH = 5


def play_all(cases: Iterable[Case], engine: DockerEngine, width: int = WIDTH) -> Iterator[Verdict]:
    """A verdict each, as they come; the longest are begun first, so that none is waited for."""
    longest_first = sorted(cases, key=lambda case: -case.trace.until)
    again = []
    with ThreadPoolExecutor(width) as pool:
        for case, found, slack_s in pool.map(lambda each: _play(each, engine), longest_first):
            if found.unexplained and (found.only_times or slack_s > TOLERANCE_S):
                again.append(case)
            else:
                yield found
    for case in again:
        yield _play(case, engine)[1]


def _play(case: Case, engine: DockerEngine) -> tuple[Case, Verdict, float]:
    """And by how much the machine was late."""
    real = Real(case, new_stack(), engine)
    try:
        return case, verdict(case, real.play(), real.slack_s), real.slack_s
    except AssertionError as error:
        return case, failed(case, str(error)), real.slack_s

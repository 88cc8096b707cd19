"""What is wrong is seen: a trace in which one thing was changed passes for no recording, and a
recording in which Swarm had done one thing otherwise is excused by no rule."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from tests.conformance import expectations, failures, mutations
from tests.conformance.case import Case
from tests.conformance.compare import differences
from tests.conformance.departures import expected
from tests.conformance.facts import Facts
from tests.conformance.known import FAULTS
from tests.conformance.mutations import Mutation
from tests.conformance.recording import recordings
from tests.conformance.trace import Trace
from tests.conformance.virtual import Virtual

STEP = 1 if os.environ.get("ROLLOUT_THOROUGH") else 3
"""So many of what a mutation makes of one trace are tried: every one, or one in so many."""
CASES = {each.id: Case(each) for each in recordings() if each.id not in FAULTS}
OTHERWISE = {
    "s09b": "refused",
    "s15": "refused",
    "s25": "nothing is stopped for what cannot be made",
    "s129": "nothing is stopped for what cannot be made",
    "s136": "nothing is stopped for what cannot be made",
    "s06": "the last slot is kept",
    "s13": "the last slot is kept, and a failed task not tried again beside it",
    "s130": "the last slot is kept",
    "s12": "a failed task is not tried again beside its predecessor",
    "s119": "a failed task is not tried again beside its predecessor",
    "s139": "a failed task is not tried again beside its predecessor",
    "s98": "rolled back to another definition",
    "s124": "the second rollback is refused",
    "s21": "the rollback has something to go back to",
    "s125": "what turns unhealthy at rest is left alone",
    "s142": "what turns unhealthy at rest is left alone",
    "s66": "a rollback of nothing is complete at once; the failed task is not tried again",
    "s04": "at rest Docker restarts: sooner, so that Swarm with no delay does the same",
    "s18": "at rest Docker restarts: sooner, so that Swarm with no delay does the same",
    "s51": "Swarm acts late: at once it does the same",
    "s29b": "of later restarts in a crash loop the range counts, which one late one widens",
    "s43": "of later restarts in a crash loop the range counts, which one late one widens",
    "s99": "the recording's clock shows a stop before the command that asked for it",
}
"""Recordings in which we do otherwise on purpose, so that some of what Swarm did is not compared:
these are looked at by `test_ours` only."""


@cache
def ours(name: str) -> tuple[Trace, bool | None]:
    with tempfile.TemporaryDirectory() as folder:
        return Virtual(CASES[name], Path(folder)).trace()


@cache
def facts(name: str) -> Facts:
    trace, succeeds = ours(name)
    return CASES[name].facts_of(trace, succeeds=succeeds)


@pytest.mark.parametrize("name", CASES)
def test_ours(name: str) -> None:
    """Whatever one thing we did otherwise."""
    case, (trace, succeeds) = CASES[name], ours(name)
    wanted = expected(case)[0]
    for mutation in (*mutations.BOTH, mutations.another_is_named):
        for number, other in enumerate(islice(mutation(case, trace), None, None, STEP)):
            found = case.facts_of(other, succeeds=succeeds)
            assert any(differences(wanted, found)), (mutation.__name__, number)


EVERYWHERE = (expectations.in_order, failures.proven_first, expectations.rolled_back_is_no_success)
EXCUSED = [
    name
    for name, case in CASES.items()
    if name not in OTHERWISE and {rule.expect for rule in expected(case)[1]} - {*EVERYWHERE}
]
"""Those in which a rule speaks that could excuse too much."""


@pytest.mark.parametrize("name", EXCUSED)
def test_swarms(name: str) -> None:
    """Whatever one thing Swarm had done otherwise."""
    for mutation in mutations.BOTH:
        _is_seen_in_swarms(name, mutation)


@pytest.mark.parametrize("mutation", [mutations.never_noticed, mutations.lowest_slots_go])
def test_swarms_everywhere(mutation: Mutation) -> None:
    """Where no rule speaks, one could begin to."""
    for name in CASES.keys() - OTHERWISE.keys():
        _is_seen_in_swarms(name, mutation)


def _is_seen_in_swarms(name: str, mutation: Mutation) -> None:
    case = CASES[name]
    for number, other in enumerate(islice(mutation(case, case.trace), None, None, STEP)):
        wanted = expected(Case(case.recording, other))[0]
        assert any(differences(wanted, facts(name))), (name, mutation.__name__, number)


@pytest.mark.parametrize("mutation", mutations.BOTH)
def test_there_is_something_to_change(mutation: Mutation) -> None:
    tried = [name for name, case in CASES.items() if any(True for _ in mutation(case, case.trace))]
    assert len(tried) > 1

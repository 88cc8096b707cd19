"""A few of `make chaos`: each class of call that changes something, each kind of fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.calls import LOOK
from tests.chaos.faults import Fault, Kind, Moment
from tests.chaos.scenarios import scenarios
from tests.chaos.trial import Bench

pytestmark = pytest.mark.docker

SCENARIOS = {each.title: each for each in scenarios()}

FILES = "deploy-update/stop-first/files"
BACK = "automatic-rollback/start-first"
POINTS = (
    (FILES, Kind.KILLED_AFTER, "POST /volumes/create file", 1, True),
    (FILES, Kind.KILLED_AFTER, "POST /volumes/create revision", 1, False),
    (FILES, Kind.KILLED_BEFORE, "POST /volumes/create lease", 1, True),
    (FILES, Kind.KILLED_AFTER, "POST /containers/create", 1, False),
    (FILES, Kind.KILLED_AFTER, "PUT /containers/*/archive", 2, True),
    (FILES, Kind.KILLED_BEFORE, "POST /containers/*/rename", 1, False),
    (FILES, Kind.KILLED_AFTER, "POST /containers/*/stop", 1, True),
    (FILES, Kind.KILLED_BEFORE, "POST /containers/*/start", 2, False),
    (FILES, Kind.KILLED_BEFORE, "POST /containers/*/update", 1, True),
    (FILES, Kind.KILLED_AFTER, "POST /volumes/create mark", 1, False),
    (FILES, Kind.KILLED_BEFORE, LOOK, 5, False),
    (FILES, Kind.CUT_AFTER, "POST /containers/create", 1, True),
    (FILES, Kind.CUT_BEFORE, "POST /containers/*/start", 1, True),
    (FILES, Kind.CUT_BEFORE, "GET /events", 1, True),
    (FILES, Kind.ERROR_AFTER, "POST /volumes/create revision", 1, True),
    (FILES, Kind.ERROR_AFTER, "POST /containers/*/rename", 1, True),
    (FILES, Kind.LATE, "POST /containers/*/stop", 1, True),
    (BACK, Kind.KILLED_AFTER, "POST /volumes/create revision", 2, False),
    (BACK, Kind.KILLED_BEFORE, "POST /volumes/create revision", 2, True),
    (BACK, Kind.CUT_AFTER, "POST /volumes/create revision", 2, True),
    (BACK, Kind.ERROR_AFTER, "POST /containers/*/start", 1, True),
    ("scale-down/stop-first", Kind.KILLED_BEFORE, "POST /containers/*/stop", 2, False),
)
LOOKS = (Kind.CUT_BEFORE, Kind.ERROR_BEFORE, Kind.LATE)


@pytest.fixture(scope="module")
def bench(image: str) -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


@pytest.mark.parametrize(("scenario", "kind", "call", "nth", "again"), POINTS)
def test_nothing_is_lost(
    bench: Bench, scenario: str, kind: Kind, call: str, nth: int, again: bool
) -> None:
    """The command that lives, or the next one where it was killed, brings it to the right end."""
    tried = bench.tried(
        SCENARIOS[scenario], Fault(kind, frozenset({Moment(call, nth)})), again=again
    )

    assert tried.hits
    assert not tried.losses, tried.evidence


@pytest.mark.parametrize("kind", LOOKS)
def test_looks_that_fail_now_and_then_change_nothing(bench: Bench, kind: Kind) -> None:
    """Each third read of containers and ledger is cut off, refused or slow: it comes through."""
    fault = Fault(kind, frozenset(Moment(LOOK, nth) for nth in range(2, 100)))
    tried = bench.tried(SCENARIOS["update/stop-first"], fault, again=True)

    assert len(tried.hits) > 2
    assert tried.came_through
    assert not tried.losses, tried.evidence

"""What a real Swarm did is what rollout does on a real engine: Compose files and commands.

The recordings that took Swarm no longer than `LONGEST_S`: all of them are played in virtual time by
`test_conformance`, and on an engine by `make conformance`.
"""

from __future__ import annotations

import pytest

from rollout.engine.docker.engine import DockerEngine
from tests.conformance.case import Case
from tests.conformance.compare import Verdict
from tests.conformance.known import known_faults
from tests.conformance.recording import recordings
from tests.conformance.side_by_side import play_all

LONGEST_S = 14.0
ALL = [Case(each) for each in recordings()]
CASES = {case.id: case for case in ALL if case.trace.until <= LONGEST_S}

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def verdicts(engine: DockerEngine) -> dict[str, Verdict]:
    """Several side by side."""
    return {found.case.id: found for found in play_all(CASES.values(), engine)}


@pytest.mark.parametrize("name", known_faults(CASES))
def test_as_recorded_or_by_design(name: str, verdicts: dict[str, Verdict]) -> None:
    assert verdicts[name].unexplained == ()

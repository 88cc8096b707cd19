"""What a real Swarm did is what rollout does on a real engine: Compose files and commands."""

from __future__ import annotations

import pytest

from rollout.engine.docker.engine import DockerEngine
from tests.conformance.case import Case
from tests.conformance.compare import Verdict
from tests.conformance.recording import recordings
from tests.conformance.side_by_side import play_all

CASES = {each.id: Case(each) for each in recordings()}

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def verdicts(engine: DockerEngine) -> dict[str, Verdict]:
    """All of them, several side by side."""
    return {found.case.id: found for found in play_all(CASES.values(), engine)}


@pytest.mark.parametrize("name", CASES)
def test_as_recorded_or_by_design(name: str, verdicts: dict[str, Verdict]) -> None:
    assert verdicts[name].unexplained == ()

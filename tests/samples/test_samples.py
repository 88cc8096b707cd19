"""The shapes of well-known public stacks: each deploys, updates, rolls back and goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import docker
import pytest

from tests.support.command import rollout

pytestmark = pytest.mark.docker

STACKS = Path(__file__).parent / "stacks"
UPDATED = {
    "voting": ["vote"],
    "proxy": ["whoami"],
    "monitoring": ["prometheus"],
    "queue": ["beat", "worker"],
    "runner": ["docker", "runner"],
    "blog": ["migrate", "wordpress"],
    "forge": ["server"],
}
"""Stack → the services that another version changes."""
ENDS = {"migrate"}
"""Services that complete."""


def _revisions(stack: str) -> dict[str, int]:
    found = rollout("services", stack, "--format", "json").json
    for each in found:
        service = each["name"].removeprefix(f"{stack}_")
        if service not in ENDS:
            assert each["replicas"]["running"] == each["replicas"]["desired"], each
    return {each["name"].removeprefix(f"{stack}_"): each["revision"] for each in found}


@pytest.mark.parametrize("sample", UPDATED)
def test_a_sample_deploys_updates_rolls_back_and_goes(
    sample: str, stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """Another version replaces what it changes and nothing else; all that is left of it in the end
    are its volumes."""
    file = shutil.copy(STACKS / f"{sample}.yml", tmp_path / "compose.yml")
    (tmp_path / "password.txt").write_text("secret")
    (tmp_path / "checks").mkdir()
    given = {"IMAGE": image, "STACK": stack, "ADMIN": "admin"}

    rollout("deploy", "-c", str(file), stack, env=given)
    assert set(_revisions(stack).values()) == {1}

    rollout("deploy", "-c", str(file), stack, env={**given, "VERSION": "2"})
    found = _revisions(stack)
    assert sorted(name for name, number in found.items() if number == 2) == UPDATED[sample]

    service = UPDATED[sample][-1]
    rollout("rollback", f"{stack}_{service}")
    assert _revisions(stack)[service] == 3

    rollout("rm", stack)
    ours = {"label": f"com.docker.compose.project={stack}"}
    assert client.containers(all=True, filters=ours) == []
    assert client.networks(filters=ours) == []


def test_every_sample_is_tried() -> None:
    assert {path.stem for path in STACKS.iterdir()} == UPDATED.keys()

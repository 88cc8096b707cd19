"""Going back, by hand: to the definition before, to any, forth and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import compose_file, finish, rollout, start
from tests.support.witness import witness

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        deploy:
          replicas: {replicas}
          update_config: {{delay: {delay}, monitor: 100ms}}
          rollback_config: {{parallelism: 0, monitor: 100ms}}
"""


def _deploy(folder: Path, stack: str, image: str, version: int, replicas: int = 3) -> None:
    text = FILE.format(image=image, version=version, replicas=replicas, delay="0s")
    rollout("deploy", "-c", compose_file(folder, text), stack)


def _versions(stack: str) -> set[str]:
    spec = rollout("inspect", f"{stack}_web").json["spec"]
    return {spec["task"]["environment"]["VERSION"]}


def test_twice_is_back_and_forth(tmp_path: Path, stack: str, image: str) -> None:
    """Each rollback pushes a copy of the definition before, so the second undoes the first."""
    _deploy(tmp_path, stack, image, 1)
    _deploy(tmp_path, stack, image, 2)

    rollout("rollback", f"{stack}_web")
    assert _versions(stack) == {"1"}
    rollout("rollback", f"{stack}_web")
    assert _versions(stack) == {"2"}

    history = rollout("history", f"{stack}_web", "--format", "json").json
    assert [each["restores"] for each in history] == [None, None, 1, 2]
    assert {each["outcome"] for each in history} == {"completed"}


def test_replicas_and_cadence_come_back_too(tmp_path: Path, stack: str, image: str) -> None:
    """A rollback restores the whole definition, as Swarm's does."""
    _deploy(tmp_path, stack, image, 1, replicas=3)
    _deploy(tmp_path, stack, image, 2, replicas=1)

    rollout("rollback", f"{stack}_web")

    status = rollout("inspect", f"{stack}_web").json
    assert status["spec"]["replicas"] == 3
    assert status["update_status"]["state"] == "rollback_completed"
    assert status["update_status"]["message"] == "rollback completed"
    assert (
        len(
            [
                t
                for t in rollout("ps", stack, "--format", "json").json
                if t["current_state"] == "running"
            ]
        )
        == 3
    )


def test_any_recorded_revision_can_be_restored(tmp_path: Path, stack: str, image: str) -> None:
    """`--to 1` from revision 3."""
    for version in (1, 2, 3):
        _deploy(tmp_path, stack, image, version)

    rollout("rollback", f"{stack}_web", "--to", "1")

    assert _versions(stack) == {"1"}
    assert rollout("history", f"{stack}_web", "--format", "json").json[-1]["restores"] == 1


def test_begun_before_an_update_is_complete_it_touches_only_what_was_updated(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Two of four slots are new when the rollback comes: those two go back, the others stay."""
    _deploy(tmp_path, stack, image, 1, replicas=4)
    text = FILE.format(image=image, version=2, replicas=4, delay="60s, parallelism: 2")

    with witness(stack) as seen:
        update = start("deploy", "-c", compose_file(tmp_path, text), stack)
        seen.wait_for(lambda: len(seen.of("start", revision=2)) == 2)
        rollout("rollback", f"{stack}_web")
        finish(update, expect=9)

    assert {e.slot for e in seen.of("start", revision=3)} == {1, 2}
    assert not [e for e in seen.of("die", revision=1) if e.slot in (3, 4)]


def test_an_unknown_revision_is_refused(tmp_path: Path, stack: str, image: str) -> None:
    """`--to 99` names the revisions there are, and does nothing."""
    _deploy(tmp_path, stack, image, 1)

    ran = rollout("rollback", f"{stack}_web", "--to", "99", expect=2)

    assert ran.err == f"rollout: {stack}_web has no revision 99 (recorded: 1)\n"


def test_without_a_previous_definition_it_is_refused(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Swarm's words."""
    _deploy(tmp_path, stack, image, 1)

    ran = rollout("rollback", f"{stack}_web", expect=2)

    assert "does not have a previous spec" in ran.err

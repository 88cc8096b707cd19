"""A change that comes while an update is under way, from another process."""

from __future__ import annotations

import json
import signal
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
          replicas: 4
          update_config: {{delay: {delay}, monitor: 100ms}}
"""


def _file(folder: Path, image: str, version: int, delay: str = "0s") -> str:
    return compose_file(folder, FILE.format(image=image, version=version, delay=delay))


def test_a_faster_cadence_takes_effect_within_a_second(
    tmp_path: Path, stack: str, image: str
) -> None:
    """The update waits 60 s between batches until another command says otherwise."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        slow = start("deploy", "-c", _file(tmp_path, image, 2, "60s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        before = len(seen.events)
        quick = start("update", f"{stack}_web", "--update-delay", "0s", "--update-parallelism", "3")
        seen.wait_for(lambda: len(seen.of("start")) == 4)
        finish(quick)
        finish(slow)

    assert before
    assert not [e for e in seen.of("die") if e.revision != 1]


def test_a_second_command_follows_and_sees_the_same_end(
    tmp_path: Path, stack: str, image: str
) -> None:
    """It records its revision and sees it taken up by the first, which is superseded."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        first = start("deploy", "-c", _file(tmp_path, image, 2, "1s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        second = start("update", f"{stack}_web", "--env-add", "VERSION=3", "--progress", "json")
        followed = finish(second)
        finish(first, expect=9)

    events = [json.loads(line) for line in followed.out.splitlines()]
    assert "lease" in {event["event"] for event in events}
    assert {e.slot for e in seen.of("start", revision=3)} == {1, 2, 3, 4}


def test_told_not_to_follow_it_says_who_holds_the_stack(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Exit 7, and no revision is recorded."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        first = start("deploy", "-c", _file(tmp_path, image, 2, "2s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        held = rollout(
            "update", f"{stack}_web", "--env-add", "X=1", "--on-conflict", "fail", expect=7
        )
        finish(first)

    assert f"pid {first.pid}" in held.err
    assert len(rollout("history", f"{stack}_web", "--format", "json").json) == 2


def test_the_first_ctrl_c_finishes_what_is_in_flight(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Exit 130, no slot is left down, and the next command goes on from there."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2, "60s"), stack)
        seen.wait_for(lambda: seen.of("kill", revision=1))
        update.send_signal(signal.SIGINT)
        ran = finish(update, expect=130)

    assert f"rollout status {stack} --wait" in ran.err
    assert len(seen.of("die", revision=1)) == len(seen.of("start", revision=2)) == 1
    rollout("update", f"{stack}_web", "--update-delay", "0s")
    running = [
        task
        for task in rollout("ps", stack, "--format", "json").json
        if task["current_state"] == "running"
    ]
    assert len(running) == 4
    assert {task["revision"] for task in running} <= {2, 3}


def test_a_killed_command_is_succeeded_by_the_next(tmp_path: Path, stack: str, image: str) -> None:
    """SIGKILL in the middle of a batch; `status --wait` brings the update to its end at once."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2), stack)
        seen.wait_for(lambda: seen.of("die", revision=1))
        update.kill()
        update.communicate()
        rollout("status", stack, "--wait")

    assert {e.slot for e in seen.of("start", revision=2)} == {1, 2, 3, 4}
    status = rollout("inspect", f"{stack}_web").json["update_status"]
    assert status["state"] == "completed"


def test_a_task_that_a_killed_command_was_stopping_does_not_count(
    tmp_path: Path, stack: str, image: str
) -> None:
    """What is rolled back to seems to run still, and is about to be killed: no success before its
    successor runs."""
    file = """
        services:
          web:
            image: {image}
            environment: {{STUBBORN: "1", VERSION: "{version}"}}
            stop_grace_period: 5s
            deploy: {{restart_policy: {{condition: none}}, update_config: {{monitor: 100ms}}}}
    """
    rollout("deploy", "-c", compose_file(tmp_path, file.format(image=image, version=1)), stack)

    with witness(stack) as seen:
        newer = compose_file(tmp_path, file.format(image=image, version=2))
        update = start("deploy", "-c", newer, stack)
        seen.wait_for(lambda: seen.of("kill", revision=1))
        update.kill()
        update.communicate()
        rollout("rollback", f"{stack}_web")

    # Of the revision rolled back to, or, where that had died before the rollback looked, of 1.
    assert [e.what for e in seen.of("die", "start")] == ["die", "start"]
    (ended,), (started,) = seen.of("die"), seen.of("start")
    assert (ended.revision, started.revision) in [(1, 3), (1, 1)]
    (task,) = (
        each
        for each in rollout("ps", stack, "--format", "json").json
        if each["current_state"] == "running"
    )
    assert started.container.startswith(task["container_id"])


def test_pause_holds_and_resume_goes_on(tmp_path: Path, stack: str, image: str) -> None:
    """The waiting command ends with exit 3 when another one pauses the update."""
    rollout("deploy", "-c", _file(tmp_path, image, 1), stack)

    with witness(stack) as seen:
        update = start("deploy", "-c", _file(tmp_path, image, 2, "60s"), stack)
        seen.wait_for(lambda: seen.of("start", revision=2))
        rollout("pause", f"{stack}_web", expect=None)
        finish(update, expect=3)
        assert len(seen.of("start", revision=2)) == 1
        rollout("update", f"{stack}_web", "--update-delay", "0s")

    assert len(seen.of("die", revision=1)) == 4

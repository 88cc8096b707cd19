"""What happens when the new definition is bad, on a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import compose_file, rollout
from tests.support.witness import witness

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{{environment}}}
        volumes: ["shared:/shared"]
        deploy:
          replicas: {replicas}
          restart_policy: {{condition: none}}
          update_config: {{{update}}}
          rollback_config: {{parallelism: 0, monitor: 100ms}}
    volumes: {{shared: }}
"""
GOOD = "VERSION: '1'"
BAD = "EXIT_AFTER: '0.2', EXIT_CODE: '3'"


def _deploy(
    folder: Path,
    stack: str,
    image: str,
    environment: str,
    update: str = "monitor: 1s",
    replicas: int = 4,
    expect: int = 0,
) -> str:
    text = FILE.format(image=image, environment=environment, update=update, replicas=replicas)
    ran = rollout("deploy", "-c", compose_file(folder, text), stack, expect=expect)
    return ran.out + ran.err


def _running(stack: str) -> list[tuple[int, int]]:
    tasks = rollout("ps", stack, "--format", "json").json
    return sorted((t["slot"], t["revision"]) for t in tasks if t["current_state"] == "running")


def _status(stack: str) -> dict[str, str]:
    status: dict[str, str] = rollout("inspect", f"{stack}_web").json["update_status"]
    return status


def test_pause_leaves_everything_as_it_is(tmp_path: Path, stack: str, image: str) -> None:
    """One slot fails: the others keep the old definition, exit 3, and the reason is said."""
    _deploy(tmp_path, stack, image, GOOD)

    said = _deploy(tmp_path, stack, image, BAD, "monitor: 1s, delay: 1s", expect=3)

    assert _running(stack) == [(2, 1), (3, 1), (4, 1)]
    assert _status(stack)["state"] == "paused"
    message = _status(stack)["message"]
    assert message.startswith("update paused due to failure or early termination of task ")
    assert "exited 3" in said


def test_a_failed_task_is_kept_to_be_looked_into(tmp_path: Path, stack: str, image: str) -> None:
    """Its container is there, with its exit code and its log."""
    _deploy(tmp_path, stack, image, GOOD)
    _deploy(tmp_path, stack, image, BAD, "monitor: 1s, delay: 1s", expect=3)

    failed = [
        task
        for task in rollout("ps", stack, "--format", "json").json
        if task["current_state"] == "failed"
    ]

    assert [task["exit_code"] for task in failed] == [3]
    assert rollout("logs", f"{stack}_web").out


def test_the_same_file_again_tries_again(tmp_path: Path, stack: str, image: str) -> None:
    """What had failed by chance: the same deploy goes on, without another revision."""
    _deploy(tmp_path, stack, image, GOOD)
    by_chance = BAD + ", BAD_TASKS: '1'"
    _deploy(tmp_path, stack, image, by_chance, "monitor: 1s, delay: 1s", expect=3)

    _deploy(tmp_path, stack, image, by_chance, "monitor: 1s, delay: 1s")

    assert _running(stack) == [(1, 2), (2, 2), (3, 2), (4, 2)]
    assert len(rollout("history", f"{stack}_web", "--format", "json").json) == 2


def test_rollback_brings_every_slot_back(tmp_path: Path, stack: str, image: str) -> None:
    """Bad in the second batch: the slots of the first go back too, and CI sees exit 4."""
    _deploy(tmp_path, stack, image, GOOD)
    update = "monitor: 2s, delay: 300ms, failure_action: rollback, parallelism: 2"

    _deploy(tmp_path, stack, image, "EXIT_AFTER: '1.2', EXIT_CODE: '3'", update, expect=4)

    assert [slot for slot, _ in _running(stack)] == [1, 2, 3, 4]
    assert _status(stack)["state"] == "rollback_completed"
    history = rollout("history", f"{stack}_web", "--format", "json").json
    assert [each["action"] for each in history] == ["deploy", "deploy", "auto-rollback"]
    assert history[1]["outcome"] == "rolled back"
    assert history[2]["restores"] == 1


def test_a_rollback_after_an_automatic_one_is_refused(
    tmp_path: Path, stack: str, image: str
) -> None:
    """The definition before is the one that failed."""
    _deploy(tmp_path, stack, image, GOOD)
    _deploy(tmp_path, stack, image, BAD, "monitor: 1s, failure_action: rollback", expect=4)

    ran = rollout("rollback", f"{stack}_web", expect=2)

    assert "rolled back automatically" in ran.err
    assert "--to" in ran.err


def test_the_ratio_is_strictly_more(tmp_path: Path, stack: str, image: str) -> None:
    """One bad task of four under 0.25 goes on, and not all of it runs (1); under 0.24 it acts."""
    _deploy(tmp_path, stack, image, GOOD)
    one_bad = "BAD_TASKS: '1', EXIT_AFTER: '0.2', EXIT_CODE: '3'"

    update = "monitor: 1s, max_failure_ratio: 0.25, parallelism: 4"
    _deploy(tmp_path, stack, image, one_bad, update, expect=1)
    assert len(_running(stack)) == 3

    again = one_bad.replace("'1'", "'2'")
    update = "monitor: 1s, max_failure_ratio: 0.24, parallelism: 4"
    _deploy(tmp_path, stack, image, again, update, expect=3)


def test_exit_code_zero_is_a_failure_too(tmp_path: Path, stack: str, image: str) -> None:
    """A service is to stay up: Swarm's rule."""
    _deploy(tmp_path, stack, image, GOOD)

    _deploy(tmp_path, stack, image, "EXIT_AFTER: '0.2', EXIT_CODE: '0'", expect=3)


def test_a_crash_after_the_monitor_window_does_not_count(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Swarm's recording s18."""
    _deploy(tmp_path, stack, image, GOOD, replicas=1)

    _deploy(tmp_path, stack, image, "EXIT_AFTER: '2', EXIT_CODE: '3'", "monitor: 500ms", replicas=1)


def test_continue_keeps_the_last_task_that_runs(tmp_path: Path, stack: str, image: str) -> None:
    """All new tasks fail: three slots are lost, the fourth is not taken down."""
    _deploy(tmp_path, stack, image, GOOD)

    _deploy(
        tmp_path,
        stack,
        image,
        BAD,
        "monitor: 2s, failure_action: continue, delay: 600ms",
        expect=3,
    )

    assert _running(stack) == [(4, 1)]


def test_start_first_keeps_the_old_task_of_a_slot_that_fails(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Nothing is lost, and nothing crashes on beside it."""
    file = """
        services:
          web:
            image: {image}
            environment: {{{environment}}}
            healthcheck: {{test: ["CMD", "test", "-e", "/ready"], interval: 200ms, retries: 50}}
            deploy:
              replicas: 3
              update_config: {{monitor: 1s, order: start-first}}
    """
    good = file.format(image=image, environment="READY_AFTER: '0'")
    rollout("deploy", "-c", compose_file(tmp_path, good), stack)

    with witness(stack) as seen:
        bad = file.format(image=image, environment="EXIT_AFTER: '0.5', EXIT_CODE: '3'")
        rollout("deploy", "-c", compose_file(tmp_path, bad), stack, expect=3)

    assert _running(stack) == [(1, 1), (2, 1), (3, 1)]
    assert not seen.of("die", revision=1)
    assert len(seen.of("start")) == 1


def test_a_first_deployment_that_does_not_stay_up_is_no_success(
    tmp_path: Path, stack: str, image: str
) -> None:
    """There is nothing to go back to; the exit code says so all the same."""
    said = _deploy(tmp_path, stack, image, BAD, "monitor: 3s", replicas=2, expect=1)

    assert "exited 3" in said
    assert rollout("inspect", f"{stack}_web").json["update_status"] is None


def test_a_task_that_never_becomes_healthy_fails_by_the_deadline(
    tmp_path: Path, stack: str, image: str
) -> None:
    """Swarm waits for ever (its recording s16); exit 6 says that time was the reason."""
    _deploy(tmp_path, stack, image, GOOD, replicas=2)
    file = f"""
        services:
          web:
            image: {image}
            healthcheck: {{test: ["CMD", "test", "-f", "/never"], interval: 200ms, retries: 1000}}
            deploy: {{replicas: 2, update_config: {{monitor: 500ms}}}}
    """

    ran = rollout("deploy", "-c", compose_file(tmp_path, file), stack, "--timeout", "2s", expect=6)

    assert "not running after 2s" in ran.out + ran.err
    assert (2, 1) in _running(stack)


def test_a_task_that_stays_unhealthy_pauses_the_update(
    tmp_path: Path, stack: str, image: str
) -> None:
    """It is tried again once, left to Docker, and the command ends; the others keep the old."""
    _deploy(tmp_path, stack, image, GOOD, replicas=2)
    flags = ["--health-cmd", "false", "--health-interval", "200ms", "--health-retries", "2"]

    ran = rollout("update", f"{stack}_web", *flags, "--restart-condition", "any", expect=3)

    assert "unhealthy" in ran.err
    assert (2, 1) in _running(stack)


def test_out_of_memory_is_said(tmp_path: Path, stack: str, image: str) -> None:
    """Not an exit code that somebody has to look up."""
    text = """
        services:
          web:
            image: {image}
            command: ["sh", "-c", "x=0123456789abcdef; while {test}; do x=$$x$$x; done; sleep 99"]
            mem_limit: 16m
            deploy: {{restart_policy: {{condition: none}}, update_config: {{monitor: 2s}}}}
    """
    for test, code in (("false", 0), (":", 3)):
        file = compose_file(tmp_path, text.format(image=image, test=test))
        ran = rollout("deploy", "-c", file, stack, expect=code)

    assert "killed, out of memory" in ran.err, str(ran)

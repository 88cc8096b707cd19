"""The commands on a real engine: what they show, what they refuse, and how they are ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.engine.docker.engine import DockerEngine
from tests.support.command import compose_file, finish, rollout, start
from tests.support.engine import WORDS, eventually, new_stack, sweep

pytestmark = pytest.mark.docker

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}", DB_PASSWORD: "p{version}"}}
        stop_grace_period: 1s
        deploy:
          replicas: {replicas}
          update_config: {{parallelism: 1, delay: {delay}, monitor: 100ms}}
"""


def _deploy(folder: Path, stack: str, image: str, *flags: str, **values: object) -> str:
    text = FILE.format(image=image, **{"version": 1, "replicas": 2, "delay": "0s", **values})
    return rollout("deploy", "-c", compose_file(folder, text), stack, *flags).out


def _state(stack: str) -> str:
    state: str = rollout("services", stack, "--format", "json").json[0]["state"]
    return state


def test_what_is_deployed_is_shown(tmp_path: Path, stack: str, image: str) -> None:
    """`ls`, `services`, `ps`, `inspect` and `history`, each with the fields of the contract."""
    said = _deploy(tmp_path, stack, image)

    assert f"Creating service {stack}_web (revision 1)" in said
    assert said.endswith(f"{stack}_web: deployed (revision 1, 2/2 running)\n")
    free = {"stack": stack, "services": 1, "holder": None, "held_since": None}
    assert free in rollout("ls", "--format", "json").json
    (service,) = rollout("services", stack, "--format", "json").json
    assert service["name"] == f"{stack}_web"
    assert service["replicas"] == {"running": 2, "desired": 2}
    tasks = rollout("ps", stack, "--format", "json").json
    assert [task["name"] for task in tasks] == [f"{stack}_web.1", f"{stack}_web.2"]
    assert {task["current_state"] for task in tasks} == {"running"}
    inspected = rollout("inspect", f"{stack}_web").json
    assert inspected["spec"]["replicas"] == 2
    assert inspected["previous_spec"] is None
    (entry,) = rollout("history", f"{stack}_web", "--format", "json").json
    assert (entry["revision"], entry["action"], entry["outcome"]) == (1, "deploy", "completed")
    assert entry["on_host"] is True


def test_tables_and_quiet_forms(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, image)

    assert stack in rollout("ls").out.split()
    assert rollout("services", stack, "-q").out == f"{stack}_web\n"
    header, first, _ = rollout("ps", f"{stack}_web").out.splitlines()
    assert header.split()[:4] == ["ID", "NAME", "IMAGE", "NODE"]
    ids = rollout("ps", stack, "-q").out.split()
    assert first.startswith(f"{ids[0]}   {stack}_web.1")
    assert len(rollout("ps", stack, "-q", "--no-trunc").out.split()[0]) == 25
    assert "Replicas:           2 (2 running)" in rollout("inspect", "--pretty", f"{stack}_web").out


def test_logs_of_every_task_are_shown(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, image)

    lines = rollout("logs", f"{stack}_web").out.splitlines()

    assert sorted(line.split(".")[1] for line in lines) == ["1", "2"]
    assert all(line.endswith(f"| {WORDS}") for line in lines)
    assert rollout("logs", stack, "--raw", "-n", "1").out == f"{WORDS}\n{WORDS}\n"


def test_logs_follow_tasks_that_are_made_later(tmp_path: Path, stack: str, image: str) -> None:
    """An update replaces the tasks that are read; the new ones are read too, from their start."""
    _deploy(tmp_path, stack, image, replicas=1)
    command = [sys.executable, "-m", "rollout", "logs", "-f", f"{stack}_web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert WORDS in following.stdout.readline()

        rollout("update", f"{stack}_web", "--force")

        seen = [following.stdout.readline(), following.stdout.readline()]
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 130
    assert sorted(line.rpartition("| ")[2] for line in seen) == ["stopping\n", f"{WORDS}\n"]


def test_a_difference_is_shown_with_secrets_masked(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, image)
    _deploy(tmp_path, stack, image, version=2)

    shown = rollout("diff", f"{stack}_web").out
    asked = rollout("diff", f"{stack}_web", "1", "2", "--show-secrets", "--format", "json").json

    assert "task.environment.VERSION\n  - 1\n  + 2" in shown
    assert "p1" not in shown
    assert {"field": "task.environment.DB_PASSWORD", "before": "p1", "after": "p2"} in asked[
        "differences"
    ]


def test_nothing_changed_is_said(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, image)

    assert f"{stack}: nothing changed" in _deploy(tmp_path, stack, image)
    assert "nothing changed" in rollout("update", f"{stack}_web").out


def test_a_forced_update_survives_the_next_deploy(tmp_path: Path, stack: str, image: str) -> None:
    """As in Swarm: the file says nothing of `--force`, so it is no reason to replace tasks."""
    _deploy(tmp_path, stack, image)
    rollout("update", f"{stack}_web", "--force")

    assert f"{stack}: nothing changed" in _deploy(tmp_path, stack, image)


def test_detached_is_recorded_and_left_to_the_next_command(
    tmp_path: Path, stack: str, image: str
) -> None:
    """It says so, and `status --wait` does the work and has the outcome's exit code."""
    said = _deploy(tmp_path, stack, image, "--detach")

    assert f"`rollout status {stack} --wait`" in said
    assert rollout("ps", stack, "--format", "json").json == []
    assert _state(stack) == "deploying"

    rollout("status", stack, "--wait", "--progress", "plain")

    assert _state(stack) == "deployed"


def test_services_gone_from_the_file_are_pruned_when_asked(
    tmp_path: Path, stack: str, image: str
) -> None:
    both = f"services: {{web: {{image: {image}}}, old: {{image: {image}, stop_grace_period: 1s}}}}"
    one = f"services: {{web: {{image: {image}}}}}"
    rollout("deploy", "-c", compose_file(tmp_path, both), stack)

    rollout("deploy", "-c", compose_file(tmp_path, one), stack)
    assert len(rollout("services", stack, "-q").out.split()) == 2

    said = rollout("deploy", "-c", compose_file(tmp_path, one), stack, "--prune").out
    assert f"Removing service {stack}_old" in said
    assert rollout("services", stack, "-q").out == f"{stack}_web\n"
    assert len(rollout("ps", stack, "--format", "json").json) == 1


def test_a_removed_stack_is_gone(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, image)

    ran = rollout("rm", stack, "nosuchstack")

    assert ran.out == f"Removing service {stack}_web\n"
    assert ran.err == "rollout: nothing found in stack: nosuchstack\n"
    assert stack not in rollout("ls", "-q").out.split()


def test_progress_as_json_is_nothing_but_json(tmp_path: Path, stack: str, image: str) -> None:
    said = _deploy(tmp_path, stack, image, "--progress", "json")

    objects = [json.loads(line) for line in said.splitlines()]

    assert all({"ts", "stack", "service", "revision", "event"} <= each.keys() for each in objects)
    assert objects[-1]["event"] == "result"
    assert objects[-1]["outcome"] == "completed"


def test_quiet_says_nothing(tmp_path: Path, stack: str, image: str) -> None:
    assert _deploy(tmp_path, stack, image, "-q") == ""


def test_a_reader_that_goes_away_does_not_end_a_deployment(
    tmp_path: Path, stack: str, image: str
) -> None:
    """`rollout deploy | head -1` is silent, and done when it ends."""
    file = compose_file(tmp_path, FILE.format(image=image, version=1, replicas=2, delay="0s"))
    command = [sys.executable, "-m", "rollout", "deploy", "-c", file, stack]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0
    assert _state(stack) == "deployed"


def test_an_update_is_paused_and_goes_on_when_asked(
    tmp_path: Path, stack: str, image: str, engine: DockerEngine
) -> None:
    """What is in flight finishes; the command that drove it ends with exit code 3."""
    _deploy(tmp_path, stack, image, replicas=3)
    driving = start("update", f"{stack}_web", "--force", "--update-delay", "3s")
    eventually(lambda: _revisions(engine, stack).count(2) >= 1)

    said = rollout("pause", f"{stack}_web").out
    ran = finish(driving, expect=3)

    assert f"rollout resume {stack}_web" in said
    assert "update paused on request" in ran.err
    assert 1 <= _revisions(engine, stack).count(2) < 3
    assert rollout("pause", f"{stack}_web").out == f"{stack}_web: is paused already\n"

    rollout("resume", f"{stack}_web")

    assert _revisions(engine, stack) == [2, 2, 2]


def _revisions(engine: DockerEngine, stack: str) -> list[int]:
    """Of every slot's running task."""
    return [task.revision for task in engine.observe(stack) if task.running]


def test_a_stack_that_is_held_is_left_alone_when_asked(
    tmp_path: Path, stack: str, image: str, engine: DockerEngine
) -> None:
    """`--on-conflict fail` ends with exit 7, and records nothing; else the update is joined."""
    _deploy(tmp_path, stack, image, replicas=2)
    driving = start("update", f"{stack}_web", "--force", "--update-delay", "30s")
    eventually(lambda: 2 in _revisions(engine, stack))

    ran = rollout("scale", f"{stack}_web=5", "--on-conflict", "fail", expect=7)
    assert f"{stack} is held by " in ran.err
    assert len(rollout("history", f"{stack}_web", "-q").out.split()) == 2

    joined = rollout("update", f"{stack}_web", "--update-delay", "0s").out
    finish(driving)

    assert f"{stack}: followed, driven by " in joined
    assert _revisions(engine, stack) == [2, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_finishes_what_is_in_flight(
    tmp_path: Path, stack: str, image: str, engine: DockerEngine, number: signal.Signals
) -> None:
    """Every slot has a running task afterwards, exit 130, and how to go on is said."""
    _deploy(tmp_path, stack, image, replicas=3)
    driving = start("update", f"{stack}_web", "--force", "--update-delay", "20s")
    eventually(lambda: 2 in _revisions(engine, stack))

    driving.send_signal(number)
    ran = finish(driving, expect=130)

    assert f"rollout status {stack} --wait" in ran.err
    assert len(_revisions(engine, stack)) == 3
    assert _state(stack) == "updating"


def test_the_second_signal_leaves_at_once(
    tmp_path: Path, stack: str, image: str, engine: DockerEngine
) -> None:
    """Though a task takes ten seconds to stop."""
    text = f"""
        services:
          web:
            image: {image}
            environment: {{STOP_TAKES: "8"}}
            stop_grace_period: 10s
    """
    rollout("deploy", "-c", compose_file(tmp_path, text), stack)
    driving = start("update", f"{stack}_web", "--force")
    eventually(lambda: len(engine.observe(stack)) == 2)
    assert driving.stderr is not None

    driving.send_signal(signal.SIGINT)
    while "once more leaves at once" not in driving.stderr.readline():
        pass
    driving.send_signal(signal.SIGINT)

    assert driving.wait(2) == 130
    finish(driving, expect=130)


@pytest.fixture(scope="module")
def untouched(
    tmp_path_factory: pytest.TempPathFactory, image: str
) -> Iterator[tuple[str, list[object]]]:
    """A stack with one task that nobody may change, and its tasks as they were."""
    stack = new_stack()
    _deploy(tmp_path_factory.mktemp("untouched"), stack, image, replicas=1)
    yield stack, rollout("ps", stack, "--format", "json").json
    sweep(stack)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("update", "{stack}_nosuch", "--force"), 1, "service {stack}_nosuch not found"),
        (("ps", "{stack}nosuch"), 1, "not found"),
        (("rollback", "{stack}_web"), 2, "does not have a previous spec"),
        (("rollback", "{stack}_web", "--to", "99"), 2, "has no revision 99"),
        (("update", "{stack}_web", "--image", "nosuch-image:v1"), 1, "no such image"),
        (("update", "{stack}_web", "--update-order", "foo"), 2, "unrecognized update order foo"),
        (("update", "{stack}_web", "--env-add", "=1"), 2, "use KEY=VALUE"),
        (("diff", "{stack}_web"), 2, "there is no revision before 1"),
        (("resume", "{stack}_web"), 2, "is not paused"),
        (("pause", "{stack}_web"), 2, "no update is in progress"),
        (("history", "{stack}_wbe"), 1, "did you mean {stack}_web?"),
        (("history", "{stack}"), 1, "{stack} is a stack: name a service of it, {stack}_SERVICE"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    untouched: tuple[str, list[object]], arguments: tuple[str, ...], code: int, text: str
) -> None:
    stack, before = untouched

    ran = rollout(*(each.format(stack=stack) for each in arguments), expect=code)

    (line,) = ran.err.splitlines()
    assert line.startswith("rollout: ")
    assert text.format(stack=stack) in line
    assert ran.out == ""
    assert rollout("ps", stack, "--format", "json").json == before
    assert len(rollout("history", f"{stack}_web", "-q").out.split()) == 1


def test_a_missing_image_is_found_before_anything_is_recorded(
    tmp_path: Path, stack: str, image: str
) -> None:
    text = f"services: {{web: {{image: {image}}}, bad: {{image: 'nosuch-image:v1'}}}}"

    ran = rollout("deploy", "-c", compose_file(tmp_path, text), stack, expect=1)

    assert "no such image: nosuch-image:v1" in ran.err
    assert stack not in rollout("ls", "-q").out.split()


def test_an_image_may_be_taken_as_this_host_has_it(tmp_path: Path, stack: str, image: str) -> None:
    """`--resolve-image never` asks nobody; `--pull never` wants it here."""
    _deploy(tmp_path, stack, image, "--resolve-image", "never")
    assert rollout("inspect", f"{stack}_web").json["spec"]["task"]["image"] == image

    text = "services: {web: {image: 'nosuch-image:v1'}}"
    file = compose_file(tmp_path, text)
    ran = rollout("deploy", "-c", file, stack, "--pull", "never", expect=1)
    assert "no such image on this host: nosuch-image:v1" in ran.err


def test_a_file_is_built_and_its_image_pushed_where_nobody_listens(
    tmp_path: Path, stack: str, image: str
) -> None:
    """`build` makes the image; a push that fails is one clear error with what was said."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {image}\nARG WHO\nENV WHO=$WHO\nLABEL com.docker.compose.project={stack}\n",
        encoding="utf-8",
    )
    text = f"""
        services:
          web:
            image: 127.0.0.1:1/{stack}:v1
            build: {{context: ., args: {{WHO: me}}}}
          other: {{image: {image}}}
    """
    file = compose_file(tmp_path, text)

    built = rollout("build", "-c", file).out
    ran = rollout("push", "-c", file, expect=1)

    try:
        assert built.startswith(f"built web: 127.0.0.1:1/{stack}:v1 in ")
        assert len(built.splitlines()) == 1
        assert f"push of 127.0.0.1:1/{stack}:v1 failed" in ran.err
    finally:
        subprocess.run(
            ["docker", "rmi", f"127.0.0.1:1/{stack}:v1"], check=True, capture_output=True
        )


def test_building_without_the_binary_goes_through_the_sdk(
    tmp_path: Path, stack: str, image: str, engine: DockerEngine
) -> None:
    """The same images from the same file, errors of a step and of a push noticed."""
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN test -e /task\n", encoding="utf-8")
    text = f"""
        services:
          web: {{image: "127.0.0.1:1/{stack}:v1", build: .}}
    """
    file = compose_file(tmp_path, text)
    bare = {"PATH": str(tmp_path)}

    built = rollout("build", "-c", file, env=bare)
    pushed = rollout("push", "-c", file, env=bare, expect=1)
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN exit 7\n", encoding="utf-8")
    failed = rollout("build", "-c", file, env=bare, expect=1)

    try:
        assert engine.holds(f"127.0.0.1:1/{stack}:v1")
        assert f"built web: 127.0.0.1:1/{stack}:v1" in built.out
        assert f"push 127.0.0.1:1/{stack}:v1: " in pushed.err
        assert "returned a non-zero code: 7" in failed.err
    finally:
        subprocess.run(
            ["docker", "rmi", f"127.0.0.1:1/{stack}:v1"], check=True, capture_output=True
        )


def test_an_engine_without_permission_is_one_line(tmp_path: Path) -> None:
    """A socket that is no engine's."""
    path = tmp_path / "docker.sock"
    path.write_text("", encoding="utf-8")

    ran = rollout("-H", f"unix://{path}", "ls", expect=1)

    (line,) = ran.err.splitlines()
    assert str(path) in line


def test_stdin_is_a_file_too(stack: str, image: str) -> None:
    ran = rollout("deploy", "-c", "-", stack, stdin=f"services: {{web: {{image: '{image}'}}}}\n")

    assert f"{stack}_web: deployed" in ran.out


def test_the_author_of_a_revision_is_recorded(tmp_path: Path, stack: str, image: str) -> None:
    _deploy(tmp_path, stack, image, replicas=1)

    (entry,) = rollout("history", f"{stack}_web", "--format", "json").json

    assert entry["by"].endswith(f"@{os.uname().nodename}")

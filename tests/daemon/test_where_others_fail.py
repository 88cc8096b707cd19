"""The cases in which other tools for plain Docker fail: an outage, a mix, a false success."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from tests.support.command import Ran, compose_file, rollout
from tests.support.registry import Registry, running_registry
from tests.support.witness import witness

pytestmark = pytest.mark.docker

BAD = {"EXIT_AFTER": "0.1", "EXIT_CODE": "3"}
HEALTHY = "{test: [CMD, test, -e, /ready], interval: 300ms, timeout: 5s, retries: 2"


class Web:
    """A stack with one service, `web`, deployed again and again."""

    def __init__(self, folder: Path, stack: str, image: str) -> None:
        self._folder = folder
        self.stack = stack
        self.name = f"{stack}_web"
        self.image = image
        self.rollback = "monitor: 100ms"
        self.more = ""
        """Further lines of the service, and of the file."""

    def deploy(
        self,
        environment: dict[str, str],
        *,
        update: str = "monitor: 300ms",
        replicas: int = 3,
        expect: int = 0,
        flags: tuple[str, ...] = (),
    ) -> Ran:
        said = ", ".join(f"{key}: '{value}'" for key, value in environment.items())
        text = f"""\
services:
  web:
    image: {self.image}
    environment: {{{said}}}
    volumes: ["shared:/shared"]
    stop_grace_period: 2s
    deploy:
      replicas: {replicas}
      restart_policy: {{condition: none}}
      update_config: {{{update}}}
      rollback_config: {{parallelism: 0, {self.rollback}}}
{self.more}
volumes: {{shared: }}
"""
        file = compose_file(self._folder, text)
        return rollout("deploy", "-c", file, *flags, self.stack, expect=expect)

    def up(self) -> dict[int, int]:
        """Slot → revision of the task that runs in it."""
        tasks = rollout("ps", self.name, "--format", "json").json
        up = [(each["slot"], each["revision"]) for each in tasks if _is_up(each)]
        assert len(up) == len(dict(up)), f"two tasks in one slot: {up}"
        return dict(up)

    def images(self) -> set[str]:
        """What the running containers were really made from, as the engine says."""
        client = docker.APIClient(version="1.41")
        try:
            found = client.containers(filters={"label": f"com.docker.compose.project={self.stack}"})
            return {each["ImageID"] for each in found}
        finally:
            client.close()


def _is_up(task: dict[str, str]) -> bool:
    return task["current_state"] in ("running", "starting")


@pytest.fixture
def web(tmp_path: Path, stack: str, image: str) -> Web:
    return Web(tmp_path, stack, image)


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.mark.parametrize("health", ["", f"    healthcheck: {HEALTHY}}}"])
def test_a_new_image_that_exits_at_once_is_noticed_at_once(web: Web, health: str) -> None:
    """Said within three seconds, not after a time-out for healthchecks; other slots stay old."""
    web.more = health
    web.deploy({"READY_AFTER": "0"})

    with witness(web.stack) as seen:
        update = "monitor: 2s, delay: 2s"
        ran = web.deploy({"READY_AFTER": "5", **BAD}, update=update, expect=3)
        told = time.time()
        died = seen.of("die", revision=2)[0].at

    assert told - died < 3.0
    assert "exited 3" in ran.err
    assert web.up() == {2: 1, 3: 1}


def test_a_new_image_that_exits_at_once_costs_nothing_start_first(web: Web) -> None:
    """`order: start-first` and nothing else said: the old task stays, and it is no success."""
    web.deploy({"V": "1"})

    web.more = '    command: ["/bin/busybox", "false"]'
    web.deploy({"V": "1"}, update="order: start-first, parallelism: 1, monitor: 2s", expect=3)

    assert web.up() == {1: 1, 2: 1, 3: 1}


def test_healthy_and_then_a_crash_within_the_monitor_is_counted(web: Web) -> None:
    """Whoever looks away after the first success misses it."""
    web.more = f"    healthcheck: {HEALTHY}}}"
    web.deploy({"READY_AFTER": "0"})

    crash = {"READY_AFTER": "0", "EXIT_AFTER": "2", "EXIT_CODE": "9"}
    ran = web.deploy(crash, update="monitor: 10s, delay: 5s", expect=3)

    assert "exited 9" in ran.err
    assert web.up() == {2: 1, 3: 1}


def test_a_slow_starter_is_waited_for_without_tuning(web: Web) -> None:
    """Unready for far longer than retries × interval, within its `start_period`."""
    web.more = f"    healthcheck: {HEALTHY}, start_period: 60s}}"
    web.deploy({"READY_AFTER": "0"}, replicas=1)

    web.deploy({"READY_AFTER": "4"}, replicas=1)

    assert web.up() == {1: 2}


@pytest.mark.parametrize(("bad", "code", "updated"), [(2, 1, 8), (3, 3, None)])
def test_the_ratio_is_of_all_slots(web: Web, bad: int, code: int, updated: int | None) -> None:
    """10 replicas under 0.25: two bad ones are tolerated, though they are the first, but not all
    of them run then (1); three act."""
    web.deploy({"V": "1"}, replicas=10, update="parallelism: 0, monitor: 300ms")

    some = {**BAD, "BAD_TASKS": str(bad)}
    update = "parallelism: 1, max_failure_ratio: 0.25, monitor: 600ms"
    web.deploy(some, replicas=10, update=update, expect=code)

    new = [made for made in web.up().values() if made == 2]
    assert len(new) == updated if updated is not None else len(new) < 7


def test_a_rollback_takes_all_batches_back(web: Web) -> None:
    """The third batch of five fails: the first two, good by themselves, go back as well."""
    web.deploy({"V": "1"}, replicas=5)

    web.more = _command("mkdir /shared/1 || mkdir /shared/2 || exit 3")
    update = "monitor: 3s, failure_action: rollback"
    web.deploy({"V": "2"}, replicas=5, update=update, expect=4)

    assert web.up() == {1: 3, 2: 3, 3: 3, 4: 1, 5: 1}
    assert rollout("inspect", web.name).json["spec"]["task"]["environment"] == {"V": "1"}
    history = rollout("history", web.name, "--format", "json").json
    assert [(each["action"], each["outcome"]) for each in history] == [
        ("deploy", "completed"),
        ("deploy", "rolled back"),
        ("auto-rollback", "completed"),
    ]


def test_a_rollback_brings_image_and_environment_back(web: Web) -> None:
    """The definition as it was, not the image alone."""
    client = docker.APIClient(version="1.41")
    other = f"{web.image.partition(':')[0]}:{web.stack}"
    old = web.image
    try:
        web.deploy({"V": "1"})
        client.tag(old, other.partition(":")[0], web.stack)
        web.image = other
        web.deploy({"V": "2"}, update="parallelism: 3, monitor: 300ms")

        rollout("rollback", web.name)
    finally:
        client.remove_image(other, noprune=True)
        client.close()

    task = rollout("inspect", web.name).json["spec"]["task"]
    assert (task["image"], task["environment"]) == (old, {"V": "1"})
    assert set(web.up().values()) == {3}


def test_a_tag_that_moves_between_batches_moves_no_slot(
    web: Web, registry: Registry, image: str
) -> None:
    """The tag is resolved once; every batch runs the same image."""
    client = docker.APIClient(version="1.41")
    repository = f"{registry.address}/app{secrets.token_hex(3)}"
    try:
        _push(client, image, repository)
        web.deploy({"V": "1"})
        web.image = f"{repository}:v1"
        with witness(web.stack) as seen:
            web.deploy({"V": "2"}, flags=("--detach",))
            moved = _other_image(client, image)
            _push(client, moved, repository)
            rollout("status", web.name, "--wait")
            assert len(seen.of("start", revision=2)) == 3

        assert len(web.images()) == 1
        pinned = rollout("inspect", web.name).json["spec"]["task"]["image"]
        assert pinned.startswith(f"{repository}:v1@sha256:")
    finally:
        _forget(client, repository)
        client.close()


def test_a_registry_that_is_gone_stops_no_rollback(
    web: Web, registry: Registry, image: str
) -> None:
    """The image is on the host: nobody has to be asked for it."""
    client = docker.APIClient(version="1.41")
    repository = f"{registry.address}/app{secrets.token_hex(3)}"
    try:
        _push(client, image, repository)
        web.image = f"{repository}:v1"
        web.deploy({"V": "1"})
        web.deploy({"V": "2"}, update="parallelism: 0, monitor: 300ms")
        registry.stop()

        rollout("rollback", web.name)

        assert set(web.up().values()) == {3}
    finally:
        rollout("rm", web.stack)
        _forget(client, repository)
        client.close()


def test_nothing_changed_is_nothing_done(web: Web) -> None:
    """Exit 0, no revision, and the engine has seen nothing."""
    web.deploy({"V": "1"})

    with witness(web.stack) as seen:
        web.deploy({"V": "1"})

    assert seen.of("create", "start", "stop", "kill", "die", "destroy", "update") == []
    assert len(rollout("history", web.name, "--format", "json").json) == 1


def test_a_service_of_a_profile_that_is_off_is_left_alone(web: Web) -> None:
    """Also with --prune: it is in the file."""
    web.more = f"  tools:\n    image: {web.image}\n    profiles: [tools]\n"
    web.deploy({"V": "1"}, flags=("--profile", "tools"))
    before = rollout("ps", f"{web.stack}_tools", "--format", "json").json

    web.deploy({"V": "2"}, flags=("--prune",))

    assert rollout("ps", f"{web.stack}_tools", "--format", "json").json == before
    assert before[0]["current_state"] == "running"


def test_pre_stop_runs_in_every_old_task(web: Web) -> None:
    """Each leaves a sign in the volume before it is stopped."""
    web.more = '    pre_stop: [{command: [sh, -c, "touch /shared/bye-$$(hostname)"]}]'
    web.deploy({"V": "1"})
    web.deploy({"V": "2"}, update="parallelism: 2, monitor: 300ms")

    [living] = [each for each in rollout("ps", web.name, "--format", "json").json
                if each["slot"] == 1 and _is_up(each)]  # fmt: skip
    client = docker.APIClient(version="1.41")
    try:
        run = client.exec_create(living["container_id"], ["ls", "/shared"])
        signs = client.exec_start(run["Id"]).decode().split()
    finally:
        client.close()
    assert len([sign for sign in signs if sign.startswith("bye-")]) == 3


def test_replicas_and_image_change_together(web: Web) -> None:
    """Grown within the same update: the added slots get the new definition at once."""
    web.deploy({"V": "1"}, replicas=2)

    web.deploy({"V": "2"}, replicas=4)

    assert web.up() == {1: 2, 2: 2, 3: 2, 4: 2}


def test_the_content_of_a_config_alone_is_a_change(web: Web) -> None:
    """Same name, same path, other bytes."""
    for content in ("one", "two"):
        web.more = f"    configs: [app]\nconfigs: {{app: {{content: {content}}}}}"
        web.deploy({"V": "1"})

    assert set(web.up().values()) == {2}


def test_a_rollback_that_fails_is_paused_and_says_what_to_do(web: Web) -> None:
    """It never loops: the old definition runs once only, and has gone bad meanwhile."""
    web.rollback = "monitor: 3s"
    web.more = _command("mkdir /shared/once || exit 7")
    web.deploy({"V": "1"}, replicas=1)
    web.more = ""
    web.deploy({"V": "2"}, replicas=1)

    ran = rollout("rollback", web.name, expect=5)

    assert "exited 7" in ran.err
    assert f"rollout resume {web.name}" in ran.err
    assert len(rollout("history", web.name, "--format", "json").json) == 3


def _command(first: str) -> str:
    """A line of the file: do this, then what the image does."""
    return f'    command: ["/bin/busybox", "sh", "-c", "{first}; exec /task"]'


def _push(client: docker.APIClient, image: str, repository: str) -> None:
    client.tag(image, repository, "v1", force=True)
    assert "digest" in client.push(repository, "v1")


def _other_image(client: docker.APIClient, image: str) -> str:
    """The same with one more label, so another id and digest."""
    made = client.create_container(image, ["true"])["Id"]
    try:
        return str(client.commit(made, changes=f"LABEL moved={secrets.token_hex(4)}")["Id"])
    finally:
        client.remove_container(made)


def _forget(client: docker.APIClient, repository: str) -> None:
    for known in client.images(repository):
        for name in (*(known["RepoTags"] or []), *(known["RepoDigests"] or [])):
            with contextlib.suppress(NotFound):  # the last tag takes its digest along
                client.remove_image(name, noprune=True, force=True)

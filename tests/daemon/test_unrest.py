"""After anything, one deploy of a good file brings everything up, and one removal leaves nothing:
contradictory commands, controllers and hands at once, each command a process of its own.

The simulated engine is tried with many more rounds (tests/schedules/test_unrest.py).
ROLLOUT_THOROUGH=1 runs forty here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import docker
import pytest
from docker.errors import APIError

from rollout.model import labels
from tests.support.command import compose_file, finish, rollout, start
from tests.support.witness import Witness, eventually, witness

pytestmark = pytest.mark.docker

ROUNDS = 40 if os.environ.get("ROLLOUT_THOROUGH") else 3
FILE = """
    services:
      db:
        image: {image}
        environment: {{VERSION: "{version}"}}
        healthcheck: {{test: ["CMD", "true"], interval: 200ms}}
        deploy: {{update_config: {{monitor: 300ms}}, restart_policy: {{delay: 200ms}}}}
      web:
        image: {image}
        environment: {{VERSION: "{version}"{more}}}
        depends_on: {{db: {{condition: service_healthy}}}}
        deploy:
          replicas: 3
          update_config: {{monitor: 300ms, parallelism: 2}}
          restart_policy: {{delay: 200ms}}
"""
HANDS = ("kill", "stop", "pause", "restart", "remove_container", "disconnect")


@contextlib.contextmanager
def _controllers(count: int, stack: str) -> Iterator[None]:
    found = [start("controller", "--stack", stack, "--listen", "off") for _ in range(count)]
    try:
        yield
    finally:
        for each in found:
            each.send_signal(signal.SIGTERM)
        for each in found:
            finish(each)


def _asked(random: Random, stack: str, files: list[str]) -> subprocess.Popen[str]:
    service = f"{stack}_{random.choice(['db', 'web'])}"
    return start(
        *random.choice(
            [
                *(("deploy", "-c", file, "--timeout", "15s", stack) for file in files),
                ("rollback", service, "--timeout", "15s"),
                ("scale", f"{stack}_web={random.randint(0, 4)}", "--timeout", "15s"),
                ("update", service, "--force", "--timeout", "15s"),
                ("pause", service),
                ("resume", service, "--timeout", "15s"),
                ("status", stack, "--wait", "--timeout", "15s"),
                ("unlock", stack),
                ("rm", stack),
            ]
        )
    )


def _interfere(random: Random, client: docker.APIClient, stack: str) -> None:
    """Something is done by hand to one of the stack's tasks, where there is any."""
    there = client.containers(all=True, filters=_label(stack))
    if not there:
        return
    container, what = random.choice(there)["Id"], random.choice(HANDS)
    # The engine may say no: it is being removed, it does not run.
    with contextlib.suppress(APIError):
        if what == "disconnect":
            client.disconnect_container_from_network(container, f"{stack}_default")
        elif what == "remove_container":
            client.remove_container(container, force=True)
        elif what in ("stop", "restart"):
            getattr(client, what)(container, timeout=1)
        else:
            getattr(client, what)(container)


def _label(stack: str) -> dict[str, str]:
    return {"label": f"{labels.COMPOSE_PROJECT}={stack}"}


def _after_a_few_events(
    seen: Witness, random: Random, running: list[subprocess.Popen[str]]
) -> None:
    """Until some more has happened, or nobody is left who could make something happen."""
    wanted = len(seen.events) + random.randint(0, 6)
    eventually(
        lambda: len(seen.events) >= wanted or all(each.poll() is not None for each in running)
    )


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_one_deploy_brings_everything_up_and_one_removal_leaves_nothing(
    seed: int, tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    random = Random(seed)
    good, other, bad = (
        compose_file(
            tmp_path, FILE.format(image=image, version=version, more=more), f"{version}.yml"
        )
        for version, more in ((1, ""), (2, ""), (3, ', EXIT_AFTER: "0.1"'))
    )
    rollout("deploy", "-c", good, stack)

    with _controllers(seed % 3, stack):
        with witness(stack) as seen:
            running = [_asked(random, stack, [good, other, bad]) for _ in range(3)]
            for _ in range(4):
                _after_a_few_events(seen, random, running)
                _interfere(random, client, stack)
            if random.random() < 0.5:
                random.choice(running).kill()
            for each in running:
                finish(each, expect=None)
        rollout("deploy", "-c", good, stack)

        up = client.containers(filters={**_label(stack), "status": "running"})
        services = sorted(each["Labels"][labels.SERVICE] for each in up)
        assert services == ["db", "web", "web", "web"]
        assert not [each for each in up if "Paused" in each["Status"]]
        networks = [set(each["NetworkSettings"]["Networks"]) for each in up]
        assert networks == [{f"{stack}_default"}] * 4
        rollout("rm", stack)

    assert client.containers(all=True, filters=_label(stack)) == []
    assert client.networks(filters=_label(stack)) == []
    records = client.volumes(filters={"label": f"{labels.STACK}={stack}"})["Volumes"] or []
    assert [each["Name"] for each in records] == []

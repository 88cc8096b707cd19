"""`depends_on` on the real engine: the order of starts, what fails, the order of removal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.command import compose_file, rollout

pytestmark = pytest.mark.docker

_FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        depends_on: {{migrate: {{condition: service_completed_successfully}}}}
        deploy: {{update_config: {{monitor: 100ms}}}}
      migrate:
        image: {image}
        command: [sh, -c, "echo {version}; sleep 0.5; exit {code}"]
        depends_on: {{db: {{condition: service_healthy}}}}
        deploy: {{update_config: {{monitor: 100ms}}}}
      db:
        image: {image}
        environment: {{READY_AFTER: "0.5"}}
        healthcheck: {{test: test -e /ready, interval: 200ms}}
        deploy: {{update_config: {{monitor: 100ms}}}}
    """


def _states(client: docker.APIClient, stack: str, service: str) -> list[dict[str, Any]]:
    label = [f"rollout.stack={stack}", f"rollout.service={service}"]
    rows = client.containers(all=True, filters={"label": label})
    return [client.inspect_container(row["Id"])["State"] for row in rows]


def test_each_starts_when_its_condition_is_met_and_goes_before_what_it_needs(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """A service that others wait for to complete is not started again, and its updates end well."""
    file = compose_file(tmp_path, _FILE.format(image=image, version=1, code=0))
    rollout("deploy", "-c", file, stack)

    (db,), (migrate,), (web,) = (_states(client, stack, s) for s in ("db", "migrate", "web"))
    assert db["StartedAt"] < migrate["StartedAt"] < migrate["FinishedAt"] < web["StartedAt"]
    assert db["Health"]["Log"][-1]["ExitCode"] == 0
    assert migrate["Status"] == "exited"

    file = compose_file(tmp_path, _FILE.format(image=image, version=2, code=0))
    rollout("deploy", "-c", file, stack)

    ends = max(state["FinishedAt"] for state in _states(client, stack, "migrate"))
    assert ends < max(state["StartedAt"] for state in _states(client, stack, "web"))

    ran = rollout("rm", stack)
    assert _states(client, stack, "db") == []
    assert ran.code == 0


def test_what_waits_in_vain_is_not_started(
    stack: str, image: str, client: docker.APIClient, tmp_path: Path
) -> None:
    """A migration that fails keeps the old version up; one that works, asked for next, lets the new
    one through."""
    rollout(
        "deploy", "-c", compose_file(tmp_path, _FILE.format(image=image, version=1, code=0)), stack
    )

    bad = compose_file(tmp_path, _FILE.format(image=image, version=2, code=3))
    ran = rollout("deploy", "-c", bad, stack, expect=3)

    assert "update paused: waited for migrate to complete" in ran.err
    (state,) = _states(client, stack, "web")[-1:]
    assert state["Status"] == "running"

    good = compose_file(tmp_path, _FILE.format(image=image, version=2, code=0))
    rollout("deploy", "-c", good, stack)
    found = rollout("services", stack, "--format", "json").json
    assert {each["name"]: each["state"] for each in found}[f"{stack}_web"] == "completed"

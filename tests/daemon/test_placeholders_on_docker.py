"""Swarm's placeholders on the real engine: each task is told its own slot."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from rollout.model import labels
from tests.support.command import compose_file, rollout

pytestmark = pytest.mark.docker


def test_each_slot_has_its_own_name_and_volume(
    tmp_path: Path, stack: str, image: str, client: docker.APIClient
) -> None:
    """Also the one that `scale` adds, and `config` prints them as they are written."""
    file = compose_file(
        tmp_path,
        f"""
        services:
          web:
            image: {image}
            hostname: "{{{{.Service.Name}}}}-{{{{.Task.Slot}}}}"
            environment: {{NODE: "{{{{.Node.Hostname}}}}", OTHER: "{{{{.Other}}}}"}}
            volumes: ["data:/data"]
            stop_grace_period: 0s
            deploy: {{replicas: 2, update_config: {{monitor: 100ms}}}}
        volumes:
          data: {{name: "{stack}-{{{{.Task.Slot}}}}"}}
        """,
    )
    rollout("deploy", "-c", file, stack)
    rollout("scale", f"{stack}_web=3")

    found = {}
    for row in client.containers(filters={"label": f"{labels.STACK}={stack}"}):
        raw = client.inspect_container(row["Id"])
        config = raw["Config"]
        found[config["Labels"][labels.SLOT]] = (config["Hostname"], raw["Mounts"][0]["Name"])
        assert f"NODE={client.info()['Name']}" in config["Env"]
        assert "OTHER={{.Other}}" in config["Env"]
    assert found == {n: (f"{stack}_web-{n}", f"{stack}-{n}") for n in ("1", "2", "3")}
    volumes = client.volumes(filters={"label": f"{labels.COMPOSE_PROJECT}={stack}"})["Volumes"]
    mine = {each["Name"] for each in volumes if labels.RECORD not in each["Labels"]}
    assert mine == {f"{stack}-{n}" for n in ("1", "2", "3")}
    assert "{{.Task.Slot}}" in rollout("config", "-c", file).out

"""What Compose 2.26.1 made, as an engine's inspect shows it, is what its file asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rollout.engine.docker.recognise import Found, depends_on, restart_policy, task_spec
from rollout.model.spec import (
    Healthcheck,
    Logging,
    Mount,
    NetworkAttachment,
    Port,
    Resources,
    RestartCondition,
    RestartPolicy,
    TaskSpec,
)

RECORDED = json.loads((Path(__file__).parent / "data" / "compose_2_26_inspect.json").read_text())
IMAGE = {"Cmd": ["/task"], "Env": [RECORDED["web"]["Config"]["Env"][1]]}
ID = RECORDED["web"]["Image"]


def recognised(container: dict[str, Any], **image: Any) -> TaskSpec:
    return task_spec(
        Found(
            container=container,
            image="shop:v2",
            image_id=ID,
            image_config={**IMAGE, **image},
            info={"CgroupVersion": "1"},
            services={"d" * 64: "db"},
        )
    )


def changed(**parts: dict[str, Any]) -> dict[str, Any]:
    web = RECORDED["web"]
    return {**web, **{part: {**web[part], **keys} for part, keys in parts.items()}}


def test_a_web_service_with_nearly_everything() -> None:
    """As the file had it: what the engine and the image add is not in it."""
    assert recognised(RECORDED["web"]) == TaskSpec(
        image="shop:v2",
        image_id=ID,
        environment={"A": "1"},
        healthcheck=Healthcheck(test=("CMD-SHELL", "exit 0"), interval_s=1.0),
        restart=RestartPolicy(condition=RestartCondition.ANY),
        ports=(Port(target=80, published=(28181, 28182), host_ip="127.0.0.1"),),
        mounts=(
            Mount(type="volume", target="/anon"),
            Mount(type="bind", source="/srv", target="/b", read_only=True),
            Mount(type="volume", source="shop_data", target="/d"),
            Mount(
                type="bind",
                source="/srv/shop/compose.yml",
                target="/run/secrets/key",
                read_only=True,
                create_host_path=False,
            ),
            Mount(type="tmpfs", target="/t", tmpfs_size=2**20),
        ),
        networks=(NetworkAttachment(name="shop_default", aliases=("web",)),),
        extra_hosts=("foo:1.2.3.4",),
        logging=Logging(driver="json-file", options={"max-size": "1m"}),
        resources=Resources(cpu_limit=500_000_000, memory_limit=50 * 2**20),
    )


def test_a_container_s_own_name_and_its_dependencies() -> None:
    assert recognised(RECORDED["db"]).container_name == "shop-db"
    assert depends_on(RECORDED["web"]["Config"]) == {"db": "service_started"}
    assert depends_on(RECORDED["db"]["Config"]) == {}


@pytest.mark.parametrize(
    ("config", "image", "command", "entrypoint"),
    [
        ({"Cmd": ["/task"]}, {}, None, None),
        ({"Cmd": ["x"]}, {}, ("x",), None),
        ({"Cmd": ["a"], "Entrypoint": ["e"]}, {"Cmd": ["a"], "Entrypoint": ["e"]}, None, None),
        ({"Cmd": None, "Entrypoint": ["f"]}, {"Entrypoint": ["e"]}, None, ("f",)),
        ({"Cmd": ["a"], "Entrypoint": ["f"]}, {"Cmd": ["a"]}, ("a",), ("f",)),
        ({"Cmd": ["a"], "Entrypoint": None}, {"Entrypoint": ["e"]}, ("a",), ()),
    ],
)
def test_a_command_is_said_where_the_image_says_another(
    config: dict[str, Any],
    image: dict[str, Any],
    command: tuple[str, ...] | None,
    entrypoint: tuple[str, ...] | None,
) -> None:
    """So that another image may bring its own."""
    found = recognised(changed(Config=config), **image)
    assert (found.command, found.entrypoint) == (command, entrypoint)


def test_what_belongs_to_another_service_is_named_after_it() -> None:
    """Its container will be another one.  The engine shows the other one's host name as its own,
    and takes none beside such a network."""
    other = "container:" + "d" * 64
    host = {"NetworkMode": other, "PidMode": other, "IpcMode": other, "VolumesFrom": ["d" * 64]}
    names = {"Hostname": "db-host", "Domainname": "example.org"}
    found = recognised(changed(Config=names, HostConfig=host, NetworkSettings={"Networks": {}}))

    assert {found.network_mode, found.pid, found.ipc} == {"service:db"}
    assert (found.hostname, found.domainname) == ("", "")
    assert found.volumes_from == ("service:db",)


def test_what_the_engine_adds_is_left_out() -> None:
    host = {"PidMode": "host", "SecurityOpt": ["label=disable", "no-new-privileges"]}
    found = recognised(changed(HostConfig=host), Labels={"a": "b"}, Env=[])

    assert found.security_opt == ("no-new-privileges",)
    assert found.environment == {"A": "1"}
    assert (found.shm_size, found.runtime, found.cgroup, found.ipc) == (0, "", "", "")


@pytest.mark.parametrize(
    ("said", "policy"),
    [
        ({"Name": "no"}, RestartPolicy(condition=RestartCondition.NONE)),
        ({"Name": "always"}, RestartPolicy(condition=RestartCondition.ANY)),
        (
            {"Name": "on-failure", "MaximumRetryCount": 3},
            RestartPolicy(condition=RestartCondition.ON_FAILURE, max_attempts=3),
        ),
    ],
)
def test_restart_policies(said: dict[str, Any], policy: RestartPolicy) -> None:
    assert restart_policy(said) == policy

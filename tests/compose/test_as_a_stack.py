"""What `docker stack deploy` made of a file, a real Swarm's service spec, is what we mean by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rollout.model.spec import ServiceSpec, TaskSpec
from tests.compose.project import Folder

CASES = json.loads((Path(__file__).parent / "data" / "stack_deploy_cases.json").read_text())
NS = 1e9

DIFFERENCES: dict[str, dict[str, Any]] = {
    "restart_no": {"restart.condition": "none"},
    "env_order": {"env": {"A": "2", "Z": "1", "M": None}},
    "tmpfs_ignored": {"mounts": [("tmpfs", "/x", None)]},
}
"""What we read otherwise, as the README's table says: restart `no` is none, a variable without a
value anywhere is not set, `tmpfs` is not dropped."""

TAKEN = {"mem_too_small": "said when it is deployed, by what the engine takes as least"}
REFUSED = [case for case in CASES if "error" in case and case["name"] not in TAKEN]


def _swarm(spec: dict[str, Any]) -> dict[str, Any]:
    task = spec["TaskTemplate"]
    container = task["ContainerSpec"]
    restart = task.get("RestartPolicy", {})
    limits = task["Resources"].get("Limits", {})
    reserved = task["Resources"].get("Reservations", {})
    return {
        "replicas": spec["Mode"]["Replicated"]["Replicas"],
        "service labels": _without_docker(spec["Labels"]),
        "labels": _without_docker(container["Labels"]),
        "env": dict(_pair(each) for each in container.get("Env", [])),
        "restart.condition": restart.get("Condition", "any"),
        "restart.delay": restart.get("Delay", 5 * NS) / NS,
        "restart.attempts": restart.get("MaxAttempts", 0),
        "restart.window": restart.get("Window", 0) / NS,
        "limits": [limits.get(key, 0) for key in ("NanoCPUs", "MemoryBytes", "Pids")],
        "reservations": [reserved.get(key, 0) for key in ("NanoCPUs", "MemoryBytes")],
        "hosts": [":".join(reversed(each.split(" "))) for each in container.get("Hosts", [])],
        "ulimits": {
            each["Name"]: (each["Soft"], each["Hard"]) for each in container.get("Ulimits", [])
        },
        "mounts": [
            (each["Type"], each["Target"], each.get("TmpfsOptions", {}).get("SizeBytes"))
            for each in container.get("Mounts", [])
        ],
        "ports": [
            (each["TargetPort"], each["PublishedPort"], each["Protocol"], each["PublishMode"])
            for each in spec["EndpointSpec"].get("Ports", [])
        ],
        "entrypoint": container.get("Command"),
        "command": container.get("Args"),
        "user": container.get("User", ""),
        "dir": container.get("Dir", ""),
        "hostname": container.get("Hostname", ""),
        "flags": [container.get(key, False) for key in ("TTY", "OpenStdin", "ReadOnly")],
        "sysctls": container.get("Sysctls", {}),
        "dns": [container.get("DNSConfig", {}).get(key, []) for key in ("Nameservers", "Search")],
        "logging": (task.get("LogDriver") or {}).get("Options", {}),
        "constraints": task["Placement"].get("Constraints", []),
        "per node": task["Placement"].get("MaxReplicas", 0),
    }


def _ours(service: ServiceSpec) -> dict[str, Any]:
    task: TaskSpec = service.task
    resources = task.resources
    return {
        "replicas": service.replicas,
        "service labels": service.labels,
        "labels": task.labels,
        "env": dict(task.environment),
        "restart.condition": str(task.restart.condition),
        "restart.delay": task.restart.delay_s,
        "restart.attempts": task.restart.max_attempts,
        "restart.window": task.restart.window_s,
        "limits": [resources.cpu_limit, resources.memory_limit, resources.pids_limit],
        "reservations": [resources.cpu_reservation, resources.memory_reservation],
        "hosts": list(task.extra_hosts),
        "ulimits": {name: (each.soft, each.hard) for name, each in task.ulimits.items()},
        "mounts": [(each.type, each.target, each.tmpfs_size) for each in task.mounts],
        "ports": [
            (each.target, *set(each.published or ()), each.protocol, each.mode)
            for each in task.ports
        ],
        "entrypoint": list(task.entrypoint) if task.entrypoint else None,
        "command": list(task.command) if task.command else None,
        "user": task.user,
        "dir": task.working_dir,
        "hostname": task.hostname,
        "flags": [task.tty, task.stdin_open, task.read_only],
        "sysctls": dict(task.sysctls),
        "dns": [list(task.dns), list(task.dns_search)],
        "logging": dict(task.logging.options) if task.logging else {},
        "constraints": list(service.constraints),
        "per node": service.max_per_node,
    }


def _without_docker(labels: dict[str, str]) -> dict[str, str]:
    return {key: text for key, text in labels.items() if not key.startswith("com.docker.stack.")}


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


@pytest.mark.parametrize(
    "case", [case for case in CASES if "spec" in case], ids=lambda case: str(case["name"])
)
def test_a_service_means_what_it_means_to_a_stack(folder: Folder, case: dict[str, Any]) -> None:
    (service,) = folder.load(case["compose"]).services

    wanted = _swarm(case["spec"]) | DIFFERENCES.get(case["name"], {})
    assert _ours(service) == wanted


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: str(case["name"]))
def test_what_a_stack_refuses_is_refused_with_its_place(
    folder: Folder, case: dict[str, Any]
) -> None:
    (error,) = folder.errors(case["compose"])

    assert error.startswith("c.yml:")


def test_every_listed_difference_is_one(folder: Folder) -> None:
    for case in CASES:
        if case["name"] in DIFFERENCES:
            swarm = _swarm(case["spec"])
            assert not DIFFERENCES[case["name"]].items() <= swarm.items()
        if case["name"] in TAKEN:
            folder.load(case["compose"])

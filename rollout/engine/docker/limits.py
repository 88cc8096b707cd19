"""Settings that an engine takes at creation and fails with at the start.  Pure.

The kernel, or the runtime that makes the container, refuses them: when the old task is down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollout.model.spec import ServiceSpec, TaskSpec

Json = dict[str, Any]

_LEAST_CPU = 10**7
"""The engine's own least, which it compares only where the value is too large."""
_ULIMITS = frozenset(
    {
        "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
        "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
    }
)  # fmt: skip
_IPC_SYSCTLS = frozenset(
    {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
        "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    }
)  # fmt: skip


def beyond_limits(spec: ServiceSpec, info: Json) -> Iterator[str]:
    """One line each."""
    task = spec.task
    if 0 < task.resources.cpu_limit < _LEAST_CPU:
        yield f"a task may use {task.resources.cpu_limit / 1e9:g} CPUs, an engine's least is 0.01"
    for name, limit in sorted(task.ulimits.items()):
        if name not in _ULIMITS:
            yield f"ulimits: there is no {name}, only {', '.join(sorted(_ULIMITS))}"
        elif limit.hard >= 0 and (limit.soft > limit.hard or limit.soft < 0):
            yield f"ulimits: {name}: the soft limit {limit.soft} is above the hard {limit.hard}"
    if _is_runc(task, info):
        yield from _sysctls(task)


def _is_runc(task: TaskSpec, info: Json) -> bool:
    """Other runtimes have a kernel of their own, and other rules."""
    return (task.runtime or str(info.get("DefaultRuntime") or "runc")) == "runc"


def _sysctls(task: TaskSpec) -> Iterator[str]:
    for name in sorted(task.sysctls):
        key = name.replace("/", ".")
        if key.startswith("net."):
            if task.network_mode == "host":
                yield f"sysctls: {name} cannot be set on the host's network"
        elif key in _IPC_SYSCTLS or key.startswith("fs.mqueue."):
            if task.ipc == "host":
                yield f"sysctls: {name} cannot be set with ipc: host"
        elif key != "kernel.domainname":
            yield f"sysctls: {name} is the host's, not a container's: set it on the host"

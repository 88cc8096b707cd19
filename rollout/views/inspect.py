"""`inspect`: one service, as JSON or in the paragraphs of `docker service inspect --pretty`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec

from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.secrets import masked
from rollout.model.spec import Mode, Resources, ServiceSpec, TaskSpec, UpdateConfig
from rollout.model.status import ServiceStatus
from rollout.model.units import format_duration, format_size
from rollout.views.services import ports
from rollout.views.text import ago, clean, timestamp


def inspect_document(
    status: ServiceStatus, previous: Revision | None, *, show_secrets: bool = False
) -> dict[str, Any]:
    """`previous` is what a plain rollback would restore, where there is something."""
    spec = shown(status.revision.spec, show_secrets=show_secrets)
    before = shown(previous.spec, show_secrets=show_secrets) if previous else None
    update = None
    if status.state is not None:
        update = {
            "state": str(status.state),
            "message": status.message,
            "started_at": timestamp(status.started_at),
            "completed_at": timestamp(status.completed_at),
        }
    return {
        "name": full_name(status.stack, status.service),
        "stack": status.stack,
        "service": status.service,
        "revision": status.revision.number,
        "action": str(status.revision.cause),
        "created_at": timestamp(status.revision.created_at),
        "by": status.revision.by,
        "replicas": {"running": status.running, "desired": status.desired},
        "restarting": len(status.restarting),
        "completed": status.completed,
        "update_status": update,
        "spec": msgspec.to_builtins(spec),
        "previous_revision": previous.number if previous else None,
        "previous_spec": msgspec.to_builtins(before),
    }


def shown(spec: ServiceSpec, *, show_secrets: bool) -> ServiceSpec:
    return spec if show_secrets else masked(spec)


def inspect_text(status: ServiceStatus, *, now: float, show_secrets: bool = False) -> str:
    """`now` is epoch seconds on the engine's clock."""
    return "\n".join(clean_line(line) for line in _lines(status, now, show_secrets))


def clean_line(line: str) -> str:
    """Cleaned, with the leading blanks of its indentation kept."""
    return line[: len(line) - len(line.lstrip())] + clean(line.lstrip())


def _lines(status: ServiceStatus, now: float, show_secrets: bool) -> Iterator[str]:
    spec = shown(status.revision.spec, show_secrets=show_secrets)
    yield _pair("Name", full_name(status.stack, status.service))
    yield _pair("Revision", f"{status.revision.number} ({status.revision.cause})")
    if spec.labels:
        yield "Labels:"
        yield from (f" {key}={value}" for key, value in sorted(spec.labels.items()))
    yield _pair("Service Mode", str(spec.mode).capitalize())
    if spec.mode is Mode.REPLICATED:
        yield _pair("Replicas", f"{spec.replicas} ({_running(status)})", indent=1)
    yield from _update_status(status, now)
    yield from _cadence("UpdateConfig", "Update order", spec.update)
    yield from _cadence("RollbackConfig", "Rollback order", spec.rollback)
    yield from _container(spec.task)
    yield from _resources(spec.task.resources)
    yield from _attachments(spec)


def _running(status: ServiceStatus) -> str:
    restarting = f", {len(status.restarting)} restarting" if status.restarting else ""
    completed = f", {status.completed} completed" if status.completed else ""
    return f"{status.steady} running{restarting}{completed}"


def _pair(name: str, value: str, *, indent: int = 0) -> str:
    label = " " * indent + name + ":"
    return f"{label:<21}{value}"


def _update_status(status: ServiceStatus, now: float) -> Iterator[str]:
    if status.state is None:
        return
    yield "UpdateStatus:"
    yield _pair("State", str(status.state), indent=1)
    if status.started_at is not None:
        yield _pair("Started", ago(status.started_at, now), indent=1)
    if status.completed_at is not None:
        yield _pair("Completed", ago(status.completed_at, now), indent=1)
    yield _pair("Message", status.message, indent=1)


def _cadence(title: str, order: str, config: UpdateConfig) -> Iterator[str]:
    yield f"{title}:"
    yield _pair("Parallelism", str(config.parallelism), indent=1)
    if config.delay_s:
        yield _pair("Delay", format_duration(config.delay_s), indent=1)
    yield _pair("On failure", str(config.failure_action), indent=1)
    yield _pair("Monitoring Period", format_duration(config.monitor_s or 5.0), indent=1)
    yield _pair("Max failure ratio", f"{config.max_failure_ratio:g}", indent=1)
    yield _pair(order, str(config.order), indent=1)


def _container(task: TaskSpec) -> Iterator[str]:
    yield "ContainerSpec:"
    yield _pair("Image", task.image, indent=1)
    if task.entrypoint is not None:
        yield _pair("Entrypoint", shlex.join(task.entrypoint), indent=1)
    if task.command is not None:
        yield _pair("Args", shlex.join(task.command), indent=1)
    if task.environment:
        yield _pair("Env", " ".join(_environment(task)), indent=1)
    for name, value in (
        ("Dir", task.working_dir),
        ("User", task.user),
        ("Hostname", task.hostname),
        ("Init", "" if task.init is None else str(task.init).lower()),
        ("StopSignal", task.stop_signal),
    ):
        if value:
            yield _pair(name, value, indent=1)
    yield _pair("Stop grace period", format_duration(task.stop_grace_s), indent=1)
    if task.healthcheck and task.healthcheck.test:
        yield _pair("Healthcheck", shlex.join(task.healthcheck.test), indent=1)
    yield _pair("Restart", str(task.restart.condition), indent=1)


def _environment(task: TaskSpec) -> Iterator[str]:
    for key, value in sorted(task.environment.items()):
        yield key if value is None else f"{key}={value}"


def _resources(resources: Resources) -> Iterator[str]:
    if resources == Resources():
        return
    yield "Resources:"
    for title, cpu, memory in (
        ("Reservations", resources.cpu_reservation, resources.memory_reservation),
        ("Limits", resources.cpu_limit, resources.memory_limit),
    ):
        if cpu or memory:
            yield f" {title}:"
        if cpu:
            yield _pair("CPU", f"{cpu / 1e9:g}", indent=2)
        if memory:
            yield _pair("Memory", format_size(memory), indent=2)


def _attachments(spec: ServiceSpec) -> Iterator[str]:
    task = spec.task
    if task.mounts:
        yield "Mounts:"
        for mount in task.mounts:
            mode = "ro" if mount.read_only else "rw"
            yield f" {mount.type} {mount.source or '-'} -> {mount.target} ({mode})"
    if task.files:
        yield "Configs and secrets:"
        yield from (f" {each.kind} {each.source} -> {each.target}" for each in task.files)
    if task.networks:
        yield _pair("Networks", " ".join(each.name for each in task.networks))
    if task.ports:
        yield "Ports:"
        yield from (f" {text}" for text in ports(spec))

"""What the flags of `rollout update` do to a service's definition: flags + spec → spec, pure.

Flags arrive under their own names (`env-add`), only those that were given.  The rules are those of
`docker service update`: `…-add` replaces an entry with the same key, `…-rm` is done first and takes
a key, `--args` replaces the whole command, a flag that is not given leaves its field alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from rollout.cli import syntax
from rollout.errors import UsageError
from rollout.model.placement import CONSTRAINT
from rollout.model.spec import (
    FailureAction,
    Healthcheck,
    Logging,
    Mode,
    Network,
    NetworkAttachment,
    Order,
    Port,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    TaskSpec,
    UpdateConfig,
)

Flags = Mapping[str, Any]
Parse = Callable[[str, Any], Any]


def _as_is(_flag: str, value: Any) -> Any:
    return value


_TASK: dict[str, tuple[str, Parse]] = {
    "args": ("command", syntax.words),
    "entrypoint": ("entrypoint", syntax.words),
    "hostname": ("hostname", _as_is),
    "user": ("user", _as_is),
    "workdir": ("working_dir", _as_is),
    "init": ("init", _as_is),
    "read-only": ("read_only", _as_is),
    "tty": ("tty", _as_is),
    "stop-signal": ("stop_signal", _as_is),
    "stop-grace-period": ("stop_grace_s", syntax.duration),
    "memory-swap": ("memswap_limit", syntax.size_or_unlimited),
    "oom-score-adj": ("oom_score_adj", _as_is),
}
_RESOURCES: dict[str, tuple[str, Parse]] = {
    "limit-cpu": ("cpu_limit", syntax.nano_cpus),
    "limit-memory": ("memory_limit", syntax.size),
    "limit-pids": ("pids_limit", _as_is),
    "reserve-cpu": ("cpu_reservation", syntax.nano_cpus),
    "reserve-memory": ("memory_reservation", syntax.size),
}
_HEALTH: dict[str, tuple[str, Parse]] = {
    "health-interval": ("interval_s", syntax.duration),
    "health-timeout": ("timeout_s", syntax.duration),
    "health-start-period": ("start_period_s", syntax.duration),
    "health-start-interval": ("start_interval_s", syntax.duration),
    "health-retries": ("retries", _as_is),
}
_LISTS = {
    "group": "groups",
    "dns": "dns",
    "dns-option": "dns_options",
    "dns-search": "dns_search",
}


def edit(spec: ServiceSpec, flags: Flags, *, environ: Mapping[str, str]) -> ServiceSpec:
    """The definition after the flags.  A new image is as it was written, not resolved yet.

    `environ` gives the value of an `--env-add KEY` without one.  Raises UsageError.
    """
    task = spec.task
    for step in (_image, _fields, _maps, _lists, _capabilities, _restart, _health, _resources,
                 _logging, _ports, _mounts, _force):  # fmt: skip
        task = step(task, flags)
    task = _environment(task, flags, environ)
    spec = _networks(replace(spec, task=task), flags)
    return replace(
        spec,
        restart_said=_restart_said(spec, task, flags),
        image=flags.get("image", spec.image),
        replicas=_replicas(spec, flags),
        constraints=_constraints(spec.constraints, flags),
        max_per_node=flags.get("replicas-max-per-node", spec.max_per_node),
        labels=_map(spec.labels, flags, "label", syntax.key_value),
        update=cadence(spec.update, flags, "update"),
        rollback=cadence(spec.rollback, flags, "rollback"),
    )


def _image(task: TaskSpec, flags: Flags) -> TaskSpec:
    if "image" not in flags:
        return task
    return replace(task, image=syntax.image("image", flags["image"]), image_id="")


def _fields(task: TaskSpec, flags: Flags) -> TaskSpec:
    changes = _changes(_TASK, flags)
    if "memory-swappiness" in flags:
        value = flags["memory-swappiness"]
        changes["mem_swappiness"] = None if value == -1 else value
    return replace(task, **changes)


def _changes(table: Mapping[str, tuple[str, Parse]], flags: Flags) -> dict[str, Any]:
    return {
        field: parse(flag, flags[flag]) for flag, (field, parse) in table.items() if flag in flags
    }


def _map(
    current: dict[str, Any], flags: Flags, name: str, parse: Callable[[str, str], tuple[str, Any]]
) -> dict[str, Any]:
    """`NAME-rm` takes keys away, `NAME-add` sets them."""
    gone = set(flags.get(f"{name}-rm", ()))
    kept = {key: value for key, value in current.items() if key not in gone}
    return kept | dict(parse(f"{name}-add", text) for text in flags.get(f"{name}-add", ()))


def _maps(task: TaskSpec, flags: Flags) -> TaskSpec:
    return replace(
        task,
        labels=_map(task.labels, flags, "container-label", syntax.key_value),
        sysctls=_map(task.sysctls, flags, "sysctl", syntax.key_value),
        ulimits=_map(task.ulimits, flags, "ulimit", syntax.ulimit),
    )


def _environment(task: TaskSpec, flags: Flags, environ: Mapping[str, str]) -> TaskSpec:
    def parse(flag: str, text: str) -> tuple[str, str | None]:
        return syntax.variable(flag, text, environ)

    return replace(task, environment=_map(task.environment, flags, "env", parse))


def _lists(task: TaskSpec, flags: Flags) -> TaskSpec:
    changes: dict[str, Any] = {
        field: _list(getattr(task, field), flags, name) for name, field in _LISTS.items()
    }
    gone = set(flags.get("host-rm", ()))
    kept = [
        each for each in task.extra_hosts if each not in gone and each.partition(":")[0] not in gone
    ]
    added = [syntax.host_entry("host-add", text) for text in flags.get("host-add", ())]
    changes["extra_hosts"] = _without_repeats(kept + added)
    return replace(task, **changes)


def _list(current: tuple[str, ...], flags: Flags, name: str) -> tuple[str, ...]:
    gone = set(flags.get(f"{name}-rm", ()))
    kept = [each for each in current if each not in gone]
    return _without_repeats([*kept, *flags.get(f"{name}-add", ())])


def _constraints(current: tuple[str, ...], flags: Flags) -> tuple[str, ...]:
    for text in flags.get("constraint-add", ()):
        if not CONSTRAINT.fullmatch(text):
            raise syntax.wrong("constraint-add", text, "use key==value or key!=value")
    return _list(current, flags, "constraint")


def _without_repeats(entries: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entries))


def _capabilities(task: TaskSpec, flags: Flags) -> TaskSpec:
    add = tuple(_capability(text) for text in flags.get("cap-add", ()))
    drop = tuple(_capability(text) for text in flags.get("cap-drop", ()))
    if not add and not drop:
        return task
    return replace(
        task,
        cap_add=_without_repeats([each for each in task.cap_add if each not in drop] + [*add]),
        cap_drop=_without_repeats([each for each in task.cap_drop if each not in add] + [*drop]),
    )


def _capability(text: str) -> str:
    name = text.upper()
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def _restart(task: TaskSpec, flags: Flags) -> TaskSpec:
    table: dict[str, tuple[str, Parse]] = {
        "restart-condition": ("condition", _word(RestartCondition, "restart condition")),
        "restart-delay": ("delay_s", syntax.duration),
        "restart-max-attempts": ("max_attempts", _as_is),
        "restart-window": ("window_s", syntax.duration),
    }
    restart: RestartPolicy = replace(task.restart, **_changes(table, flags))
    return replace(task, restart=restart)


def _restart_said(spec: ServiceSpec, task: TaskSpec, flags: Flags) -> bool:
    """A flag about restarts says whether there are any."""
    if not any(flag.startswith("restart-") for flag in flags):
        return spec.restart_said
    return task.restart.condition is RestartCondition.ANY


def _word(kind: type[StrEnum], what: str) -> Parse:
    """A parser for one of a closed set, with Swarm's message."""

    def parse(_flag: str, text: str) -> StrEnum:
        try:
            return kind(text)
        except ValueError:
            raise UsageError(f"unrecognized {what} {text} (use {_any_of(kind)})") from None

    return parse


def _any_of(kind: type[StrEnum]) -> str:
    return ", ".join(kind)


def cadence(config: UpdateConfig, flags: Flags, kind: str) -> UpdateConfig:
    """`update` or `rollback` config after the flags `--KIND-…`."""
    table: dict[str, tuple[str, Parse]] = {
        f"{kind}-parallelism": ("parallelism", _as_is),
        f"{kind}-delay": ("delay_s", syntax.duration),
        f"{kind}-failure-action": (
            "failure_action",
            _word(FailureAction, f"{kind} failure action"),
        ),
        f"{kind}-monitor": ("monitor_s", syntax.duration),
        f"{kind}-max-failure-ratio": ("max_failure_ratio", _ratio),
        f"{kind}-order": ("order", _word(Order, f"{kind} order")),
    }
    changed = replace(config, **_changes(table, flags))
    if kind == "rollback" and changed.failure_action is FailureAction.ROLLBACK:
        raise UsageError("unrecognized rollback failure action rollback (use pause, continue)")
    return changed


def _ratio(flag: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"--{flag} cannot be less than 0 or bigger than 1, not {value:g}")
    return value


def _health(task: TaskSpec, flags: Flags) -> TaskSpec:
    given = [flag for flag in flags if flag.startswith("health-")]
    if flags.get("no-healthcheck"):
        if given:
            raise UsageError("--no-healthcheck conflicts with --health-* options")
        return replace(task, healthcheck=Healthcheck(test=("NONE",)))
    if not given:
        return task
    check = task.healthcheck or Healthcheck()
    if check.test == ("NONE",):
        check = replace(check, test=None)
    check = replace(check, **_changes(_HEALTH, flags))
    if "health-cmd" in flags:
        command = flags["health-cmd"]
        check = replace(check, test=("CMD-SHELL", command) if command else None)
    return replace(task, healthcheck=None if check == Healthcheck() else check)


def _resources(task: TaskSpec, flags: Flags) -> TaskSpec:
    return replace(task, resources=replace(task.resources, **_changes(_RESOURCES, flags)))


def _logging(task: TaskSpec, flags: Flags) -> TaskSpec:
    """As Swarm: a new driver or options replace what was there."""
    if "log-driver" not in flags and "log-opt" not in flags:
        return task
    current = task.logging or Logging()
    options = dict(syntax.key_value("log-opt", text) for text in flags.get("log-opt", ()))
    return replace(
        task, logging=Logging(driver=flags.get("log-driver", current.driver), options=options)
    )


def _ports(task: TaskSpec, flags: Flags) -> TaskSpec:
    gone = {
        (port.target, port.protocol)
        for text in flags.get("publish-rm", ())
        for port in syntax.port("publish-rm", text)
    }
    ports: list[Port] = [each for each in task.ports if (each.target, each.protocol) not in gone]
    for text in flags.get("publish-add", ()):
        ports += [each for each in syntax.port("publish-add", text) if each not in ports]
    return replace(task, ports=tuple(ports))


def _mounts(task: TaskSpec, flags: Flags) -> TaskSpec:
    added = [syntax.mount("mount-add", text) for text in flags.get("mount-add", ())]
    targets = [each.target for each in added]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"--mount-add: duplicate mount target {target}")
    gone = {*targets, *flags.get("mount-rm", ())}
    return replace(
        task, mounts=(*(each for each in task.mounts if each.target not in gone), *added)
    )


def _networks(spec: ServiceSpec, flags: Flags) -> ServiceSpec:
    """A name is the key of a network of the stack, or a network on the engine, which must exist."""
    if "network-add" not in flags and "network-rm" not in flags:
        return spec
    named = {network.key: network.name for network in spec.networks}
    gone = {named.get(name, name) for name in flags.get("network-rm", ())}
    attached = {each.name: each for each in spec.task.networks if each.name not in gone}
    known = list(spec.networks)
    for text in flags.get("network-add", ()):
        network: NetworkAttachment = syntax.network("network-add", text)
        name = named.get(network.name, network.name)
        attached[name] = replace(network, name=name)
        if name not in {each.name for each in known}:
            known.append(Network(key=name, name=name, external=True))
    return replace(
        spec,
        task=replace(spec.task, networks=tuple(attached.values())),
        networks=tuple(known),
    )


def _replicas(spec: ServiceSpec, flags: Flags) -> int:
    if "replicas" not in flags:
        return spec.replicas
    if spec.mode is not Mode.REPLICATED:
        raise UsageError("replicas can only be used with replicated mode")
    replicas: int = flags["replicas"]
    return replicas


def _force(task: TaskSpec, flags: Flags) -> TaskSpec:
    return replace(task, force=task.force + 1) if flags.get("force") else task

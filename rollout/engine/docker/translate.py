"""A revision and a slot → the JSON that creates its container.  Pure.

The container is created without a restart policy: Docker's own takes over only when the task has
passed its monitor window (`Arm`), so that no failure is papered over and no daemon restart starts a
task that was only made ready.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from rollout.engine.docker.ability import START_INTERVAL
from rollout.engine.docker.anonymous import with_volumes
from rollout.engine.docker.mounts import binds_and_mounts, tmpfs
from rollout.engine.docker.placeholders import filled
from rollout.engine.docker.resources import resources
from rollout.errors import ImpossibleError
from rollout.model import labels
from rollout.model.canonical import canonical
from rollout.model.revision import Revision
from rollout.model.spec import (
    Healthcheck,
    Mount,
    NetworkAttachment,
    Port,
    RestartCondition,
    RestartPolicy,
    TaskSpec,
)

Json = dict[str, Any]

MANY_NETWORKS = (1, 44)
"""From here on `create` takes several networks, and a MAC address each."""
PLATFORM = (1, 41)

_COMPOSE_VERSION = "2.26.1"
"""The Compose release whose labels these are."""
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


class Creation(Struct, frozen=True, kw_only=True):
    """All that it takes to make a container Ready."""

    name: str
    config: Json
    platform: str
    later: dict[str, Json]
    """Networks that this engine connects only after creation, with their endpoint settings."""


def task_id(revision: Revision, slot: int, after: str) -> str:
    """The id of the task that follows task `after` in a slot: 25 characters, as Swarm's.

    It is derived, not drawn: two that prepare the same slot at the same moment choose the same
    container name, and the engine lets only one have it.
    """
    parts = (
        revision.stack,
        revision.service,
        str(revision.number),
        repr(revision.created_at),
        str(slot),
        after,
    )
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest(), "big")
    digits = []
    for _ in range(25):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def creation(
    revision: Revision,
    slot: int,
    task: str,
    *,
    api: tuple[int, ...],
    namespaces: Mapping[str, str],
    node: Mapping[str, str] = {},
    volumes: Mapping[str, Mount] = {},
) -> Creation:
    """`namespaces` says which container `service:NAME` is, `node` what is known of the node,
    `volumes` what is mounted for the volumes without a name, by target.
    Raises EngineError for what this engine cannot do.
    """
    spec = with_volumes(filled(revision, slot, task, node), volumes)
    networks = _endpoints(spec, revision, slot, api)
    first = next(iter(networks), "")
    at_once = networks if api >= MANY_NETWORKS else {first: networks[first]} if first else {}
    config: Json = {
        **_container(spec, api),
        "Labels": _labels(revision, slot, task),
        "ExposedPorts": {port: {} for port in _exposed(spec)},
        "HostConfig": {
            **_host(spec, api, namespaces),
            "NetworkMode": _namespace(spec.network_mode, namespaces) or first or "default",
            "PortBindings": port_bindings(spec.ports, slot),
        },
        "NetworkingConfig": {"EndpointsConfig": at_once},
    }
    return Creation(
        name=labels.container_name(revision.stack, revision.service, slot, task),
        config=config,
        platform=spec.platform if api >= PLATFORM else "",
        later={name: end for name, end in networks.items() if name not in at_once},
    )


def restart_policy(policy: RestartPolicy) -> Json | None:
    """Docker's restart policy for a task that has passed its monitor window; None for none."""
    match policy.condition:
        case RestartCondition.ANY:
            return {"Name": "unless-stopped"}
        case RestartCondition.ON_FAILURE:
            return {"Name": "on-failure", "MaximumRetryCount": policy.max_attempts}
        case RestartCondition.NONE:
            return None


def published_port(port: Port, slot: int) -> int | None:
    """The host's port for one slot; None where the engine picks.  A range 8000-8009 gives slot 3
    port 8002.  Raises ImpossibleError for a slot beyond the range.
    """
    if port.published is None:
        return None
    first, last = port.published
    if first == last:
        return first
    if first + slot - 1 > last:
        raise ImpossibleError(
            f"slot {slot} has no port: {first}-{last} is for {last - first + 1} slots",
            hint="widen the range, or run fewer replicas",
        )
    return first + slot - 1


def _exposed(spec: TaskSpec) -> tuple[str, ...]:
    return (*(f"{port.target}/{port.protocol}" for port in spec.ports), *spec.expose)


def port_bindings(ports: tuple[Port, ...], slot: int) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in ports:
        host_port = published_port(port, slot)
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(
            {"HostIp": port.host_ip, "HostPort": "" if host_port is None else str(host_port)}
        )
    return bindings


def grace_seconds(seconds: float) -> int:
    """Whole seconds, as the engine takes them; rounded up, so that nobody gets less time."""
    return math.ceil(seconds)


def _labels(revision: Revision, slot: int, task: str) -> dict[str, str]:
    return {
        **revision.spec.task.labels,
        labels.STACK: revision.stack,
        labels.SERVICE: revision.service,
        labels.SLOT: str(slot),
        labels.REVISION: str(revision.number),
        labels.TASK: task,
        labels.SPEC: canonical(revision.spec),
        labels.COMPOSE_PROJECT: revision.stack,
        labels.COMPOSE_SERVICE: revision.service,
        labels.COMPOSE_NUMBER: str(slot),
        labels.COMPOSE_ONEOFF: "False",
        # `docker compose ls` shows only what has a hash; Compose's own means nothing here.
        "com.docker.compose.config-hash": revision.digest,
        "com.docker.compose.version": _COMPOSE_VERSION,
    }


def _container(spec: TaskSpec, api: tuple[int, ...]) -> Json:
    config: Json = {
        "Image": spec.image_id or spec.image,
        # A name without "=" takes the image's variable away.
        "Env": [
            name if value is None else f"{name}={value}"
            for name, value in sorted(spec.environment.items())
        ],
        "Tty": spec.tty,
        "OpenStdin": spec.stdin_open,
        "StopTimeout": grace_seconds(spec.stop_grace_s),
        "Healthcheck": _healthcheck(spec.healthcheck, api) if spec.healthcheck else None,
        "Cmd": None if spec.command is None else list(spec.command),
        "Entrypoint": None if spec.entrypoint is None else list(spec.entrypoint),
        "Hostname": spec.hostname,
        "Domainname": spec.domainname,
        "User": spec.user,
        "WorkingDir": spec.working_dir,
        "StopSignal": spec.stop_signal,
    }
    if spec.entrypoint == ():
        # An empty list would leave the image's entrypoint in place; one empty word clears it.
        config["Entrypoint"] = [""]
    mac = next((each.mac_address for each in spec.networks if each.mac_address), "")
    if mac and api < MANY_NETWORKS:
        config["MacAddress"] = mac
    return _said(config)


def _host(spec: TaskSpec, api: tuple[int, ...], namespaces: Mapping[str, str]) -> Json:
    binds, mounts = binds_and_mounts(spec, api)
    config: Json = {
        "Binds": binds,
        "Mounts": mounts,
        "Tmpfs": tmpfs(spec),
        "Init": spec.init,
        "ReadonlyRootfs": spec.read_only,
        "Privileged": spec.privileged,
        "GroupAdd": list(spec.groups),
        "Dns": list(spec.dns),
        "DnsSearch": list(spec.dns_search),
        "DnsOptions": list(spec.dns_options),
        "ExtraHosts": list(spec.extra_hosts),
        "CapAdd": list(spec.cap_add),
        "CapDrop": list(spec.cap_drop),
        "SecurityOpt": list(spec.security_opt),
        "Sysctls": spec.sysctls,
        "ShmSize": spec.shm_size,
        "PidMode": _namespace(spec.pid, namespaces),
        "IpcMode": _namespace(spec.ipc, namespaces),
        "UTSMode": spec.uts,
        "UsernsMode": spec.userns_mode,
        "CgroupnsMode": spec.cgroup,
        "CgroupParent": spec.cgroup_parent,
        "Runtime": spec.runtime,
        "StorageOpt": spec.storage_opt,
        "Annotations": spec.annotations,
        "VolumesFrom": [_volumes_from(each, namespaces) for each in spec.volumes_from],
        **resources(spec),
    }
    if spec.logging is not None:
        config["LogConfig"] = {"Type": spec.logging.driver, "Config": spec.logging.options}
    return {**_said(config), "RestartPolicy": {"Name": "no"}}


def _healthcheck(check: Healthcheck, api: tuple[int, ...]) -> Json:
    """What is not said is left to the image's own healthcheck."""
    times = {
        "Interval": check.interval_s,
        "Timeout": check.timeout_s,
        "StartPeriod": check.start_period_s,
        "StartInterval": check.start_interval_s if api >= START_INTERVAL else None,
    }
    return {
        "Test": list(check.test or ()),
        **{name: round(value * 1e9) for name, value in times.items() if value is not None},
        **({} if check.retries is None else {"Retries": check.retries}),
    }


def _endpoints(
    spec: TaskSpec, revision: Revision, slot: int, api: tuple[int, ...]
) -> dict[str, Json]:
    """Network name → endpoint, the one with the highest priority first, as Compose has it.

    A task is known by its service's name, by the name of the container that Compose would make, and
    by the names that a Swarm has for a service and for its tasks: some files count on them.
    """
    service = revision.service
    names = (
        service,
        f"{revision.stack}-{service}-{slot}",
        labels.full_name(revision.stack, service),
        f"tasks.{service}",
    )
    ordered = sorted(spec.networks, key=lambda each: -each.priority)
    return {each.name: _endpoint(each, spec, names, api) for each in ordered}


def _endpoint(
    network: NetworkAttachment, spec: TaskSpec, names: tuple[str, ...], api: tuple[int, ...]
) -> Json:
    """A link gives a name one more name: it leads to all tasks of a service, new ones too."""
    return _said(
        {
            "Aliases": list(dict.fromkeys((*names, *network.aliases))),
            "Links": list(spec.links),
            "IPAMConfig": _said(
                {
                    "IPv4Address": network.ipv4_address,
                    "IPv6Address": network.ipv6_address,
                    "LinkLocalIPs": list(network.link_local_ips),
                }
            ),
            "DriverOpts": network.driver_opts,
            "MacAddress": network.mac_address if api >= MANY_NETWORKS else "",
        }
    )


def _volumes_from(said: str, namespaces: Mapping[str, str]) -> str:
    """`service:db:ro` → `<container>:ro`"""
    kind, name, *access = said.split(":")
    return ":".join((namespaces[name] if kind == "service" else name, *access))


def _namespace(mode: str, namespaces: Mapping[str, str]) -> str:
    if mode.startswith("service:"):
        return f"container:{namespaces[mode[len('service:') :]]}"
    return mode


def _said(config: Json) -> Json:
    """Without what was not said: the engine and the image decide there."""
    return {
        key: value
        for key, value in config.items()
        if value or (key in _EMPTY_COUNTS and value is not None)
    }


_EMPTY_COUNTS = frozenset({"StopTimeout", "Cmd", "Init", "MemorySwappiness"})
"""Where no, none or zero is something that was said."""

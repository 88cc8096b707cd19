"""What a container that Compose made was made from: `translate` the other way round.  Pure.

What the image says is left out, so that another image may say something else; so is what an engine
fills in where nothing was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from rollout.engine.docker.recognise_host import devices_and_limits, mounts
from rollout.model import labels
from rollout.model.spec import (
    Healthcheck,
    Logging,
    NetworkAttachment,
    Port,
    RestartCondition,
    RestartPolicy,
    TaskSpec,
)

Json = dict[str, Any]

COMPOSE_DEPENDS = "com.docker.compose.depends_on"
_COMPOSE_LABELS = "com.docker.compose."
_SHORT_ID = 12
_DEFAULT_SHM = 64 * 2**20
_GRACE_S = 10.0
_CONDITIONS = {
    "always": RestartCondition.ANY,
    "unless-stopped": RestartCondition.ANY,
    "on-failure": RestartCondition.ON_FAILURE,
}
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_PREDEFINED = frozenset({"bridge", "host", "none"})


class Found(Struct, frozen=True, kw_only=True):
    """One container as inspected, and what is to be known beside it."""

    container: Json
    image: str
    """As it is to be written: with its digest, or as the file had it."""
    image_id: str
    """Empty where a digest says it."""
    image_config: Json
    info: Json
    """Of the engine: its own defaults."""
    services: Mapping[str, str]
    """Container → service, of its project."""


def task_spec(found: Found) -> TaskSpec:
    config, host = found.container["Config"], found.container["HostConfig"]
    command, entrypoint = _command(config, found.image_config)
    published = _ports(host.get("PortBindings") or {})
    return TaskSpec(
        image=found.image,
        image_id=found.image_id,
        command=command,
        entrypoint=entrypoint,
        environment=_environment(config, found.image_config),
        labels=_labels(config, found.image_config),
        hostname=_hostname(found.container),
        domainname=_domainname(found.container),
        container_name=_container_name(found.container),
        user=_beside_image("User", found),
        working_dir=_beside_image("WorkingDir", found),
        stop_signal=_beside_image("StopSignal", found),
        stop_grace_s=_grace(config),
        tty=bool(config.get("Tty")),
        stdin_open=bool(config.get("OpenStdin")),
        healthcheck=_healthcheck(config, found.image_config),
        restart=restart_policy(host.get("RestartPolicy") or {}),
        ports=published,
        expose=_exposed(config, found.image_config, published),
        mounts=mounts(host),
        networks=tuple(_attachments(found.container)),
        network_mode=_network_mode(found),
        links=_links(found.container),
        logging=_logging(host.get("LogConfig") or {}, found.info),
        volumes_from=tuple(_shared(each, found) for each in host.get("VolumesFrom") or []),
        pid=_namespace(host.get("PidMode") or "", found),
        ipc=_ipc(host.get("IpcMode") or "", found),
        cgroup=_cgroup(host.get("CgroupnsMode") or "", found.info),
        runtime=_unless(host.get("Runtime"), found.info.get("DefaultRuntime") or "runc"),
        shm_size=int(_unless(host.get("ShmSize"), _DEFAULT_SHM) or 0),
        security_opt=_security(host),
        init=host.get("Init"),
        read_only=bool(host.get("ReadonlyRootfs")),
        privileged=bool(host.get("Privileged")),
        groups=tuple(host.get("GroupAdd") or ()),
        dns=tuple(host.get("Dns") or ()),
        dns_search=tuple(host.get("DnsSearch") or ()),
        dns_options=tuple(host.get("DnsOptions") or ()),
        extra_hosts=tuple(sorted(host.get("ExtraHosts") or ())),
        cap_add=tuple(sorted(host.get("CapAdd") or ())),
        cap_drop=tuple(sorted(host.get("CapDrop") or ())),
        sysctls=host.get("Sysctls") or {},
        storage_opt=host.get("StorageOpt") or {},
        annotations=host.get("Annotations") or {},
        uts=host.get("UTSMode") or "",
        userns_mode=host.get("UsernsMode") or "",
        cgroup_parent=host.get("CgroupParent") or "",
        **devices_and_limits(host),
    )


def depends_on(config: Json) -> dict[str, str]:
    """`db:service_healthy:true,cache:service_started:false` → service to condition."""
    said = str((config.get("Labels") or {}).get(COMPOSE_DEPENDS) or "")
    parts = [each.split(":") for each in said.split(",") if each]
    return {name: rest[0] if rest else "service_started" for name, *rest in parts}


def restart_policy(said: Json) -> RestartPolicy:
    name = said.get("Name") or ""
    attempts = int(said.get("MaximumRetryCount") or 0)
    condition = _CONDITIONS.get(name, RestartCondition.NONE)
    return RestartPolicy(condition=condition, max_attempts=attempts if name == "on-failure" else 0)


def _command(config: Json, image: Json) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """An entrypoint of its own takes the image's command away, so one that is the same is said."""
    command, entrypoint = config.get("Cmd") or [], config.get("Entrypoint") or []
    if entrypoint == (image.get("Entrypoint") or []):
        same = command == (image.get("Cmd") or [])
        return (None if same else tuple(command)), None
    return (tuple(command) or None), tuple(entrypoint)


def _environment(config: Json, image: Json) -> dict[str, str | None]:
    """The engine adds a PATH where neither image nor file has one."""
    known = frozenset(image.get("Env") or [])
    said = [each.partition("=") for each in config.get("Env") or [] if each not in known]
    has_path = any(each.startswith("PATH=") for each in known)
    return {
        name: value
        for name, _, value in said
        if has_path or name != "PATH" or value != _ENGINES_PATH
    }


_ENGINES_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _labels(config: Json, image: Json) -> dict[str, str]:
    known = (image.get("Labels") or {}).items()
    return {
        name: value
        for name, value in (config.get("Labels") or {}).items()
        if not name.startswith(_COMPOSE_LABELS) and (name, value) not in known
    }


def _has_own_network(container: Json) -> bool:
    """Else the engine shows the names of the host, or of the container whose network it is."""
    mode = container["HostConfig"].get("NetworkMode") or ""
    return mode != "host" and not mode.startswith("container:")


def _hostname(container: Json) -> str:
    said = container["Config"].get("Hostname") or ""
    return said if _has_own_network(container) and not container["Id"].startswith(said) else ""


def _domainname(container: Json) -> str:
    said = container["Config"].get("Domainname") or ""
    return said if _has_own_network(container) else ""


def _container_name(container: Json) -> str:
    """One that the file has asked for: Compose's own end in the container's number."""
    mine = container["Config"]["Labels"]
    project, service = mine[labels.COMPOSE_PROJECT], mine[labels.COMPOSE_SERVICE]
    number = mine.get(labels.COMPOSE_NUMBER) or "1"
    name = container["Name"].removeprefix("/")
    usual = {sep.join((project, service, number)) for sep in "-_"}
    # Compose, killed while it recreates one, leaves `<id>_<name>`.
    left = name.removeprefix(container["Id"][:_SHORT_ID] + "_")
    return "" if usual & {name, left} else left


def _beside_image(key: str, found: Found) -> str:
    said = found.container["Config"].get(key) or ""
    return "" if said == (found.image_config.get(key) or "") else str(said)


def _unless(said: Any, default: Any) -> Any:
    return "" if said in (None, default) else said


def _grace(config: Json) -> float:
    said = config.get("StopTimeout")
    return _GRACE_S if said is None else float(said)


def _healthcheck(config: Json, image: Json) -> Healthcheck | None:
    said = config.get("Healthcheck") or {}
    if not said or said == (image.get("Healthcheck") or {}):
        return None
    return Healthcheck(
        test=tuple(said.get("Test") or ()) or None,
        interval_s=_seconds(said.get("Interval")),
        timeout_s=_seconds(said.get("Timeout")),
        start_period_s=_seconds(said.get("StartPeriod")),
        start_interval_s=_seconds(said.get("StartInterval")),
        retries=said.get("Retries") or None,
    )


def _seconds(nanoseconds: int | None) -> float | None:
    return nanoseconds / 1e9 if nanoseconds else None


def _ports(bindings: Json) -> tuple[Port, ...]:
    found = [
        Port(
            target=int(target),
            published=_published(str(each.get("HostPort") or "")),
            protocol=protocol or "tcp",
            host_ip=each.get("HostIp") or "",
        )
        for key, held in bindings.items()
        for target, _, protocol in [key.partition("/")]
        for each in held or []
    ]
    found.sort(key=lambda p: (p.target, p.protocol, p.published or (0, 0), p.host_ip))
    return tuple(found)


def _published(said: str) -> tuple[int, int] | None:
    match = _PORTS.fullmatch(said)
    if match is None or int(match[1]) == 0:
        return None
    return int(match[1]), int(match[2] or match[1])


def _exposed(config: Json, image: Json, published: tuple[Port, ...]) -> tuple[str, ...]:
    known = {*(image.get("ExposedPorts") or {}), *(f"{p.target}/{p.protocol}" for p in published)}
    return tuple(sorted(set(config.get("ExposedPorts") or {}) - known))


def _attachments(container: Json) -> Iterator[NetworkAttachment]:
    """The first network, which its mode names, comes first again."""
    mine, first = container["Config"]["Labels"], container["HostConfig"].get("NetworkMode")
    service = mine[labels.COMPOSE_SERVICE]
    own = {container["Id"][:_SHORT_ID], container["Name"].removeprefix("/"), service}
    networks = container["NetworkSettings"].get("Networks") or {}
    for name, end in sorted(networks.items(), key=lambda item: (item[0] != first, item[0])):
        if name in _PREDEFINED:
            continue
        address = end.get("IPAMConfig") or {}
        others = [each for each in end.get("Aliases") or [] if each not in own]
        yield NetworkAttachment(
            name=name,
            aliases=(service, *sorted(set(others))),
            ipv4_address=address.get("IPv4Address") or "",
            ipv6_address=address.get("IPv6Address") or "",
            link_local_ips=tuple(address.get("LinkLocalIPs") or ()),
            driver_opts=end.get("DriverOpts") or {},
            priority=1 if name == first and len(networks) > 1 else 0,
        )


def _network_mode(found: Found) -> str:
    mode = found.container["HostConfig"].get("NetworkMode") or ""
    if mode in _PREDEFINED:
        return str(mode)
    return _namespace(mode, found) if mode.startswith("container:") else ""


def _links(container: Json) -> tuple[str, ...]:
    networks = container["NetworkSettings"].get("Networks") or {}
    return tuple(sorted({link for end in networks.values() for link in end.get("Links") or []}))


def _logging(said: Json, info: Json) -> Logging | None:
    options = said.get("Config") or {}
    driver = said.get("Type") or ""
    if not options and driver == (info.get("LoggingDriver") or "json-file"):
        return None
    return Logging(driver=driver, options=options)


def _shared(said: str, found: Found) -> str:
    """`<container>:ro` → `service:db:ro` where it is one of the project's."""
    container, colon, access = said.partition(":")
    service = found.services.get(container)
    return f"service:{service}{colon}{access}" if service else f"container:{said}"


def _namespace(mode: str, found: Found) -> str:
    container = mode.removeprefix("container:")
    service = found.services.get(container) if container != mode else None
    return f"service:{service}" if service else mode


def _ipc(mode: str, found: Found) -> str:
    default = found.info.get("DefaultIpcMode") or "private"
    return "" if mode == default else _namespace(mode, found)


def _cgroup(mode: str, info: Json) -> str:
    """Where nothing is said: the host's with version 1, one of its own with version 2."""
    default = "private" if str(info.get("CgroupVersion")) == "2" else "host"
    return "" if mode == default else mode


def _security(host: Json) -> tuple[str, ...]:
    """Who shares the host's processes gets `label=disable` by the engine."""
    implied = host.get("Privileged") or "host" in (host.get("PidMode"), host.get("IpcMode"))
    said = host.get("SecurityOpt") or []
    return tuple(each for each in said if not (implied and each == "label=disable"))

"""A service in normal form → what its containers are made from."""

from __future__ import annotations

from rollout.compose.complete import Project
from rollout.compose.node import Node
from rollout.compose.parts import Parts
from rollout.compose.read_mounts import read_mounts
from rollout.compose.read_networks import read_attachments, read_network_mode
from rollout.compose.read_resources import (
    read_block_io,
    read_device_requests,
    read_devices,
    read_resources,
    read_ulimits,
)
from rollout.compose.read_update import read_restart
from rollout.model.spec import (
    Healthcheck,
    Hook,
    Logging,
    Port,
    TaskSpec,
)
from rollout.model.units import parse_duration

DEFAULT_PLATFORM = "DOCKER_DEFAULT_PLATFORM"


def image_name(name: str, node: Node, project: Project) -> str:
    """As the file writes it; without one, the name Compose gives what it builds."""
    between = "_" if project.compatible else "-"
    return str(node.get("image") or f"{project.name}{between}{name}".lower())


def read_task(name: str, node: Node, path: str, parts: Parts) -> TaskSpec:
    """`path` is the service's key path, for errors."""
    get = node.get
    return TaskSpec(
        image=image_name(name, node, parts.project),
        command=_command(node.find("command")),
        entrypoint=_command(node.find("entrypoint")),
        environment=node.texts("environment"),
        labels=node.texts("labels"),
        hostname=get("hostname", default=""),
        domainname=get("domainname", default=""),
        container_name=get("container_name", default=""),
        user=get("user", default=""),
        groups=node.strings("group_add"),
        working_dir=get("working_dir", default=""),
        tty=get("tty", default=False),
        stdin_open=get("stdin_open", default=False),
        init=get("init"),
        read_only=get("read_only", default=False),
        privileged=get("privileged", default=False),
        platform=get("platform", default=parts.project.environ.get(DEFAULT_PLATFORM, "")),
        pull_policy=get("pull_policy", default=""),
        stop_signal=get("stop_signal", default=""),
        stop_grace_s=parse_duration(get("stop_grace_period", default="10s")),
        healthcheck=_healthcheck(node.find("healthcheck")),
        restart=read_restart(node, completes=name in parts.completes),
        ports=_ports(node.items_at("ports")),
        mounts=read_mounts(node, path, parts.volumes, parts.report),
        files=parts.contents.mounts(node),
        networks=read_attachments(name, node, parts.networks),
        network_mode=read_network_mode(node, path, parts.networks, parts.report),
        dns=node.strings("dns"),
        dns_search=node.strings("dns_search"),
        dns_options=node.strings("dns_opt"),
        extra_hosts=hosts(node),
        links=_links(node),
        expose=_exposed(node),
        annotations=node.texts("annotations"),
        cap_add=tuple(sorted(node.strings("cap_add"))),
        cap_drop=tuple(sorted(node.strings("cap_drop"))),
        security_opt=node.strings("security_opt"),
        devices=read_devices(node.items_at("devices")),
        device_cgroup_rules=node.strings("device_cgroup_rules"),
        device_requests=read_device_requests(node),
        block_io=read_block_io(node.find("blkio_config"), f"{path}.blkio_config", parts.report),
        storage_opt={key: str(value) for key, value in node.texts("storage_opt").items()},
        volumes_from=_volumes_from(node),
        sysctls=node.texts("sysctls"),
        ulimits=read_ulimits(node.entries_at("ulimits")),
        logging=_logging(node.find("logging")),
        resources=read_resources(node),
        shm_size=_bytes(get("shm_size")),
        pid=get("pid", default=""),
        ipc=get("ipc", default=""),
        uts=get("uts", default=""),
        userns_mode=get("userns_mode", default=""),
        cgroup=get("cgroup", default=""),
        cgroup_parent=get("cgroup_parent", default=""),
        oom_score_adj=get("oom_score_adj", default=0),
        oom_kill_disable=get("oom_kill_disable", default=False),
        mem_swappiness=_whole(get("mem_swappiness")),
        memswap_limit=_bytes(get("memswap_limit")),
        cpu_shares=get("cpu_shares", default=0),
        cpu_period=get("cpu_period", default=0),
        cpu_quota=get("cpu_quota", default=0),
        cpu_rt_period=get("cpu_rt_period", default=0),
        cpu_rt_runtime=get("cpu_rt_runtime", default=0),
        cpuset=get("cpuset", default=""),
        runtime=get("runtime", default=""),
        post_start=_hooks(node.items_at("post_start")),
        pre_stop=_hooks(node.items_at("pre_stop")),
        fresh_volumes=get("x-rollout", "anonymous_volumes") == "fresh",
    )


def hosts(node: Node) -> tuple[str, ...]:
    return tuple(sorted(each.replace("=", ":", 1) for each in node.strings("extra_hosts")))


def _command(node: Node | None) -> tuple[str, ...] | None:
    return None if node is None or node.value is None else tuple(each.value for each in node.items)


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)


def _bytes(text: str | None) -> int:
    return int(text or 0)


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


def _healthcheck(node: Node | None) -> Healthcheck | None:
    if node is None:
        return None
    if node.get("disable"):
        return Healthcheck(test=("NONE",))
    return Healthcheck(
        test=node.strings("test") or None,
        interval_s=_seconds(node.get("interval")),
        timeout_s=_seconds(node.get("timeout")),
        start_period_s=_seconds(node.get("start_period")),
        start_interval_s=_seconds(node.get("start_interval")),
        retries=node.get("retries"),
    )


def _ports(nodes: list[Node]) -> tuple[Port, ...]:
    ports = [_port(each) for each in nodes]
    ports.sort(key=lambda p: (p.target, p.protocol, p.published or (0, 0), p.host_ip))
    return tuple(ports)


def _port(node: Node) -> Port:
    first, _, last = str(node.get("published", default="")).partition("-")
    fixed = bool(first) and int(first) > 0
    return Port(
        target=node.get("target"),
        published=(int(first), int(last or first)) if fixed else None,
        protocol=node.get("protocol", default="tcp"),
        host_ip=node.get("host_ip", default=""),
        mode=node.get("mode", default="ingress"),
    )


def _logging(node: Node | None) -> Logging | None:
    if node is None:
        return None
    return Logging(driver=node.get("driver", default=""), options=node.texts("options"))


def _hooks(nodes: list[Node]) -> tuple[Hook | tuple[str, ...], ...]:
    return tuple(map(_hook, nodes))


def _hook(node: Node) -> Hook | tuple[str, ...]:
    """A command alone stays one: so its definition is what earlier versions recorded."""
    command = node.strings("command")
    hook = Hook(
        command=command,
        user=node.get("user", default=""),
        privileged=node.get("privileged", default=False),
        working_dir=node.get("working_dir", default=""),
        environment=node.texts("environment"),
    )
    return command if hook == Hook(command=command) else hook


def _links(node: Node) -> tuple[str, ...]:
    """`name:alias` for links that give another name; a service's own name is known anyway."""
    links = [each.partition(":") for each in node.strings("links")]
    outside = [each.partition(":") for each in node.strings("external_links")]
    named = [(name, alias) for name, _, alias in links if alias and alias != name]
    named += [(name, alias or name) for name, _, alias in outside]
    return tuple(f"{name}:{alias}" for name, alias in sorted(set(named)))


def _exposed(node: Node) -> tuple[str, ...]:
    """`8000-8002/udp` is three ports."""
    found: set[str] = set()
    for each in node.items_at("expose"):
        ports, _, protocol = str(each.value).partition("/")
        first, _, last = ports.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        found.update(f"{number}/{protocol or 'tcp'}" for number in numbers)
    return tuple(sorted(found))


def _volumes_from(node: Node) -> tuple[str, ...]:
    """As Compose reads them: the name of a service, or `container:NAME`; `:rw` is the default."""
    return tuple(volumes_source(each) for each in node.strings("volumes_from"))


def volumes_source(written: str) -> str:
    """`db:ro` → `service:db:ro`."""
    kind, name = "service", written
    if written.startswith("container:"):
        kind, name = "container", written[len("container:") :]
    name, _, access = name.partition(":")
    return f"{kind}:{name}{':ro' if access == 'ro' else ''}"

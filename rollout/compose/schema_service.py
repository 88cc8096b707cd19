"""The grammar of a service, one entry a key, in the order in which Compose prints them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from rollout.compose import short
from rollout.compose import values as v
from rollout.compose.grammar import (
    COMMAND,
    COUNT,
    ENVIRONMENT,
    FLAG,
    HOSTS,
    KEPT_COUNT,
    KEPT_DURATION,
    LABELS,
    LIST,
    LOG_OPTIONS,
    NUMBERS,
    ONE_OR_SET,
    OPTIONS,
    SERVERS,
    SET,
    SIZE,
    STRING,
    ULIMITS,
    UNIQUE,
    WHOLE,
    WORD,
    itself,
)
from rollout.compose.kinds import FREE, LEAVE_OUT, OUR_EXTENSION, Fields, Keyed, Many, One, Section
from rollout.compose.node import Node
from rollout.compose.schema_deploy import DEPLOY, GPU


def _target(node: Node) -> Hashable:
    return str(node.get("target", default=""))


def _path(node: Node) -> Hashable:
    return str(node.get("path", default=""))


def _port(node: Node) -> Hashable:
    address = node.get("host_ip", default="0.0.0.0")  # noqa: S104  what Compose takes none for
    protocol = node.get("protocol", default="tcp")
    return (address, node.get("published"), node.get("target"), protocol)


def _mounted(folder: str) -> Callable[[Node], Hashable]:
    def identity(node: Node) -> Hashable:
        return str(node.get("target", default=f"{folder}/{node.get('source')}"))

    return identity


def _same_driver(base: Node, over: Node) -> bool:
    """Logging options of two files are merged where they are for the same driver."""
    drivers = {base.get("driver"), over.get("driver")} - {None}
    return len(drivers) < 2


class _Keys(Keyed):
    """Printed as a list: `default`, `id=path`."""

    def show(self, node: Node) -> Any:
        keys = [
            key if each.value is None else f"{key}={each.value}"
            for key, each in sorted(node.entries.items())
        ]
        return keys or LEAVE_OUT


FILE_MOUNT = Fields(
    {
        "source": STRING,
        "target": STRING,
        "uid": STRING,
        "gid": STRING,
        "mode": One(v.file_mode, keep=True),
    },
    required=("source",),
    short=short.file_mount,
)

BUILD = Fields(
    {
        "context": STRING,
        "dockerfile": STRING,
        "dockerfile_inline": STRING,
        "entitlements": LIST,
        "args": ENVIRONMENT,
        "provenance": One(v.text),
        "sbom": One(v.text),
        "ssh": _Keys(One(v.optional_text), from_list=short.key_value),
        "labels": LABELS,
        "cache_from": LIST,
        "cache_to": LIST,
        "no_cache": FLAG,
        "no_cache_filter": ONE_OR_SET,
        "additional_contexts": LABELS,
        "pull": FLAG,
        "extra_hosts": HOSTS,
        "isolation": STRING,
        "network": STRING,
        "target": STRING,
        "secrets": Many(FILE_MOUNT),
        "shm_size": SIZE,
        "tags": SET,
        "ulimits": ULIMITS,
        "platforms": SET,
        "privileged": FLAG,
    },
    short=short.build,
)

HEALTHCHECK = Fields(
    {
        "test": Many(WORD, split=short.shell_test, replace=True),
        "timeout": KEPT_DURATION,
        "interval": KEPT_DURATION,
        "retries": KEPT_COUNT,
        "start_period": KEPT_DURATION,
        "start_interval": KEPT_DURATION,
        "disable": FLAG,
    }
)

PORT = Fields(
    {
        "name": STRING,
        "mode": One(v.one_of("ingress", "host")),
        "host_ip": One(v.ip_address),
        "target": One(v.integer(1, 65535)),
        "published": One(v.published),
        "protocol": One(v.one_of("tcp", "udp", "sctp")),
        "app_protocol": STRING,
    },
    required=("target",),
)

VOLUME = Fields(
    {
        "type": One(v.one_of("bind", "volume", "tmpfs", "npipe", "cluster", "image")),
        "source": STRING,
        "target": STRING,
        "read_only": FLAG,
        "consistency": STRING,
        "bind": Fields(
            {
                "selinux": One(v.one_of("z", "Z")),
                "propagation": STRING,
                "create_host_path": FLAG,
                "recursive": STRING,
            }
        ),
        "volume": Fields({"labels": LABELS, "nocopy": FLAG, "subpath": STRING}),
        "tmpfs": Fields({"size": One(v.whole_size, zero="0"), "mode": One(v.file_mode)}),
        "image": Fields({"subpath": STRING}),
    },
    required=("type", "target"),
    short=short.volume,
)

DEVICE = Fields(
    {"source": STRING, "target": STRING, "permissions": STRING},
    required=("source", "target"),
    short=short.device,
)

NETWORK_USE = Fields(
    {
        "priority": WHOLE,
        "gw_priority": WHOLE,
        "aliases": SET,
        "interface_name": STRING,
        "ipv4_address": One(v.ip_address),
        "ipv6_address": One(v.ip_address),
        "link_local_ips": SET,
        "mac_address": STRING,
        "driver_opts": OPTIONS,
    },
    nullable=True,
)

DEPENDENCY = Fields(
    {
        "condition": One(
            v.one_of("service_started", "service_healthy", "service_completed_successfully")
        ),
        "restart": FLAG,
        "required": One(v.boolean, keep=True),
    },
    short=short.condition,
    required=("condition",),
)

HOOK = Fields(
    {
        "command": COMMAND,
        "user": STRING,
        "privileged": FLAG,
        "working_dir": STRING,
        "environment": ENVIRONMENT,
    },
    required=("command",),
)

_DEVICE_WEIGHTS = Many(Fields({"path": STRING, "weight": COUNT}))
_DEVICE_RATES = Many(Fields({"path": STRING, "rate": SIZE}))

WATCH = Fields(
    {
        "path": STRING,
        "action": One(v.one_of("rebuild", "sync", "restart", "sync+restart", "sync+exec")),
        "target": STRING,
        "exec": Fields(HOOK.table),
        "include": ONE_OR_SET,
        "ignore": ONE_OR_SET,
        "initial_sync": FLAG,
    },
    required=("path", "action"),
)

OURS = Fields(
    {
        "progress_deadline": KEPT_DURATION,
        "anonymous_volumes": One(v.one_of("keep", "fresh")),
        "drain_timeout": FREE,
        "gate": FREE,
        "canary": FREE,
        "probe": FREE,
        "hooks": FREE,
        "prove": FREE,
        "ingress": FREE,
    },
    extensions=False,
)

SERVICE = Fields(
    {
        "profiles": SET,
        "annotations": LABELS,
        "attach": One(v.boolean, keep=True),
        "build": BUILD,
        "develop": Section({"watch": Many(WATCH)}),
        "blkio_config": Fields(
            {
                "weight": COUNT,
                "weight_device": _DEVICE_WEIGHTS,
                "device_read_bps": _DEVICE_RATES,
                "device_read_iops": _DEVICE_RATES,
                "device_write_bps": _DEVICE_RATES,
                "device_write_iops": _DEVICE_RATES,
            }
        ),
        "cap_add": SET,
        "cap_drop": SET,
        "cgroup_parent": STRING,
        "cgroup": One(v.one_of("host", "private")),
        "cpu_count": COUNT,
        "cpu_percent": One(v.single(0)),
        "cpu_period": COUNT,
        "cpu_quota": One(v.integer(-1)),
        "cpu_rt_period": COUNT,
        "cpu_rt_runtime": COUNT,
        "cpus": One(v.single(0)),
        "cpuset": STRING,
        "cpu_shares": COUNT,
        "command": COMMAND,
        "configs": Many(FILE_MOUNT, identity=_mounted("")),
        "container_name": STRING,
        "credential_spec": Fields({"config": STRING, "file": STRING, "registry": STRING}),
        "depends_on": Keyed(DEPENDENCY, from_list=short.name_only, unique=True),
        "deploy": DEPLOY,
        "device_cgroup_rules": UNIQUE,
        "devices": Many(DEVICE, identity=_target),
        "dns": SERVERS,
        "dns_opt": SET,
        "dns_search": ONE_OR_SET,
        "domainname": STRING,
        "entrypoint": COMMAND,
        "provider": FREE,
        "environment": ENVIRONMENT,
        "env_file": Many(
            Fields(
                {"path": STRING, "required": One(v.boolean, keep=True), "format": STRING},
                required=("path",),
                short=short.env_file,
            ),
            single=True,
            identity=_path,
        ),
        "expose": Many(NUMBERS, identity=itself),
        "extends": Fields(
            {"service": STRING, "file": STRING},
            required=("service",),
            short=short.extends,
            extensions=False,
        ),
        "external_links": UNIQUE,
        "extra_hosts": HOSTS,
        "group_add": Many(NUMBERS, unique=True),
        "gpus": Many(GPU, single=True, expand=short.gpu),
        "hostname": STRING,
        "healthcheck": HEALTHCHECK,
        "image": STRING,
        "init": One(v.boolean, keep=True),
        "ipc": STRING,
        "isolation": STRING,
        "labels": LABELS,
        "label_file": ONE_OR_SET,
        "links": SET,
        "logging": Fields({"driver": STRING, "options": LOG_OPTIONS}, merge=_same_driver),
        "mem_limit": SIZE,
        "mem_reservation": SIZE,
        "memswap_limit": SIZE,
        "mem_swappiness": One(v.percent, keep=True),
        "mac_address": STRING,
        "models": FREE,
        "network_mode": STRING,
        "networks": Keyed(NETWORK_USE, from_list=short.name_only, unique=True),
        "oom_kill_disable": FLAG,
        "oom_score_adj": One(v.integer(-1000, 1000)),
        "pid": STRING,
        "pids_limit": One(v.integer(-1)),
        "platform": STRING,
        "ports": Many(PORT, expand=short.ports, identity=_port),
        "pre_start": FREE,
        "privileged": FLAG,
        "pull_policy": One(v.pull_policy),
        "read_only": FLAG,
        "restart": One(v.restart),
        "runtime": STRING,
        "scale": KEPT_COUNT,
        "secrets": Many(FILE_MOUNT, identity=_mounted("/run/secrets")),
        "security_opt": UNIQUE,
        "shm_size": SIZE,
        "stdin_open": FLAG,
        "stop_grace_period": KEPT_DURATION,
        "stop_signal": STRING,
        "storage_opt": OPTIONS,
        "sysctls": LABELS,
        "tmpfs": ONE_OR_SET,
        "tty": FLAG,
        "ulimits": ULIMITS,
        "use_api_socket": FLAG,
        "user": STRING,
        "userns_mode": STRING,
        "uts": STRING,
        "volumes": Many(VOLUME, identity=_target),
        "volumes_from": UNIQUE,
        "working_dir": STRING,
        "post_start": Many(HOOK),
        "pre_stop": Many(HOOK),
        OUR_EXTENSION: OURS,
    }
)

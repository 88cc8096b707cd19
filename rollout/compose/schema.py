"""The Compose file's grammar, one entry a key, in the order in which Compose prints them.

Kinds come from kinds.py, single values from values.py, short forms from short.py.  Whether this
engine can do what a key asks for is not said here but in support.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from functools import partial

from rollout.compose import short
from rollout.compose import values as v
from rollout.compose.kinds import FREE, OUR_EXTENSION, Fields, Keyed, Kind, Many, One
from rollout.compose.node import Node
from rollout.compose.words import split

_NAME = re.compile(r"[a-zA-Z0-9._-]+")


def _name(key: str) -> str:
    return "" if _NAME.fullmatch(key) else "a name has letters, digits and . _ - only"


def _itself(node: Node) -> Hashable:
    return str(node.value)


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


def _both_pairs(base: Node, over: Node) -> bool:
    return "single" not in base.entries and "single" not in over.entries


STRING, FLAG = One(v.string), One(v.boolean)
WORD = One(v.string, keep=True)
"""In a list: printed though it is empty."""
COUNT, WHOLE = One(v.integer(0)), One(v.integer())
KEPT_COUNT = One(v.integer(0), keep=True)
DURATION, KEPT_DURATION = One(v.duration, zero="0s"), One(v.duration, keep=True)
SIZE, TEXT_SIZE = One(v.size_or_number, zero="0"), One(v.size, zero="0")
LIST = Many(WORD)
SET = Many(WORD, identity=_itself)
ONE_OR_SET = Many(WORD, single=True, identity=_itself)
LABELS = Keyed(One(v.text, keep=True), from_list=short.key_value)
ENVIRONMENT = Keyed(One(v.optional_text, keep=True), from_list=short.key_value)
OPTIONS = Keyed(One(v.string_or_number, keep=True))
COMMAND = Many(WORD, split=split, replace=True, keep=True, nullable=True)
HOSTS = Many(One(short.host), from_map=short.hosts, identity=_itself, ordered=True)

ULIMITS = Keyed(
    Fields(
        {"single": WHOLE, "soft": One(v.integer(), keep=True), "hard": One(v.integer(), keep=True)},
        short=short.ulimit,
        merge=_both_pairs,
    )
)


def _cadence(failure_action: v.Parse) -> Fields:
    return Fields(
        {
            "parallelism": KEPT_COUNT,
            "delay": DURATION,
            "failure_action": One(failure_action),
            "monitor": DURATION,
            "max_failure_ratio": One(v.number(0, 1)),
            "order": One(v.one_of("start-first", "stop-first")),
        }
    )


_REQUEST: dict[str, Kind] = {
    "capabilities": SET,
    "driver": STRING,
    "count": One(v.device_count),
    "device_ids": SET,
    "options": LABELS,
}
DEVICE_REQUEST = Fields(_REQUEST, required=("capabilities",), short=short.device_request)
GPU = Fields(_REQUEST, short=short.device_request)

DEPLOY = Fields(
    {
        "mode": One(v.one_of("replicated", "global", "replicated-job", "global-job")),
        "replicas": KEPT_COUNT,
        "labels": LABELS,
        "update_config": _cadence(v.one_of("pause", "continue", "rollback")),
        "rollback_config": _cadence(v.rollback_action),
        "resources": Fields(
            {
                "limits": Fields(
                    {"cpus": One(v.number(0)), "memory": TEXT_SIZE, "pids": One(v.integer(-1))}
                ),
                "reservations": Fields(
                    {
                        "cpus": One(v.number(0)),
                        "memory": TEXT_SIZE,
                        "devices": Many(DEVICE_REQUEST),
                        "generic_resources": Many(FREE),
                    }
                ),
            },
            keep=False,
        ),
        "restart_policy": Fields(
            {
                "condition": One(v.one_of("none", "on-failure", "any", "always", "unless-stopped")),
                "delay": KEPT_DURATION,
                "max_attempts": KEPT_COUNT,
                "window": KEPT_DURATION,
            }
        ),
        "placement": Fields(
            {
                "constraints": LIST,
                "preferences": Many(Fields({"spread": STRING})),
                "max_replicas_per_node": COUNT,
            },
            keep=False,
        ),
        "endpoint_mode": STRING,
    }
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
        "ssh": ENVIRONMENT,
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
        "secrets": Many(FREE),
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
        "tmpfs": Fields({"size": SIZE, "mode": One(v.file_mode)}),
        "image": Fields({"subpath": STRING}),
    },
    required=("type",),
    short=short.volume,
)

DEVICE = Fields(
    {"source": STRING, "target": STRING, "permissions": STRING},
    required=("source",),
    short=short.device,
)

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

NETWORK_USE = Fields(
    {
        "aliases": SET,
        "driver_opts": OPTIONS,
        "gw_priority": WHOLE,
        "interface_name": STRING,
        "ipv4_address": One(v.ip_address),
        "ipv6_address": One(v.ip_address),
        "link_local_ips": SET,
        "mac_address": STRING,
        "priority": WHOLE,
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

_DEVICE_RATES = Many(FREE)

OURS = Fields(
    {
        "progress_deadline": KEPT_DURATION,
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
        "develop": FREE,
        "blkio_config": Fields(
            {
                "weight": COUNT,
                "weight_device": _DEVICE_RATES,
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
        "cpu_percent": One(v.number(0)),
        "cpu_period": COUNT,
        "cpu_quota": One(v.integer(-1)),
        "cpu_rt_period": COUNT,
        "cpu_rt_runtime": COUNT,
        "cpus": One(v.number(0)),
        "cpuset": STRING,
        "cpu_shares": COUNT,
        "command": COMMAND,
        "configs": Many(FILE_MOUNT, identity=_mounted("")),
        "container_name": STRING,
        "credential_spec": Fields({"config": STRING, "file": STRING, "registry": STRING}),
        "depends_on": Keyed(DEPENDENCY, from_list=short.name_only),
        "deploy": DEPLOY,
        "device_cgroup_rules": SET,
        "devices": Many(DEVICE, identity=_target),
        "dns": ONE_OR_SET,
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
        "expose": Many(One(v.string_or_number), identity=_itself),
        "extends": FREE,
        "external_links": LIST,
        "extra_hosts": HOSTS,
        "group_add": Many(One(v.string_or_number)),
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
        "logging": Fields({"driver": STRING, "options": OPTIONS}, merge=_same_driver),
        "mem_limit": SIZE,
        "mem_reservation": SIZE,
        "memswap_limit": SIZE,
        "mem_swappiness": One(v.integer(0, 100), keep=True),
        "mac_address": STRING,
        "models": FREE,
        "network_mode": STRING,
        "networks": Keyed(NETWORK_USE, from_list=short.name_only),
        "oom_kill_disable": FLAG,
        "oom_score_adj": One(v.integer(-1000, 1000)),
        "pid": STRING,
        "pids_limit": One(v.integer(-1)),
        "platform": STRING,
        "ports": Many(PORT, expand=short.ports, identity=_port),
        "pre_start": FREE,
        "privileged": FLAG,
        "pull_policy": STRING,
        "read_only": FLAG,
        "restart": STRING,
        "runtime": STRING,
        "scale": KEPT_COUNT,
        "secrets": Many(FILE_MOUNT, identity=_mounted("/run/secrets")),
        "security_opt": LIST,
        "shm_size": SIZE,
        "stdin_open": FLAG,
        "stop_grace_period": KEPT_DURATION,
        "stop_signal": STRING,
        "storage_opt": FREE,
        "sysctls": LABELS,
        "tmpfs": ONE_OR_SET,
        "tty": FLAG,
        "ulimits": ULIMITS,
        "use_api_socket": FLAG,
        "user": STRING,
        "userns_mode": STRING,
        "uts": STRING,
        "volumes": Many(VOLUME, identity=_target),
        "volumes_from": SET,
        "working_dir": STRING,
        "post_start": Many(HOOK),
        "pre_stop": Many(HOOK),
        OUR_EXTENSION: OURS,
    }
)

_named = partial(Keyed, known=_name)
_resource = partial(Fields, short=short.external, nullable=True)

NETWORK = _resource(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "ipam": Fields(
            {
                "driver": STRING,
                "config": Many(
                    Fields(
                        {
                            "subnet": STRING,
                            "gateway": STRING,
                            "ip_range": STRING,
                            "aux_addresses": LABELS,
                        }
                    )
                ),
                "options": LABELS,
            },
            keep=False,
        ),
        "external": FLAG,
        "internal": FLAG,
        "attachable": FLAG,
        "labels": LABELS,
        "enable_ipv4": One(v.boolean, keep=True),
        "enable_ipv6": One(v.boolean, keep=True),
    }
)

NAMED_VOLUME = _resource(
    {
        "name": STRING,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "external": FLAG,
        "labels": LABELS,
    }
)

FILE = _resource(
    {
        "name": STRING,
        "file": STRING,
        "environment": STRING,
        "content": STRING,
        "external": FLAG,
        "labels": LABELS,
        "driver": STRING,
        "driver_opts": OPTIONS,
        "template_driver": STRING,
    }
)

ROOT = Fields(
    {
        "version": One(v.anything),
        "name": STRING,
        "include": FREE,
        "services": _named(SERVICE),
        "networks": _named(NETWORK),
        "volumes": _named(NAMED_VOLUME),
        "secrets": _named(FILE),
        "configs": _named(FILE),
        "models": FREE,
    }
)

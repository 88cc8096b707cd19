"""The keys of a Compose file by what becomes of them, and the README's table of that.

`python -m tests.keys.honoured` writes the table.
"""

from __future__ import annotations

from pathlib import Path

from rollout.compose.support import (
    IGNORED,
    IGNORED_BELOW,
    IGNORED_RESOURCES,
    REFUSED,
    REFUSED_RESOURCES,
)

README = Path(__file__).parent.parent.parent / "README.md"
BEGIN, END = (
    "<!-- keys: `python -m tests.keys.honoured` writes this table -->",
    "<!-- end of keys -->",
)

HONOURED = (
    (
        (
            "command entrypoint environment env_file user group_add working_dir hostname domainname"
            " tty stdin_open init read_only privileged labels label_file annotations stop_signal"
            " stop_grace_period healthcheck"
        ),
        "of the container, as Compose sets them",
    ),
    (
        "image pull_policy platform",
        "pinned by digest when recorded, pulled before anything is touched",
    ),
    ("build", "for `rollout build` and `push`"),
    (
        "deploy",
        (
            "`replicas` `mode` `update_config` `rollback_config` `restart_policy` `labels`"
            " `placement.constraints` and `max_replicas_per_node` as Swarm means them; `resources`"
            " limits set, reservations checked against the host"
        ),
    ),
    ("scale", "as `deploy.replicas`"),
    (
        "restart",
        (
            "as the condition of `deploy.restart_policy`, which is Docker's own policy once a task"
            " was watched"
        ),
    ),
    (
        "ports expose",
        "a fixed port is one task's; of a range each slot has its own",
    ),
    (
        "networks network_mode links external_links mac_address dns dns_search dns_opt extra_hosts",
        (
            "networks are made where missing, `overlay` as a bridge; a task is known by its"
            " service's name, `tasks.<service>`, `<stack>_<service>` and its aliases"
        ),
    ),
    (
        "volumes tmpfs volumes_from",
        (
            "made where missing; those without a name go from task to task in their slot. See"
            " [Your data](#your-data)"
        ),
    ),
    (
        "configs secrets",
        (
            "put in before the start with uid, gid and mode, on a remote engine too; from `file`,"
            " `environment` or `content`; another content is another definition; `external` is"
            " refused"
        ),
    ),
    (
        (
            "cpus cpu_shares cpu_quota cpu_period cpu_rt_runtime cpu_rt_period cpuset mem_limit"
            " mem_reservation memswap_limit mem_swappiness pids_limit shm_size oom_kill_disable"
            " oom_score_adj ulimits blkio_config storage_opt"
        ),
        "as the engine and its kernel take them; what an engine is too old for is said",
    ),
    (
        (
            "cap_add cap_drop security_opt sysctls devices device_cgroup_rules gpus userns_mode pid"
            " ipc uts cgroup cgroup_parent runtime isolation"
        ),
        (
            "as Compose sets them; `service:NAME` is that service's task: whoever shares something"
            " with it is replaced after it"
        ),
    ),
    ("logging", "as Compose sets it; `rollout logs` needs a driver that can be read"),
    (
        "depends_on",
        (
            "conditions are waited for, by updates too; with `restart: true` a service is replaced"
            " after each update of that one; removal goes the other way round"
        ),
    ),
    ("post_start pre_stop", "run in each task"),
    ("container_name", "for one replica; it goes from task to task"),
    ("extends profiles", "as Compose reads them"),
)
"""Keys of a service, and how."""


def table() -> str:
    rows = [(f"`{keys.replace(' ', '` `')}`", how) for keys, how in HONOURED]
    below = [f"{key}.{each}" for key, names in IGNORED_BELOW.items() for each in names]
    resources = [f"{kind}.{key}" for kind, keys in IGNORED_RESOURCES.items() for key in keys]
    ignored = [*IGNORED, "deploy.endpoint_mode", *below, *resources]
    rows.append((_listed(ignored), "named in one warning, as nothing becomes another thing by it"))
    refused = [key for key in REFUSED if not key.startswith("x-")]
    refused += [f"{kind}.{key}" for kind, keys in REFUSED_RESOURCES.items() for key in keys]
    rows.append((_listed(refused), "refused, with the reason"))
    lines = [f"| {keys} | {how} |" for keys, how in rows]
    return "\n".join((BEGIN, "| key | what becomes of it |", "|---|---|", *lines, END))


def _listed(keys: list[str]) -> str:
    return " ".join(f"`{key}`" for key in sorted(keys))


def main() -> None:
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    README.write_text(before + table() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()

"""What a service is: everything a user can ask for, with Swarm's defaults.

A `TaskSpec` is what a container is made from: where two differ, the task is replaced.  A
`ServiceSpec` adds what can change without touching a task: replicas, cadence, service labels.
Durations are seconds, sizes are bytes.  `None` means that nothing was said and the image or the
engine decides.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class FailureAction(StrEnum):
    PAUSE = "pause"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class Order(StrEnum):
    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


class RestartCondition(StrEnum):
    NONE = "none"
    ON_FAILURE = "on-failure"
    ANY = "any"


class Mode(StrEnum):
    REPLICATED = "replicated"
    GLOBAL = "global"


DEFAULT_MONITOR_S = 5.0
"""Swarm's, when 0 or nothing is given."""


class UpdateConfig(Struct, frozen=True, kw_only=True):
    """`deploy.update_config` and `deploy.rollback_config`."""

    parallelism: int = 1
    """Slots replaced together; 0 means all."""
    delay_s: float = 0.0
    failure_action: FailureAction = FailureAction.PAUSE
    monitor_s: float = 5.0
    """How long after running a task's end still counts as a failure of the update.  0 means 5 s."""
    max_failure_ratio: float = 0.0
    order: Order = Order.STOP_FIRST


class RestartPolicy(Struct, frozen=True, kw_only=True):
    """`deploy.restart_policy`."""

    condition: RestartCondition = RestartCondition.ANY
    delay_s: float = 5.0
    max_attempts: int = 0
    """0 means no limit."""
    window_s: float = 0.0


class Healthcheck(Struct, frozen=True, kw_only=True):
    """`test` is None where the image's own is kept; `("NONE",)` turns it off."""

    test: tuple[str, ...] | None = None
    interval_s: float | None = None
    timeout_s: float | None = None
    start_period_s: float | None = None
    start_interval_s: float | None = None
    retries: int | None = None


class Port(Struct, frozen=True, kw_only=True):
    """A published port.  `published` is None for one the engine picks, else first and last port:
    a range gives each slot one of its own.
    """

    target: int
    published: tuple[int, int] | None = None
    protocol: str = "tcp"
    host_ip: str = ""
    mode: str = "ingress"


class Mount(Struct, frozen=True, kw_only=True):
    """`source` is a volume's name on the engine, a path on its host, or empty (anonymous,
    tmpfs)."""

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    propagation: str = ""
    create_host_path: bool = True
    no_copy: bool = False
    subpath: str = ""
    recursive: str = ""
    """`disabled`, `writable` or `readonly`: how the mounts below a bind come along."""
    labels: dict[str, str] = {}
    """Of an anonymous volume."""
    tmpfs_size: int | None = None
    tmpfs_mode: int | None = None
    tmpfs_options: tuple[str, ...] = ()
    """What else is said to the kernel: `exec`, `uid=7`."""
    selinux: str = ""
    consistency: str = ""


class FileMount(Struct, frozen=True, kw_only=True):
    """A config or a secret: its content is in the ledger under `digest`, never in the spec."""

    kind: str
    """`config` or `secret`"""
    source: str
    target: str
    digest: str
    uid: str = "0"
    gid: str = "0"
    mode: int = 0o444


class NetworkAttachment(Struct, frozen=True, kw_only=True):
    """`name` is the network's name on the engine."""

    name: str
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    driver_opts: dict[str, str] = {}
    priority: int = 0


class Ulimit(Struct, frozen=True, kw_only=True):
    soft: int
    hard: int


class Logging(Struct, frozen=True, kw_only=True):
    driver: str = ""
    options: dict[str, str] = {}


class Device(Struct, frozen=True, kw_only=True):
    source: str
    target: str
    permissions: str = "rwm"


class DeviceRequest(Struct, frozen=True, kw_only=True):
    """GPUs and the like, which the engine picks.  `count` -1 means all there are."""

    capabilities: tuple[str, ...] = ()
    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = ()
    options: dict[str, str] = {}


class BlockIO(Struct, frozen=True, kw_only=True):
    """`blkio_config`: weights of 10 to 1000, and rates by device path, in bytes or operations a
    second."""

    weight: int = 0
    weight_device: dict[str, int] = {}
    read_bps: dict[str, int] = {}
    read_iops: dict[str, int] = {}
    write_bps: dict[str, int] = {}
    write_iops: dict[str, int] = {}


class Hook(Struct, frozen=True, kw_only=True):
    """A command run in a task that runs, with more said than its words."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: dict[str, str | None] = {}


class Resources(Struct, frozen=True, kw_only=True):
    """CPUs are nano-CPUs, memory is bytes; 0 means nothing was said."""

    cpu_limit: int = 0
    memory_limit: int = 0
    pids_limit: int = 0
    cpu_reservation: int = 0
    memory_reservation: int = 0


class TaskSpec(Struct, frozen=True, kw_only=True):
    """What one container is made from."""

    image: str
    """The reference, with `@sha256:…` once a registry has said which one it is."""
    image_id: str = ""
    """The local image's id, where no registry knows the image."""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: dict[str, str | None] = {}
    """None: named without a value anywhere, so unset in the container."""
    labels: dict[str, str] = {}
    hostname: str = ""
    domainname: str = ""
    container_name: str = ""
    """What a task's container is called from its start on; one slot only."""
    user: str = ""
    groups: tuple[str, ...] = ()
    working_dir: str = ""
    tty: bool = False
    stdin_open: bool = False
    init: bool | None = None
    read_only: bool = False
    privileged: bool = False
    platform: str = ""
    pull_policy: str = ""
    stop_signal: str = ""
    stop_grace_s: float = 10.0
    healthcheck: Healthcheck | None = None
    restart: RestartPolicy = RestartPolicy()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    files: tuple[FileMount, ...] = ()
    networks: tuple[NetworkAttachment, ...] = ()
    network_mode: str = ""
    """`host`, `none`, `service:NAME` or `container:NAME` instead of networks."""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    """`host:ip` each."""
    links: tuple[str, ...] = ()
    """`name:alias` each: another name for a service or a container on the same network."""
    expose: tuple[str, ...] = ()
    """`80/tcp` each: ports that other tasks may reach, and that nothing publishes."""
    annotations: dict[str, str] = {}
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()
    block_io: BlockIO | None = None
    storage_opt: dict[str, str] = {}
    volumes_from: tuple[str, ...] = ()
    """`service:NAME` or `container:NAME`, with `:ro` where they are read only."""
    sysctls: dict[str, str] = {}
    ulimits: dict[str, Ulimit] = {}
    logging: Logging | None = None
    resources: Resources = Resources()
    shm_size: int = 0
    pid: str = ""
    ipc: str = ""
    uts: str = ""
    userns_mode: str = ""
    cgroup: str = ""
    cgroup_parent: str = ""
    oom_score_adj: int = 0
    oom_kill_disable: bool = False
    mem_swappiness: int | None = None
    memswap_limit: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    """Microseconds, as the three that follow."""
    cpu_quota: int = 0
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    cpuset: str = ""
    runtime: str = ""
    post_start: tuple[Hook | tuple[str, ...], ...] = ()
    """A hook that is nothing but a command is that command."""
    pre_stop: tuple[Hook | tuple[str, ...], ...] = ()
    fresh_volumes: bool = False
    """Volumes without a name hold nothing worth keeping: each task has its own, which go with
    it."""
    force: int = 0
    """Counted up by `update --force`, so that every task is out of date."""


class Network(Struct, frozen=True, kw_only=True):
    """A network the stack uses.  `name` is its name on the engine, `key` the one in the file."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: dict[str, str] = {}
    internal: bool = False
    attachable: bool = False
    enable_ipv6: bool = False
    enable_ipv4: bool = True
    ipam_driver: str = ""
    ipam_options: dict[str, str] = {}
    subnets: tuple[dict[str, str | dict[str, str]], ...] = ()
    """Each with `subnet`, `gateway`, `ip_range` and `aux_addresses` (host → address) where
    said."""
    labels: dict[str, str] = {}


class Volume(Struct, frozen=True, kw_only=True):
    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: dict[str, str] = {}
    labels: dict[str, str] = {}


class ServiceSpec(Struct, frozen=True, kw_only=True):
    """One service of a stack.  All a rollback needs is in here: no file is read again."""

    name: str
    """The name in the file; on the engine it is `<stack>_<name>`."""
    task: TaskSpec
    mode: Mode = Mode.REPLICATED
    replicas: int = 1
    labels: dict[str, str] = {}
    """`deploy.labels`: the service's, not the containers'."""
    update: UpdateConfig = UpdateConfig()
    rollback: UpdateConfig = UpdateConfig()
    progress_deadline_s: float = 600.0
    """How long one batch may take to become running before it has failed; 0: as long as it
    takes."""
    networks: tuple[Network, ...] = ()
    volumes: tuple[Volume, ...] = ()
    depends_on: dict[str, str] = {}
    """Service name → condition."""
    restarts_with: tuple[str, ...] = ()
    """Services that it depends on with `restart: true`: it is replaced after each of their
    updates."""
    completes: bool = False
    """Others wait for it to complete: a task that exits 0 has done what it is for."""
    restart_said: bool = False
    """The definition says itself that what ends is started again, whatever its exit code; where it
    does not, and the condition is `any`, that is only the default."""
    constraints: tuple[str, ...] = ()
    """`node.hostname==web1` and the like: where tasks may run."""
    max_per_node: int = 0
    """How many tasks a host may have; 0: any number."""
    image: str = ""
    """The image as the file or the flag wrote it, before it was resolved."""

    @property
    def slots(self) -> int:
        """How many slots the service has: one per host in global mode, and there is one host."""
        return 1 if self.mode is Mode.GLOBAL else self.replicas

"""A task as the engine shows it: one container in one slot, with its times.

Times are epoch seconds on the engine's clock.  Nothing here is remembered by us: each field is read
from the container, so that any controller sees the same.
"""

from __future__ import annotations

from msgspec import Struct

from rollout.model.state import ContainerStatus, Health, TaskState

RESTARTED_LATELY_S = 60.0
"""The longest pause that Docker makes between two restarts."""


class Task(Struct, frozen=True, kw_only=True):
    id: str
    """Our own id of the task, the last part of the container's name."""
    container_id: str
    name: str
    stack: str
    service: str
    """The service's name within the stack."""
    slot: int
    revision: int
    """The revision it was made for; 0 for a container that Compose made."""
    digest: str
    """Of the TaskSpec it was made from; empty for a container that Compose made."""
    image: str
    status: ContainerStatus
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    has_healthcheck: bool = False
    health: Health = Health.NONE
    running_since: float | None = None
    """When it was first seen to run well: its start, or with a healthcheck its first success."""
    unhealthy_since: float | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    """What the engine says of a failed start, or the last health probe's output."""
    restarts: int = 0
    """By Docker's own restart policy, which is set only after the monitor window."""
    last_exit: int | None = None
    """Of the run before, where Docker has brought it back and says how it had ended."""
    last_ended_at: float | None = None
    """When the run before ended; where Docker has brought it back."""
    probe: str = ""
    """What its last failed health probe said, while it is up and not healthy."""
    armed: bool = False
    """Whether Docker's restart policy is set: the sign that it has passed its monitor window."""
    stop_grace_s: float = 10.0
    stop_signal: str = ""
    stop_ends_at: float | None = None
    """It was asked to end, by whoever, and is up still: by then it is down, or will not be."""
    down_at: float | None = None
    """When its process ended last, also where it runs again."""
    namespaces_of: tuple[str, ...] = ()
    """The containers whose network, pid or ipc namespace it is in."""
    volumes_of: tuple[str, ...] = ()
    """The containers whose volumes it has mounted (`volumes_from`)."""
    ports: tuple[str, ...] = ()
    """As `docker ps` writes them: `0.0.0.0:8000->80/tcp`."""
    spec: str = ""
    """The label with the service's definition, JSON; what a lost ledger is rebuilt from."""

    @property
    def alive(self) -> bool:
        """A process of it runs, well or not."""
        return self.status in _ALIVE

    @property
    def prepared(self) -> bool:
        """Created and never started: Swarm's READY."""
        return self.status is ContainerStatus.CREATED and not self.error

    @property
    def ended(self) -> bool:
        return self.status in (ContainerStatus.EXITED, ContainerStatus.DEAD) or (
            self.status is ContainerStatus.CREATED and bool(self.error)
        )

    @property
    def removing(self) -> bool:
        """Somebody removes it, and the engine has not done so yet."""
        return self.status is ContainerStatus.REMOVING

    @property
    def running(self) -> bool:
        """Swarm's RUNNING: the process runs and, where there is a healthcheck, it is healthy."""
        return self.status is ContainerStatus.RUNNING and (
            not self.has_healthcheck or self.health is Health.HEALTHY
        )

    def restarting(self, now: float) -> bool:
        """Docker is bringing it back, or has done so less than a minute ago: that it is up at this
        moment does not say that it runs."""
        if self.status is ContainerStatus.RESTARTING:
            return True
        lately = self.started_at is not None and now - self.started_at < RESTARTED_LATELY_S
        return self.alive and self.restarts > 0 and lately

    @property
    def unhealthy(self) -> bool:
        return self.alive and self.health is Health.UNHEALTHY


_ALIVE = frozenset({ContainerStatus.RUNNING, ContainerStatus.PAUSED, ContainerStatus.RESTARTING})


def describe_restarts(task: Task) -> str:
    """`restarted 12 times by Docker, last exit 1`"""
    times = "once" if task.restarts == 1 else f"{task.restarts} times"
    last = "" if task.last_exit is None else f", last exit {task.last_exit}"
    return f"restarted {times} by Docker{last}"


def state_of(task: Task, *, replaced_at: float | None) -> TaskState:
    """Swarm's state of a task; `replaced_at` is when the next task of its slot was created.

    A container does not say who ended it.  One that ended after its successor had been made was
    stopped for it (shutdown); one that ended before was not (failed, or complete with exit code 0;
    never complete when it was unhealthy, whatever its exit code).
    """
    if task.prepared:
        return TaskState.READY
    if task.status is ContainerStatus.CREATED:
        return TaskState.FAILED
    if task.alive:
        return TaskState.RUNNING if task.running else TaskState.STARTING
    if replaced_at is not None and (task.finished_at or 0.0) >= replaced_at:
        return TaskState.SHUTDOWN
    well = task.exit_code == 0 and task.unhealthy_since is None
    return TaskState.COMPLETE if well else TaskState.FAILED

"""States and reasons, in Swarm's spelling."""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is.  Members are declared in the order in which a task passes them."""

    NEW = "new"
    PENDING = "pending"
    PREPARING = "preparing"
    READY = "ready"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETE = "complete"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    REJECTED = "rejected"


class ContainerStatus(StrEnum):
    """The engine's own word for a container."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Health(StrEnum):
    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class UpdateState(StrEnum):
    """A service's update, as `docker service inspect` says it."""

    UPDATING = "updating"
    PAUSED = "paused"
    COMPLETED = "completed"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_PAUSED = "rollback_paused"
    ROLLBACK_COMPLETED = "rollback_completed"


class Cause(StrEnum):
    """What made a revision."""

    DEPLOY = "deploy"
    UPDATE = "update"
    SCALE = "scale"
    ROLLBACK = "rollback"
    AUTO_ROLLBACK = "auto-rollback"
    ADOPTED = "adopted"
    """What something else (Compose) ran before the first change."""
    REBUILT = "rebuilt"
    """The ledger had lost it, and the containers' labels brought it back."""


class Proof(StrEnum):
    """What a completed mark says of the tasks, as its reason; older versions say nothing."""

    PROVED = "proved"
    """Each slot's task had run for `monitor` since its last start."""
    UNPROVED = "unproved"
    """There were none, or some did not run."""


class MarkKind(StrEnum):
    """What the ledger notes about a revision after it was recorded."""

    PAUSED = "paused"
    RESUMED = "resumed"
    COMPLETED = "completed"
    FAILED = "failed"
    """A first deployment, or new slots only, that did not become stable: nothing to go back to."""


ENDED_BADLY = (MarkKind.PAUSED, MarkKind.FAILED)
"""Ends after which the same may be asked for again: what had failed is then tried anew."""

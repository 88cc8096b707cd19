"""Names and labels on the engine: an outward contract, read by other tools too.

A container is `<stack>_<service>.<slot>.<task id>`.  A ledger record is a volume that holds nothing
but labels: `rollout.<stack>_<service>.r<N>` for a revision, `….r<N>.m<K>` for its marks,
`rollout.<stack>.lease.<N>` for the lease, `rollout.<stack>.file.<digest>` for a config or secret,
`rollout.<stack>.removal` for a removal under way, `….removal.<service>` for that of one service.
"""

from __future__ import annotations

import re
import secrets

STACK = "rollout.stack"
SERVICE = "rollout.service"
SLOT = "rollout.slot"
REVISION = "rollout.revision"
TASK = "rollout.task"
SPEC = "rollout.spec"
RECORD = "rollout.record"
"""Kind of a ledger record: revision, mark, lease, file or removal."""
VOLUME = "rollout.volume"
"""On a volume without a name: where the tasks of its slot mount it."""

COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_NUMBER = "com.docker.compose.container-number"
COMPOSE_ONEOFF = "com.docker.compose.oneoff"
COMPOSE_NETWORK = "com.docker.compose.network"
COMPOSE_VOLUME = "com.docker.compose.volume"

MAX_NUMBER = 10**9
"""Of revisions and marks: what says more was not written by us."""
MAX_SLOT = 10**6

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_TASK_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def is_stack_name(name: str) -> bool:
    """Compose's rule for project names."""
    return len(name) <= 63 and _NAME.fullmatch(name) is not None


def is_service_name(name: str) -> bool:
    return len(name) <= 63 and _SERVICE.fullmatch(name) is not None


def whole(text: str | None, most: int) -> int | None:
    """The number a label says, from 1 to `most`; None where it says none.

    Whoever may make containers and volumes may write labels: nothing of any length is taken for
    a number.
    """
    if not text or len(text) > len(str(most)) or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if 1 <= int(text) <= most else None


def new_task_id() -> str:
    """25 characters, as Swarm's."""
    return "".join(secrets.choice(_TASK_ID_ALPHABET) for _ in range(25))


def container_name(stack: str, service: str, slot: int, task_id: str) -> str:
    return f"{stack}_{service}.{slot}.{task_id}"


def full_name(stack: str, service: str) -> str:
    """What a user calls a service: `<stack>_<service>`."""
    return f"{stack}_{service}"


def revision_record(stack: str, service: str, number: int) -> str:
    return f"rollout.{stack}_{service}.r{number}"


def mark_record(stack: str, service: str, number: int, mark: int) -> str:
    return f"{revision_record(stack, service, number)}.m{mark}"


def lease_record(stack: str, number: int) -> str:
    return f"rollout.{stack}.lease.{number}"


def file_record(stack: str, digest: str) -> str:
    return f"rollout.{stack}.file.{digest}"


def removal_record(stack: str, service: str = "") -> str:
    """A stack's name has no dot, so that no two of them meet."""
    return f"rollout.{stack}.removal.{service}".removesuffix(".")

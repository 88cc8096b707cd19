"""Record a change to a service's newest definition, whoever else changes it at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rollout.cli.targets import ServiceTarget
from rollout.controller.session import Session
from rollout.errors import NotFoundError
from rollout.model.canonical import task_digest
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause


class Recorded(NamedTuple):
    before: ServiceSpec
    """What was changed."""
    revision: Revision
    """The newest, which asks for what was to be asked for."""
    is_new: bool


def same_tasks(spec: ServiceSpec) -> Callable[[ServiceSpec], bool]:
    """Whether a later definition asks for the same tasks still."""
    digest = task_digest(spec.task)
    return lambda newer: task_digest(newer.task) == digest


def still_changed(
    recorded: Recorded, change: Callable[[ServiceSpec], ServiceSpec]
) -> Callable[[ServiceSpec], bool]:
    """Whether what a change asked for stands in a later definition: the same tasks, or where it was
    not about tasks (a number of replicas) all that it has changed."""
    same = same_tasks(recorded.revision.spec)
    if recorded.before.task != recorded.revision.spec.task:
        return same
    return lambda newer: same(newer) or change(newer) == newer


def record_change(
    session: Session,
    target: ServiceTarget,
    change: Callable[[ServiceSpec], ServiceSpec],
    cause: Cause,
) -> Recorded:
    """The revision recorded; where `change` changes nothing, the one that there is.

    `change` is asked again with what somebody else has recorded meanwhile, so that of an update and
    a scale at the same moment neither undoes the other.  Raises NotFoundError where the service is
    gone.
    """
    newest = target.newest
    while True:
        spec = change(newest.spec)
        if spec == newest.spec:
            return Recorded(newest.spec, newest, is_new=False)
        recorded = session.ledger.record(target.stack, spec, cause, number=newest.number + 1)
        if recorded is not None:
            return Recorded(newest.spec, recorded, is_new=True)
        history = session.ledger.read(target.stack).get(target.service)
        if not history:
            raise NotFoundError(f"{target.name} was removed meanwhile, nothing was recorded")
        newest = history[-1]

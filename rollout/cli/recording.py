"""Record a change to a service's newest definition, whoever else changes it at the same time."""

from __future__ import annotations

from collections.abc import Callable

from rollout.cli.targets import ServiceTarget
from rollout.controller.session import Session
from rollout.errors import NotFoundError
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause


def record_change(
    session: Session,
    target: ServiceTarget,
    change: Callable[[ServiceSpec], ServiceSpec],
    cause: Cause,
) -> Revision | None:
    """The revision recorded; None where `change` changes nothing.

    `change` is asked again with what somebody else has recorded meanwhile, so that of an update and
    a scale at the same moment neither undoes the other.  Raises NotFoundError where the service is
    gone.
    """
    newest = target.newest
    while True:
        spec = change(newest.spec)
        if spec == newest.spec:
            return None
        recorded = session.ledger.record(target.stack, spec, cause, number=newest.number + 1)
        if recorded is not None:
            return recorded
        history = session.ledger.read(target.stack).get(target.service)
        if not history:
            raise NotFoundError(f"{target.name} was removed meanwhile, nothing was recorded")
        newest = history[-1]

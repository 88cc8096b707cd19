"""One look at a stack or a service, for the viewing commands."""

from __future__ import annotations

from rollout.cli.targets import Scope
from rollout.controller.look import look
from rollout.controller.session import Session
from rollout.model.status import ServiceStatus


def statuses(session: Session, scope: Scope) -> tuple[ServiceStatus, ...]:
    """Of every service in scope that has a revision."""
    return tuple(
        status for status in look(session, scope.stack).services if scope.covers(status.service)
    )

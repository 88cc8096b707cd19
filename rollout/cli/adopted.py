"""Taking over what `docker compose up` made, told on stderr."""

from __future__ import annotations

from rollout.cli.messages import warn
from rollout.controller.adopt import adopt, adoptable
from rollout.controller.session import Look, Session
from rollout.model.stack import Stack


def adopted(session: Session, seen: Look, wanted: Stack) -> Look:
    """A look at a stack once those services of it that Compose runs are recorded."""
    specs = {spec.name: spec for spec in wanted.services}
    services = adoptable(seen) & specs.keys()
    return adopt(session, wanted.name, services, specs, warn) if services else seen


def adopted_service(session: Session, seen: Look, stack: str, service: str) -> Look:
    """The same for one service that no file speaks of."""
    if service not in adoptable(seen):
        return seen
    return adopt(session, stack, [service], {}, warn)

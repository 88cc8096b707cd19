"""What must be true on the engine before a revision is recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rollout.cli.files import warn
from rollout.controller import feasible
from rollout.controller.session import Session
from rollout.engine.protocol import Engine
from rollout.ledger.ledger import Book
from rollout.model.labels import full_name
from rollout.model.spec import ServiceSpec


def check(
    session: Session,
    specs: Collection[ServiceSpec],
    stack: str,
    *,
    book: Book | None = None,
    going: Collection[str] = (),
) -> None:
    """Says what this engine does without.  Raises ConflictError, one line a reason, where a service
    cannot run here (see `feasible`).
    """
    feasible.check(session, specs, stack, book=book, going=going)
    warn(
        [
            f"{full_name(stack, spec.name)}: {what}"
            for spec in specs
            for what in session.engine.left_out(spec)
        ]
    )


def ensure(engine: Engine, specs: Iterable[ServiceSpec], stack: str) -> None:
    """Make the networks and volumes that services need; say what is there with other settings."""
    warn(list(dict.fromkeys(line for spec in specs for line in engine.ensure(spec, stack))))

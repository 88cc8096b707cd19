"""What must be true on the engine before a revision is recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rollout.cli.files import warn
from rollout.engine.protocol import Engine
from rollout.errors import ConflictError
from rollout.model.labels import full_name
from rollout.model.spec import ServiceSpec


def check(engine: Engine, specs: Collection[ServiceSpec], stack: str) -> None:
    """Says what this engine does without.  Raises ConflictError, one line a reason, where a service
    cannot run here.
    """
    reasons = [
        f"{full_name(stack, spec.name)}: {reason}"
        for spec in specs
        for reason in engine.check(spec, stack)
    ]
    if reasons:
        raise ConflictError("\n".join(reasons))
    warn(
        [
            f"{full_name(stack, spec.name)}: {what}"
            for spec in specs
            for what in engine.left_out(spec)
        ]
    )


def ensure(engine: Engine, specs: Iterable[ServiceSpec], stack: str) -> None:
    """Make the networks and volumes that services need; say what is there with other settings."""
    warn(list(dict.fromkeys(line for spec in specs for line in engine.ensure(spec, stack))))

"""A revision: one recorded definition of a service, and what became of it.

The revision itself never changes once written.  What happens to it later (paused, resumed,
completed …) is written beside it as marks, numbered, each once: the last mark says where it stands.
"""

from __future__ import annotations

from msgspec import Struct

from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind


class Mark(Struct, frozen=True, kw_only=True):
    number: int
    kind: MarkKind
    message: str = ""
    at: float = 0.0
    """Epoch seconds on the engine's clock."""
    by: str = ""
    reason: str = ""
    """For machines: `failure`, `deadline`, `request`; of a completed mark see `Proof`."""


class Revision(Struct, frozen=True, kw_only=True):
    stack: str
    service: str
    number: int
    cause: Cause
    spec: ServiceSpec
    digest: str
    """Of `spec.task`: tasks with another one are out of date."""
    restores: int = 0
    """For a rollback: the revision whose definition this one repeats; else 0."""
    created_at: float = 0.0
    by: str = ""
    message: str = ""
    """Why, where there is something to say: an automatic rollback names the failed task."""
    previous_outcome: str = ""
    """How the revision before had ended when this one was recorded."""
    marks: tuple[Mark, ...] = ()

    @property
    def last_mark(self) -> MarkKind | None:
        return self.marks[-1].kind if self.marks else None

    @property
    def is_rollback(self) -> bool:
        return self.cause in (Cause.ROLLBACK, Cause.AUTO_ROLLBACK)

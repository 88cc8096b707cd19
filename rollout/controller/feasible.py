"""Whether what is about to be recorded can run here.  All commands that record something ask this,
and nothing is touched before.

It is asked about a definition as it will run: after the file, the flags and the number of replicas,
beside what the rest of the stack has and what others on the host have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from rollout.controller.session import Session
from rollout.errors import ConflictError
from rollout.ledger.ledger import Book
from rollout.model.claims import shared_with, too_many_slots
from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec, UpdateConfig
from rollout.model.state import ENDED_BADLY


def check(
    session: Session,
    specs: Collection[ServiceSpec],
    stack: str,
    *,
    book: Book | None = None,
    going: Collection[str] = (),
) -> None:
    """Raises ConflictError, one line a reason, where a service cannot run as it is asked for.

    `book`: what is recorded, where that was read already; `going`: services that are removed
    before.  What a service was asked for before, and is through with, is not asked about again: a
    number of replicas can be lowered, and a cadence changed, whatever is wrong on the host.
    """
    book = session.ledger.read(stack) if book is None else book
    newest = {name: history[-1].spec for name, history in book.items() if name not in going}
    rest = {**newest, **{spec.name: spec for spec in specs}}
    reasons = [
        f"{full_name(stack, spec.name)}: {reason}"
        for spec in specs
        if spec.slots
        for reason in _reasons(session, spec, stack, book.get(spec.name, ()), rest, going)
    ]
    if reasons:
        raise ConflictError("\n".join(dict.fromkeys(reasons)))


def _reasons(
    session: Session,
    spec: ServiceSpec,
    stack: str,
    history: tuple[Revision, ...],
    rest: Mapping[str, ServiceSpec],
    going: Collection[str],
) -> Iterator[str]:
    yield from too_many_slots(spec)
    if not _makes_tasks(spec, history):
        return
    others = [other for name, other in rest.items() if name != spec.name]
    for claim, other in shared_with(spec, others):
        yield f"{claim} is also what {full_name(stack, other)} asks for"
    # What a sibling's tasks still have, and its definition no longer asks for, is waited for.
    yield from session.engine.check(spec, stack, frozenset(rest) | frozenset(going))


def _makes_tasks(spec: ServiceSpec, history: tuple[Revision, ...]) -> bool:
    """Tasks will be made for it that nothing has shown yet to work."""
    if not history or history[-1].last_mark in ENDED_BADLY:
        return True
    before = history[-1].spec
    return spec.slots > before.slots or _of_tasks(spec) != _of_tasks(before)


def _of_tasks(spec: ServiceSpec) -> ServiceSpec:
    """What of a definition decides whether its tasks can run."""
    cadence = UpdateConfig()
    return replace(
        spec,
        replicas=0,
        labels={},
        update=cadence,
        rollback=cadence,
        progress_deadline_s=0.0,
        depends_on={},
        completes=False,
        image="",
    )

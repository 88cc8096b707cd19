"""A removal under way, as a record: put before anything is taken down, dropped when all is gone.

Whoever reads the ledger meanwhile finds no definition of what is being removed, so that nobody
builds it up again; and whoever drives the stack takes it down, should who asked for it have died.
"""

from __future__ import annotations

from msgspec import Struct

from rollout.engine.protocol import Record, Store
from rollout.errors import ConflictError
from rollout.ledger.records import MORE, REMOVAL, why_unreadable
from rollout.model import labels

_BY = "rollout.by"
_VOLUMES = "rollout.volumes"


class Removal(Struct, frozen=True, kw_only=True):
    """What of a stack is on its way out."""

    whole: bool
    """The stack itself, with whatever is in it."""
    services: frozenset[str] = frozenset()
    by: str = ""
    """Who asked for it, `user@host`."""
    volumes: frozenset[str] = frozenset()
    """Names of the volumes that go as well, with what is in them."""

    def covers(self, service: str) -> bool:
        return self.whole or service in self.services


def begin(
    store: Store,
    stack: str,
    services: frozenset[str] | None,
    by: str,
    volumes: frozenset[str] = frozenset(),
) -> None:
    """Put the record for a stack (None), or one for each service.  Safe to repeat.

    The volumes that go with a stack are in its own record.  Where that stands already, put by who
    asked for less, they are in one beside it.  Raises ConflictError where a volume that is no
    record has the name.
    """
    for service in ("",) if services is None else sorted(services):
        name = labels.removal_record(stack, service)
        entry = {labels.RECORD: REMOVAL, labels.STACK: stack, labels.SERVICE: service, _BY: by}
        if volumes:
            entry[_VOLUMES] = " ".join(sorted(volumes))
        stands = _put(store, name, entry)
        if not volumes <= _names(stands):
            _put(store, f"{name}{MORE}", entry)


def _put(store: Store, name: str, entry: dict[str, str]) -> dict[str, str]:
    record = store.put(name, entry)
    if labels.RECORD in record.labels and why_unreadable(record):
        store.drop(name)
        record = store.put(name, entry)
    stands = record.labels
    if any(stands.get(key) != entry[key] for key in (labels.RECORD, labels.STACK)):
        raise ConflictError(
            f'the name "{name}" is taken by another volume',
            hint=f"docker volume rm {name}, if nothing needs it",
        )
    return stands


def _names(entry: dict[str, str]) -> frozenset[str]:
    return frozenset(entry.get(_VOLUMES, "").split())


def removal_in(found: tuple[Record, ...]) -> Removal | None:
    """What a stack's records say is being removed; None where nothing is."""
    ours = [
        each.labels
        for each in found
        if each.labels.get(labels.RECORD) == REMOVAL and not why_unreadable(each)
    ]
    if not ours:
        return None
    services = frozenset(each.get(labels.SERVICE, "") for each in ours)
    return Removal(
        whole="" in services,
        services=services - {""},
        by=ours[0].get(_BY) or "somebody",
        volumes=frozenset().union(*map(_names, ours)),
    )

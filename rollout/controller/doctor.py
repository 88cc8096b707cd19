"""What is not as it should be on an engine, and what to do about it: a table of checks.

Each check looks at everything there is and yields findings.  Nothing is changed by looking, and
what can be removed from here is removed only by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from rollout.controller.session import Session, observe
from rollout.engine.protocol import Record, Unreadable
from rollout.errors import UsageError
from rollout.ledger.lease import newest_entry
from rollout.ledger.ledger import unreadable_in
from rollout.ledger.removal import removal_in
from rollout.model import labels
from rollout.model.labels import full_name


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that somebody should know of."""

    check: str
    kind: str
    """`volume`, `container`, `network`, `stack` or `service`."""
    name: str
    stack: str
    """Whose it is; empty where that cannot be told."""
    says: str
    advice: str
    """What to do, or to type."""
    removable: bool = False
    """`doctor --remove` takes it."""


class Seen(NamedTuple):
    """What the checks look at."""

    session: Session
    stacks: tuple[str, ...]
    records: dict[str, tuple[Record, ...]]
    """By stack."""


class Check(NamedTuple):
    name: str
    about: str
    run: Callable[[Seen], Iterator[Finding]]


def examine(session: Session) -> list[Finding]:
    """All findings, in the order of the checks."""
    stacks = session.engine.stacks()
    every = session.ledger.store.list()
    records = {
        stack: tuple(each for each in every if each.labels.get(labels.STACK) == stack)
        for stack in stacks
    }
    seen = Seen(session, stacks, records)
    return [finding for check in CHECKS for finding in check.run(seen)]


def discard(session: Session, names: Sequence[str]) -> list[Unreadable]:
    """Remove what cannot be read, by name.  Raises UsageError, and removes nothing, where a name is
    of something else."""
    stacks = session.engine.stacks()
    there = {each.name: each for each in unreadable(session, stacks)}
    for name in names:
        if name not in there:
            raise UsageError(
                f"{name} is nothing that cannot be read, and was left alone",
                hint="`rollout doctor` lists what --remove takes",
            )
    found = [there[name] for name in dict.fromkeys(names)]
    for each in found:
        if each.kind == "volume":
            session.ledger.store.drop(each.name)
        else:
            session.engine.discard(each)
    return found


def unreadable(session: Session, stacks: Sequence[str]) -> Iterator[Unreadable]:
    """Records and containers that bear our labels and cannot be what they say."""
    known = frozenset(stacks)
    told: set[str] = set()
    for each in session.engine.unreadable(None):
        told.add(each.name)
        yield each
    for stack in sorted(known.union(session.engine.projects())):
        yield from (each for each in session.engine.unreadable(stack) if each.name not in told)
    yield from (
        each for each in unreadable_in(session.ledger.store.list()) if each.name not in told
    )


def _unreadable(seen: Seen) -> Iterator[Finding]:
    for each in unreadable(seen.session, seen.stacks):
        newer = ", or read it with the version that wrote it" if each.kind == "volume" else ""
        yield Finding(
            check="unreadable",
            kind=each.kind,
            name=each.name,
            stack=each.stack,
            says=f"cannot be read: {each.why}",
            advice=f"rollout doctor --remove {each.name}{newer}",
            removable=True,
        )


def _unknown(seen: Seen) -> Iterator[Finding]:
    for stack in seen.stacks:
        for service in sorted(observe(seen.session, stack).unknown):
            yield Finding(
                check="unknown",
                kind="service",
                name=full_name(stack, service),
                stack=stack,
                says="runs a newer revision than any that can be read, and is left alone",
                advice="use the version that recorded it, or deploy the file again",
            )


def _removals(seen: Seen) -> Iterator[Finding]:
    for stack, records in seen.records.items():
        removal = removal_in(records)
        if removal is not None and not _is_held(seen, records):
            what = "it" if removal.whole else ", ".join(sorted(removal.services))
            yield Finding(
                check="removals",
                kind="stack",
                name=stack,
                stack=stack,
                says=f"the removal of {what}, begun by {removal.by}, has come to no end",
                advice=f"rollout rm {stack}" if removal.whole else f"rollout status {stack} --wait",
            )


def _leases(seen: Seen) -> Iterator[Finding]:
    for stack, records in seen.records.items():
        entry = newest_entry(records)
        if entry is not None and not entry.held(seen.session.engine.now()) and not entry.released:
            yield Finding(
                check="leases",
                kind="stack",
                name=stack,
                stack=stack,
                says=f"{entry.holder} drove it and is gone",
                advice=f"rollout status {stack} --wait goes on from there",
            )


def _leftovers(seen: Seen) -> Iterator[Finding]:
    """Of stacks that have neither a definition nor a task."""
    remains = seen.session.engine.remains()
    owners = {*seen.stacks, *(each.stack for each in remains)}
    for stack in sorted(filter(labels.is_stack_name, owners)):
        records = seen.records.get(stack, ())
        bare = not seen.session.engine.observe(stack) and not seen.session.ledger.book_of(records)
        if not bare or _is_held(seen, records) or removal_in(records) is not None:
            continue
        things = [f"volume {each.name}" for each in records]
        things += [f"{each.kind} {each.name}" for each in remains if each.stack == stack]
        if things:
            yield Finding(
                check="leftovers",
                kind="stack",
                name=stack,
                stack=stack,
                says=f"nothing of it is left but {_some(things)}",
                advice=f"rollout rm {stack}",
            )


def _is_held(seen: Seen, records: tuple[Record, ...]) -> bool:
    entry = newest_entry(records)
    return entry is not None and entry.held(seen.session.engine.now())


def _some(things: Sequence[str], most: int = 3) -> str:
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more


CHECKS: tuple[Check, ...] = (
    Check("unreadable", "records and containers with our labels that cannot be read", _unreadable),
    Check("unknown", "services that run a revision which cannot be read", _unknown),
    Check("removals", "removals that were begun and have not ended", _removals),
    Check("leases", "stacks whose driver is gone", _leases),
    Check("leftovers", "what is left of stacks that have nothing else", _leftovers),
)

"""What was asked for: numbered revisions and their marks, each written once.

Numbers are taken by putting a record under the next free name: of several writers one wins, the
others see that it was not they and take the number after.  So no revision is lost, none changes.
"""

from __future__ import annotations

import base64
import secrets
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

import msgspec

from rollout.engine.protocol import Contents, OnUnreadable, Record, Store, Unreadable
from rollout.errors import ConflictError, NotFoundError
from rollout.ledger import records
from rollout.ledger.records import FILE, LEASE, MARK, REMOVAL, REVISION, TOKEN, BadRecordError
from rollout.ledger.removal import Removal, begin, removal_in
from rollout.model import labels
from rollout.model.canonical import task_digest
from rollout.model.labels import full_name
from rollout.model.revision import Mark, Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind

KEEP = 10
"""Revisions kept per service at the least."""
CONTENT_STAYS_S = 3600.0
"""How long a config or secret that no revision mounts is kept at the least."""
_CONTENT = "rollout.content"
_MOST_CONTENT = 16 * 1024 * 1024
"""Bytes of a config or secret; a few hundred of a hostile record would unpack to any number."""
_ADOPTED = "found running"

Book = dict[str, tuple[Revision, ...]]
"""Service → its revisions, oldest first, with their marks."""


def _not_told(_what: Unreadable) -> None: ...


class Ledger:
    """The ledger of one engine.  `clock` is the engine's; `by` says who writes; whoever reads a
    stack in which something cannot be read is told of that by `on_unreadable`."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        by: str,
        on_unreadable: OnUnreadable = _not_told,
    ) -> None:
        self.store = store
        self._on_unreadable = on_unreadable
        self._clock = clock
        self._by = by
        self._parsed: dict[str, dict[str, Revision]] = {}
        """Stack → what was read of it last."""

    def read(self, stack: str) -> Book:
        """What cannot be read is not in it."""
        return self.book_of(self.store.list(stack))

    def book_of(self, found: tuple[Record, ...]) -> Book:
        """The book from records read already; without services that are being removed, and without
        what cannot be read."""
        for each in unreadable_in(found):
            self._on_unreadable(each)
        removal = removal_in(found)
        marks = marks_in(found)
        revisions: dict[str, list[Revision]] = defaultdict(list)
        for revision in self._revisions(found):
            if not (removal and removal.covers(revision.service)):
                revisions[revision.service].append(revision)
        return {
            service: tuple(
                msgspec.structs.replace(each, marks=marks.get(service, {}).get(each.number, ()))
                for each in sorted(found_here, key=lambda revision: revision.number)
            )
            for service, found_here in sorted(revisions.items())
        }

    def left(self, stack: str) -> None:
        """Nobody works with this stack for now: what was read of it is forgotten."""
        self._parsed.pop(stack, None)

    def record(
        self,
        stack: str,
        spec: ServiceSpec,
        cause: Cause,
        *,
        restores: int = 0,
        message: str = "",
        number: int | None = None,
    ) -> Revision | None:
        """Record a definition as the newest revision.

        None where it is the newest already: no change, no revision; what was only found to be so
        has not been asked for yet.  With `number` it is recorded
        as that one or, where somebody was quicker, not at all (None).  Raises ConflictError while
        the service is being removed.
        """
        passed = 0
        while True:
            found = self.store.list(stack)
            _refuse_removed(removal_in(found), stack, spec.name)
            history = self.book_of(found).get(spec.name, ())
            newest = history[-1] if history else None
            last = newest.number if newest else 0
            hidden = max(hidden_in(found).get(spec.name, {0}))
            is_same = newest is not None and newest.spec == spec and hidden <= last
            if is_same and newest is not None and newest.cause is not Cause.ADOPTED:
                return None
            if number is not None and number != last + 1:
                return None
            # A number that was lost may have left its marks, one that cannot be read its record:
            # it is not used again.
            wanted = max((last, hidden, passed, *marks_in(found).get(spec.name, ()))) + 1
            revision = Revision(
                stack=stack,
                service=spec.name,
                number=wanted,
                cause=cause,
                spec=spec,
                digest=task_digest(spec.task),
                restores=restores,
                created_at=self._clock(),
                by=self._by,
                message=message,
                previous_outcome=outcome_of(newest) if newest else "",
            )
            written = self._write(revision)
            if written:
                return revision
            passed = wanted if written is None else passed

    def adopt(self, stack: str, spec: ServiceSpec, contents: Mapping[str, bytes]) -> None:
        """Record what runs already, made by something else, as the first revision, completed.

        Nothing happens where there is one.  That it is complete goes first: should we die in
        between, nobody takes it for something to be done.
        """
        self.put_contents(stack, contents)
        number = max(hidden_in(self.store.list(stack)).get(spec.name, {0})) + 1
        mark = Mark(number=1, kind=MarkKind.COMPLETED, message=_ADOPTED, at=self._clock())
        revision = Revision(
            stack=stack,
            service=spec.name,
            number=number,
            cause=Cause.ADOPTED,
            spec=spec,
            digest=task_digest(spec.task),
            created_at=self._clock(),
            by=self._by,
            message=_ADOPTED,
        )
        self._mark(revision, mark)
        self._write(revision)

    def note(
        self, revision: Revision, kind: MarkKind, message: str, reason: str = ""
    ) -> Mark | None:
        """Write what became of a revision.  None where somebody noted something else meanwhile."""
        number, written = max((each.number for each in revision.marks), default=0), None
        while written is None:
            number += 1  # one that cannot be read keeps its number
            mark = Mark(
                number=number,
                kind=kind,
                message=message,
                at=self._clock(),
                by=self._by,
                reason=reason,
            )
            written = self._mark(revision, mark)
        return mark if written else None

    def restore(self, found: Iterable[Revision]) -> None:
        """Write revisions that were lost, and marks; whatever there is of them stays as it is.

        Oldest first: should we die in between, what is missing is still the newest.
        """
        for revision in sorted(found, key=lambda each: (each.service, each.number)):
            if revision.cause is Cause.REBUILT:
                self._write(msgspec.structs.replace(revision, by=self._by))
            for mark in revision.marks:
                self._mark(revision, msgspec.structs.replace(mark, by=mark.by or self._by))

    def put_contents(self, stack: str, contents: Mapping[str, bytes]) -> None:
        """Keep configs and secrets under their digest, so that a rollback brings them back too."""
        for digest, content in sorted(contents.items()):
            packed = base64.b64encode(zlib.compress(content, 9)).decode()
            stands = self.store.put(
                labels.file_record(stack, digest),
                {labels.RECORD: FILE, labels.STACK: stack, _CONTENT: packed},
            )
            if _unpacked(stands) is None:
                raise ConflictError(
                    f"the volume {stands.name} is in the place of a config or secret and cannot be "
                    "read",
                    hint=f"`rollout doctor --remove {stands.name}`, if nothing needs it",
                )

    def contents(self, stack: str) -> Contents:
        """A function from a digest to the content; it raises NotFoundError."""

        def content(digest: str) -> bytes:
            name = labels.file_record(stack, digest)
            for record in self.store.list(stack):
                if record.name == name and (found := _unpacked(record)) is not None:
                    return found
            raise NotFoundError(
                f"the content of a config or secret ({digest[:12]}) is no longer in the ledger",
                hint="deploy the file again",
            )

        return content

    def trim(self, stack: str, service: str, needed: frozenset[int] = frozenset()) -> None:
        """Drop revisions beyond the newest ten, but for those in `needed` and what cannot be read:
        a newer version may."""
        found = self.store.list(stack)
        history = self.book_of(found).get(service, ())
        drop = {each.number for each in history[:-KEEP]} - needed
        for record in found:
            if (
                record.labels.get(labels.SERVICE) == service
                and _number(record) in drop
                and not records.why_unreadable(record)
            ):
                self.store.drop(record.name)

    def trim_contents(self, stack: str) -> None:
        """Drop configs and secrets that no revision mounts.

        Not those put lately: the revision that they are for may be about to be recorded.  None
        where a revision cannot be read: it may mount them.
        """
        found = self.store.list(stack)
        if hidden_in(found):
            return
        named = {
            labels.file_record(stack, file.digest)
            for history in self.book_of(found).values()
            for revision in history
            for file in revision.spec.task.files
        }
        for record in found:
            is_old = self._clock() - record.created_at > CONTENT_STAYS_S
            if record.labels.get(labels.RECORD) == FILE and record.name not in named and is_old:
                self.store.drop(record.name)

    def begin_removal(
        self,
        stack: str,
        services: frozenset[str] | None,
        volumes: frozenset[str] = frozenset(),
    ) -> None:
        """Say that services, or with None the stack and those volumes, are to go.  Whoever drives
        takes them down."""
        begin(self.store, stack, services, self._by, volumes)

    def external_volumes(self, found: tuple[Record, ...]) -> frozenset[str]:
        """Volumes that any recorded definition calls external, of what is being removed too."""
        return frozenset(
            volume.name
            for revision in self._revisions(found)
            for volume in revision.spec.volumes
            if volume.external
        )

    def names(self, found: Iterable[Record]) -> frozenset[str]:
        """Services that have any record."""
        return frozenset(each.labels.get(labels.SERVICE, "") for each in found) - {""}

    def remove(self, stack: str, service: str | None = None) -> None:
        """Forget a service, or with None the whole stack, the lease too, and what cannot be read.
        Of a service what cannot be read stays: a newer version may.

        The record that it is being removed goes last, after the newest revisions: whoever reads
        meanwhile never takes an old one for the newest.
        """
        self._drop(self.store.list(stack), service)

    def finish_removal(self, stack: str, service: str | None = None) -> None:
        """The same for what is being removed still.  Where somebody else has finished that, another
        stack may have its name by now, and nothing is touched."""
        found = self.store.list(stack)
        removal = removal_in(found)
        if removal is not None and (removal.whole if service is None else removal.covers(service)):
            self._drop(found, service)

    def _drop(self, found: Iterable[Record], service: str | None) -> None:
        ours = [
            record
            for record in found
            if labels.RECORD in record.labels
            and (
                service is None
                or (
                    service == record.labels.get(labels.SERVICE)
                    and not records.why_unreadable(record)
                )
            )
        ]
        for record in sorted(ours, key=_removal_order):
            self.store.drop(record.name)

    def _write(self, revision: Revision) -> bool | None:
        name = labels.revision_record(revision.stack, revision.service, revision.number)
        token = secrets.token_hex(8)
        return self._put(name, records.revision_labels(revision, token), token)

    def _mark(self, revision: Revision, mark: Mark) -> bool | None:
        name = labels.mark_record(revision.stack, revision.service, revision.number, mark.number)
        token = secrets.token_hex(8)
        return self._put(name, records.mark_labels(revision, mark, token), token)

    def _put(self, name: str, found: dict[str, str], token: str) -> bool | None:
        """Whether it was we who wrote it; None where the name is taken by what cannot be read."""
        record = self.store.put(name, found)
        stands = record.labels
        if records.why_unreadable(record):
            return None
        if (stands.get(labels.STACK), stands.get(labels.SERVICE)) != (
            found.get(labels.STACK),
            found.get(labels.SERVICE),
        ):
            raise ConflictError(
                f'the name "{name}" is taken by another stack or volume',
                hint="stack and service together must be unique: rename one of them",
            )
        return stands.get(TOKEN) == token

    def _revisions(self, found: tuple[Record, ...]) -> Iterable[Revision]:
        """Each record is read once, as long as it is there."""
        ours = [each for each in found if each.labels.get(labels.RECORD) == REVISION]
        if not ours:
            return ()
        stack = ours[0].labels.get(labels.STACK, "")
        known, kept = self._parsed.get(stack, {}), {}
        for record in ours:
            # It never changes, but its name may be used again once its stack was removed.
            key = f"{record.name} {record.labels.get(TOKEN)}"
            with suppress(BadRecordError):
                kept[key] = known.get(key) or records.revision_from(record)
        self._parsed[stack] = kept
        return kept.values()


def outcome_of(revision: Revision) -> str:
    """How a revision stands, in one word: its last mark, or `in progress`."""
    return str(revision.last_mark or "in progress").replace(MarkKind.RESUMED, "in progress")


def marks_in(found: Iterable[Record]) -> dict[str, dict[int, tuple[Mark, ...]]]:
    """Service → number of a revision, recorded or lost → its marks in order, as far as they can be
    read."""
    marks: dict[str, dict[int, list[Mark]]] = defaultdict(lambda: defaultdict(list))
    for record in found:
        if record.labels.get(labels.RECORD) == MARK:
            with suppress(BadRecordError):
                service, number, mark = records.mark_from(record)
                marks[service][number].append(mark)
    return {
        service: {
            number: tuple(sorted(each, key=lambda mark: mark.number))
            for number, each in numbered.items()
        }
        for service, numbered in marks.items()
    }


def unreadable_in(found: Iterable[Record]) -> Iterator[Unreadable]:
    """Of a stack's records those that cannot be read, and why."""
    for record in found:
        if why := records.why_unreadable(record):
            stack = record.labels.get(labels.STACK, "")
            yield Unreadable(kind="volume", name=record.name, stack=stack, why=why)


def hidden_in(found: Iterable[Record]) -> dict[str, frozenset[int]]:
    """Service → numbers of revisions whose records cannot be read: they are taken."""
    hidden: dict[str, set[int]] = defaultdict(set)
    for record in found:
        numbers = records.numbers_of(record)
        if numbers is not None and records.why_unreadable(record):
            hidden[numbers[0]].add(numbers[1])
    return {service: frozenset(numbers) for service, numbers in hidden.items()}


def _unpacked(record: Record) -> bytes | None:
    """The content of a config or secret; None where it cannot be read."""
    try:
        unpack = zlib.decompressobj()
        content = unpack.decompress(base64.b64decode(record.labels[_CONTENT]), _MOST_CONTENT)
    except (KeyError, ValueError, zlib.error):
        return None
    return content if unpack.eof else None


def _refuse_removed(removal: Removal | None, stack: str, service: str) -> None:
    if removal is not None and removal.covers(service):
        what = stack if removal.whole else full_name(stack, service)
        raise ConflictError(
            f"{what} is being removed by {removal.by}, nothing was recorded",
            hint=f"`rollout rm {stack}` finishes that" if removal.whole else "deploy it again",
        )


def _removal_order(record: Record) -> tuple[int, bool, int, str]:
    kinds = {FILE: 0, MARK: 1, REVISION: 2, LEASE: 3, REMOVAL: 4}
    kind = record.labels.get(labels.RECORD, "")
    return (
        kinds.get(kind, 0),
        kind == REMOVAL and not record.labels.get(labels.SERVICE),
        _number(record),
        record.name,
    )


def _number(record: Record) -> int:
    return labels.whole(record.labels.get(labels.REVISION), labels.MAX_NUMBER) or 0

"""What was asked for: numbered revisions and their marks, each written once.

Numbers are taken by putting a record under the next free name: of several writers one wins, the
others see that it was not they and take the number after.  So no revision is lost, none changes.
"""

from __future__ import annotations

import base64
import secrets
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping

import msgspec

from rollout.engine.protocol import Contents, Record, Store
from rollout.errors import ConflictError, NotFoundError
from rollout.ledger import records
from rollout.ledger.records import FILE, LEASE, MARK, REVISION, TOKEN
from rollout.model import labels
from rollout.model.canonical import task_digest
from rollout.model.revision import Mark, Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind

KEEP = 10
"""Revisions kept per service at the least."""
_CONTENT = "rollout.content"

Book = dict[str, tuple[Revision, ...]]
"""Service → its revisions, oldest first, with their marks."""


class Ledger:
    """The ledger of one engine.  `clock` is the engine's; `by` says who writes."""

    def __init__(self, store: Store, clock: Callable[[], float], by: str) -> None:
        self.store = store
        self._clock = clock
        self._by = by
        self._parsed: dict[str, Revision] = {}

    def read(self, stack: str) -> Book:
        """Raises RolloutError where a record cannot be read."""
        return self.book_of(self.store.list(stack))

    def book_of(self, found: tuple[Record, ...]) -> Book:
        """The book from records read already."""
        marks: dict[tuple[str, int], list[Mark]] = defaultdict(list)
        revisions: dict[str, list[Revision]] = defaultdict(list)
        for record in found:
            kind = record.labels.get(labels.RECORD)
            if kind == REVISION:
                revision = self._revision(record)
                revisions[revision.service].append(revision)
            elif kind == MARK:
                service, number, mark = records.mark_from(record)
                marks[service, number].append(mark)
        return {
            service: tuple(
                _with_marks(each, marks.get((service, each.number), []))
                for each in sorted(found_here, key=lambda revision: revision.number)
            )
            for service, found_here in sorted(revisions.items())
        }

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

        None where it is the newest already: no change, no revision.  With `number` it is recorded
        as that one or, where somebody was quicker, not at all (None).
        """
        while True:
            history = self.read(stack).get(spec.name, ())
            newest = history[-1] if history else None
            if newest is not None and newest.spec == spec:
                return None
            wanted = newest.number + 1 if newest else 1
            if number is not None and number != wanted:
                return None
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
            name = labels.revision_record(stack, spec.name, wanted)
            token = secrets.token_hex(8)
            if self._put(name, records.revision_labels(revision, token), token):
                return revision

    def note(
        self, revision: Revision, kind: MarkKind, message: str, reason: str = ""
    ) -> Mark | None:
        """Write what became of a revision.  None where somebody noted something else meanwhile."""
        mark = Mark(
            number=len(revision.marks) + 1,
            kind=kind,
            message=message,
            at=self._clock(),
            by=self._by,
            reason=reason,
        )
        name = labels.mark_record(revision.stack, revision.service, revision.number, mark.number)
        token = secrets.token_hex(8)
        written = self._put(name, records.mark_labels(revision, mark, token), token)
        return mark if written else None

    def put_contents(self, stack: str, contents: Mapping[str, bytes]) -> None:
        """Keep configs and secrets under their digest, so that a rollback brings them back too."""
        for digest, content in sorted(contents.items()):
            packed = base64.b64encode(zlib.compress(content, 9)).decode()
            self.store.put(
                labels.file_record(stack, digest),
                {labels.RECORD: FILE, labels.STACK: stack, _CONTENT: packed},
            )

    def contents(self, stack: str) -> Contents:
        """A function from a digest to the content; it raises NotFoundError."""

        def content(digest: str) -> bytes:
            name = labels.file_record(stack, digest)
            for record in self.store.list(stack):
                if record.name == name:
                    return zlib.decompress(base64.b64decode(record.labels[_CONTENT]))
            raise NotFoundError(
                f"the content of a config or secret ({digest[:12]}) is no longer in the ledger",
                hint="deploy the file again",
            )

        return content

    def trim(self, stack: str, service: str, needed: frozenset[int] = frozenset()) -> None:
        """Drop revisions beyond the newest ten, but for those in `needed`."""
        found = self.store.list(stack)
        history = self.book_of(found).get(service, ())
        drop = {each.number for each in history[:-KEEP]} - needed
        for record in found:
            if record.labels.get(labels.SERVICE) != service:
                continue
            if int(record.labels.get(labels.REVISION, 0)) in drop:
                self.store.drop(record.name)

    def remove(self, stack: str, service: str | None = None) -> None:
        """Forget a service, or with None the whole stack, the lease too.

        Newest revisions go last: whoever reads meanwhile never takes an old one for the newest.
        """
        found = [
            record
            for record in self.store.list(stack)
            if labels.RECORD in record.labels
            and service in (None, record.labels.get(labels.SERVICE))
        ]
        for record in sorted(found, key=_removal_order):
            self.store.drop(record.name)

    def _put(self, name: str, found: dict[str, str], token: str) -> bool:
        record = self.store.put(name, found)
        stands = record.labels
        if (stands.get(labels.STACK), stands.get(labels.SERVICE)) != (
            found.get(labels.STACK),
            found.get(labels.SERVICE),
        ):
            raise ConflictError(
                f'the name "{name}" is taken by another stack or volume',
                hint="stack and service together must be unique: rename one of them",
            )
        return stands.get(TOKEN) == token

    def _revision(self, record: Record) -> Revision:
        # A record never changes, but its name may be used again once its stack was removed.
        key = f"{record.name} {record.labels.get(TOKEN)}"
        if key not in self._parsed:
            self._parsed[key] = records.revision_from(record)
        return self._parsed[key]


def outcome_of(revision: Revision) -> str:
    """How a revision stands, in one word: its last mark, or `in progress`."""
    return str(revision.last_mark or "in progress").replace(MarkKind.RESUMED, "in progress")


def _with_marks(revision: Revision, marks: list[Mark]) -> Revision:
    ordered = tuple(sorted(marks, key=lambda mark: mark.number))
    return msgspec.structs.replace(revision, marks=ordered)


def _removal_order(record: Record) -> tuple[int, int, str]:
    kinds = {FILE: 0, MARK: 1, REVISION: 2, LEASE: 3}
    kind = record.labels.get(labels.RECORD, "")
    return (kinds.get(kind, 0), int(record.labels.get(labels.REVISION, 0)), record.name)

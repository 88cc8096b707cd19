"""Revisions, marks and lease entries as labels of a record, and back.

Whoever may make volumes may write records, and so may a newer version of this program.  One that
cannot be read is told of and left alone; its number is taken all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from rollout.engine.protocol import Record
from rollout.errors import RolloutError
from rollout.model import labels
from rollout.model.canonical import canonical, from_canonical, spec_in, task_digest
from rollout.model.revision import Mark, Revision
from rollout.model.spec import ServiceSpec, TaskSpec
from rollout.model.state import Cause, MarkKind

REVISION = "revision"
MARK = "mark"
LEASE = "lease"
FILE = "file"
REMOVAL = "removal"
MORE = "-volumes"
"""What the name of a removal's second record ends in: the volumes that go as well."""

_AT = "rollout.at"
_BY = "rollout.by"
_CAUSE = "rollout.action"
_KIND = "rollout.mark"
_MARK = "rollout.mark-number"
_MESSAGE = "rollout.message"
_OUTCOME = "rollout.previous-outcome"
_REASON = "rollout.reason"
_RESTORES = "rollout.restores"
_SHOWN = 60
_MOST_WHY = 200
_LEASE_DIGITS = 12
_LATEST = 32_503_680_000.0
"""The year 3000, epoch seconds."""
TOKEN = "rollout.token"  # noqa: S105  not a secret: it says who wrote a record
"""Unique to one attempt to write, so that of several writers each sees whether it was the one."""


def revision_labels(revision: Revision, token: str) -> dict[str, str]:
    return {
        labels.RECORD: REVISION,
        labels.STACK: revision.stack,
        labels.SERVICE: revision.service,
        labels.REVISION: str(revision.number),
        labels.SPEC: canonical(revision.spec),
        _CAUSE: revision.cause,
        _RESTORES: str(revision.restores),
        _AT: repr(revision.created_at),
        _BY: revision.by,
        _MESSAGE: revision.message,
        _OUTCOME: revision.previous_outcome,
        TOKEN: token,
    }


def revision_from(record: Record) -> Revision:
    """Raises BadRecordError where the record cannot be read."""
    return _revision(record, task_digest)


def _revision(record: Record, digest_of: Callable[[TaskSpec], str]) -> Revision:
    found = record.labels
    with _read_from(record):
        text = found[labels.SPEC]
        spec = spec_in(text) or from_canonical(text, ServiceSpec)
        number = _whole(found, labels.REVISION)
        name = labels.revision_record(found[labels.STACK], found[labels.SERVICE], number)
        _named(record, name)
        return Revision(
            stack=found[labels.STACK],
            service=found[labels.SERVICE],
            number=number,
            cause=Cause(found[_CAUSE]),
            spec=spec,
            digest=digest_of(spec.task),
            restores=labels.whole(found.get(_RESTORES), labels.MAX_NUMBER) or 0,
            created_at=_seconds(found.get(_AT), record),
            by=found.get(_BY, ""),
            message=found.get(_MESSAGE, ""),
            previous_outcome=found.get(_OUTCOME, ""),
        )


def mark_labels(revision: Revision, mark: Mark, token: str) -> dict[str, str]:
    return {
        labels.RECORD: MARK,
        labels.STACK: revision.stack,
        labels.SERVICE: revision.service,
        labels.REVISION: str(revision.number),
        _MARK: str(mark.number),
        _KIND: mark.kind,
        _AT: repr(mark.at),
        _BY: mark.by,
        _MESSAGE: mark.message,
        _REASON: mark.reason,
        TOKEN: token,
    }


def mark_from(record: Record) -> tuple[str, int, Mark]:
    """Service, revision number, mark.  Raises BadRecordError where the record cannot be read."""
    found = record.labels
    with _read_from(record):
        service, number = found[labels.SERVICE], _whole(found, labels.REVISION)
        mark = Mark(
            number=_whole(found, _MARK),
            kind=MarkKind(found[_KIND]),
            message=found.get(_MESSAGE, ""),
            at=_seconds(found.get(_AT), record),
            by=found.get(_BY, ""),
            reason=found.get(_REASON, ""),
        )
        _named(record, labels.mark_record(found[labels.STACK], service, number, mark.number))
        return service, number, mark


def numbers_of(record: Record) -> tuple[str, int] | None:
    """Service and number of a revision, as far as the record's name says them, read or not."""
    stack = record.labels.get(labels.STACK, "")
    start = labels.revision_record(stack, "", 1).removesuffix(".r1")
    service, dot, number = record.name.removeprefix(start).rpartition(".r")
    found = labels.whole(number, labels.MAX_NUMBER)
    if not (record.name.startswith(start) and service and dot) or found is None:
        return None
    return service, found


def why_unreadable(record: Record) -> str:
    """Empty where a record of any kind can be read.  What it holds of a config or secret is only
    looked at when that is needed."""
    found = record.labels
    stack, service = found.get(labels.STACK, ""), found.get(labels.SERVICE, "")
    try:
        match found.get(labels.RECORD):
            case "revision":
                _revision(record, lambda _: "")
            case "mark":
                mark_from(record)
            case "lease":
                if lease_number(record) is None:
                    return "its name has no number of a lease"
            case "removal":
                name = labels.removal_record(stack, service)
                return "" if record.name == f"{name}{MORE}" else _why_not_named(record, name)
            case "file":
                digest = record.name.rpartition(".")[2]
                return _why_not_named(record, labels.file_record(stack, digest))
            case kind:
                return f"{str(kind)[:_SHOWN]!r} is a kind of record that is not known"
    except BadRecordError as error:
        return error.why
    return ""


def lease_number(record: Record) -> int | None:
    """The number in a lease record's name."""
    prefix = labels.lease_record(record.labels.get(labels.STACK, ""), 0)[:-1]
    text = record.name.removeprefix(prefix)
    if not record.name.startswith(prefix) or len(text) > _LEASE_DIGITS:
        return None
    return int(text) if text.isascii() and text.isdecimal() else None


class BadRecordError(RolloutError):
    """A record that cannot be read; `why` without its name."""

    reference = "bad-record"

    def __init__(self, record: Record, why: str) -> None:
        super().__init__(
            f"the ledger's record {record.name} cannot be read: {why}",
            hint="it may be from a newer version; `rollout doctor` says what to do",
        )
        self.why = why


@contextmanager
def _read_from(record: Record) -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise BadRecordError(record, f"it has no {error.args[0]}") from error
    except RecursionError as error:
        raise BadRecordError(record, "it is nested too deep") from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise BadRecordError(record, str(error)[:_MOST_WHY]) from error


def _whole(found: Mapping[str, str], name: str) -> int:
    number = labels.whole(found[name], labels.MAX_NUMBER)
    if number is None:
        raise ValueError(f"{name} is {found[name][:_SHOWN]!r}")
    return number


def _seconds(text: str | None, record: Record) -> float:
    found = float(text or record.created_at)
    if not 0 <= found <= _LATEST:
        raise ValueError(f"{_AT} is {str(text)[:_SHOWN]!r}")
    return found


def _named(record: Record, name: str) -> None:
    """Nothing stands under another name than its own: of two with one number, which would count?"""
    if record.name != name:
        raise ValueError(_why_not_named(record, name))


def _why_not_named(record: Record, name: str) -> str:
    return "" if record.name == name else f"what it says belongs under the name {name[:_MOST_WHY]}"

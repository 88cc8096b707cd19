"""Revisions, marks and lease entries as labels of a record, and back."""

from __future__ import annotations

import msgspec

from rollout.engine.protocol import Record
from rollout.errors import RolloutError
from rollout.model import labels
from rollout.model.canonical import canonical, from_canonical, task_digest
from rollout.model.revision import Mark, Revision
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause, MarkKind

REVISION = "revision"
MARK = "mark"
LEASE = "lease"
FILE = "file"
REMOVAL = "removal"

_AT = "rollout.at"
_BY = "rollout.by"
_CAUSE = "rollout.action"
_KIND = "rollout.mark"
_MARK = "rollout.mark-number"
_MESSAGE = "rollout.message"
_OUTCOME = "rollout.previous-outcome"
_REASON = "rollout.reason"
_RESTORES = "rollout.restores"
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
    """Raises RolloutError where the record cannot be read."""
    found = record.labels
    try:
        spec = from_canonical(found[labels.SPEC], ServiceSpec)
        return Revision(
            stack=found[labels.STACK],
            service=found[labels.SERVICE],
            number=int(found[labels.REVISION]),
            cause=Cause(found[_CAUSE]),
            spec=spec,
            digest=task_digest(spec.task),
            restores=int(found.get(_RESTORES) or 0),
            created_at=float(found.get(_AT) or record.created_at),
            by=found.get(_BY, ""),
            message=found.get(_MESSAGE, ""),
            previous_outcome=found.get(_OUTCOME, ""),
        )
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise _unreadable(record, error) from error


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
    """Service, revision number, mark.  Raises RolloutError where the record cannot be read."""
    found = record.labels
    try:
        mark = Mark(
            number=int(found[_MARK]),
            kind=MarkKind(found[_KIND]),
            message=found.get(_MESSAGE, ""),
            at=float(found.get(_AT) or record.created_at),
            by=found.get(_BY, ""),
            reason=found.get(_REASON, ""),
        )
        return found[labels.SERVICE], int(found[labels.REVISION]), mark
    except (KeyError, ValueError) as error:
        raise _unreadable(record, error) from error


def _unreadable(record: Record, error: Exception) -> RolloutError:
    return RolloutError(
        f"the ledger's record {record.name} cannot be read: {error}",
        hint="it may be from a newer version; `docker volume inspect` shows it",
        reference="bad-record",
    )

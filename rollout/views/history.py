"""`history`: every revision of a service, what made it and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rollout.model.revision import Revision
from rollout.views.inspect import shown
from rollout.views.table import table
from rollout.views.text import ago, image_digest, short_image, timestamp

_HEADER = ("REVISION", "ACTION", "RESTORES", "OUTCOME", "IMAGE", "DIGEST", "CREATED", "BY",
           "ON HOST")  # fmt: skip


def history_table(
    revisions: Sequence[Revision],
    *,
    outcomes: Mapping[int, str],
    on_host: Mapping[int, bool],
    now: float,
    trunc: bool = True,
) -> str:
    """Oldest first.  `outcomes` and `on_host` say of a revision's number how it ended, and whether
    its image is still there.
    """
    rows = []
    for revision in revisions:
        task = revision.spec.task
        digest = (image_digest(task.image) or task.image_id).removeprefix("sha256:")
        rows.append(
            (
                str(revision.number),
                str(revision.cause),
                str(revision.restores) if revision.restores else "",
                outcomes[revision.number],
                short_image(task.image),
                digest[:12] if trunc else digest,
                ago(revision.created_at, now),
                revision.by,
                "yes" if on_host[revision.number] else "no",
            )
        )
    return table(_HEADER, rows)


def history_documents(
    revisions: Sequence[Revision],
    *,
    outcomes: Mapping[int, str],
    on_host: Mapping[int, bool],
    show_secrets: bool = False,
) -> list[dict[str, Any]]:
    return [
        {
            "revision": revision.number,
            "action": str(revision.cause),
            "restores": revision.restores or None,
            "outcome": outcomes[revision.number],
            "image": short_image(revision.spec.task.image),
            "digest": image_digest(revision.spec.task.image) or revision.spec.task.image_id,
            "created_at": timestamp(revision.created_at),
            "by": revision.by,
            "message": revision.message,
            "on_host": on_host[revision.number],
            "spec": msgspec.to_builtins(shown(revision.spec, show_secrets=show_secrets)),
        }
        for revision in revisions
    ]

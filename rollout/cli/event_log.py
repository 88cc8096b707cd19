"""Every event as a log line for operators."""

from __future__ import annotations

from rollout.log import log
from rollout.model.event import EventKind, Progress

_TROUBLE = (EventKind.FAILURE, EventKind.RETRY, EventKind.ENGINE)


def log_events(progress: Progress, *, alone: bool = False) -> None:
    """At level info; where nothing else shows them (`alone`), trouble is a warning."""
    for event in progress.events:
        tell = log.warning if alone and event.kind in _TROUBLE else log.info
        tell(
            event.text or event.state,
            kind=str(event.kind),
            stack=event.stack,
            service=event.service,
            revision=event.revision,
            task=event.task,
        )

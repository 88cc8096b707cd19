"""Drive a stack to rest while showing it, then say how it ended, why, and what to type next."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from rollout.cli import sinks
from rollout.cli.event_log import log_events
from rollout.cli.finishing import Finishing
from rollout.cli.interrupt import Interruption
from rollout.cli.messages import fail
from rollout.cli.syntax import duration
from rollout.controller.drive import drive
from rollout.controller.look import look
from rollout.controller.outcome import exit_code, superseded_by
from rollout.controller.session import Session
from rollout.errors import HeldError, InterruptedRolloutError, NotFoundError, RolloutError
from rollout.log import log
from rollout.model.event import Progress
from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.status import ServiceStatus
from rollout.views.document import document_line
from rollout.views.progress.sink import Sink
from rollout.views.progress.writer import Writer
from rollout.views.services import state_word
from rollout.views.status import (
    Reason,
    Words,
    failure_lines,
    reason_documents,
    reasons,
    result_line,
    status_documents,
    steps,
    struggles,
    superseded_line,
    went_well,
)
from rollout.views.text import timestamp

_LAST_LINES = 5


class Following(NamedTuple):
    """The flags of `options.following`, checked."""

    detach: bool
    progress: str
    timeout_s: float | None
    on_conflict: str

    @property
    def chatty(self) -> bool:
        """Lines for people belong on stdout."""
        return self.progress in ("tty", "plain")


def following_of(
    *,
    detach: bool,
    progress: str,
    quiet: bool,
    timeout: str | None,
    on_conflict: str,
    said: str | None = None,
) -> Following:
    """`said`: how progress is shown where no flag says so.  Raises UsageError."""
    return Following(
        detach=detach,
        progress=sinks.choose(progress, quiet=quiet, said=said),
        timeout_s=None if timeout is None else duration("timeout", timeout),
        on_conflict=on_conflict,
    )


def say(following: Following, text: str) -> None:
    """A line for the person at the keyboard, where one is wanted."""
    if following.chatty:
        Writer(sys.stdout).line(text)


def refuse_if_held(session: Session, stack: str, following: Following) -> None:
    """With `--on-conflict fail`, before anything is recorded.  Raises HeldError."""
    if following.on_conflict != "fail":
        return
    holder = look(session, stack).holder
    if holder:
        raise HeldError(
            f"{stack} is held by {holder}, nothing was recorded",
            hint="wait for it, or leave out --on-conflict fail to follow it",
        )


Asked = Mapping[str, Callable[[ServiceSpec], bool]]
"""Service → whether what a command has asked for stands in a definition."""


def finish(
    session: Session,
    stack: str,
    following: Following,
    asked: Asked,
    services: Sequence[str] | None = None,
) -> int:
    """After a revision was recorded: drive it to rest, or with --detach say how to.

    `services` are names within the stack; None means all.  The result is the exit code.
    """
    if following.detach:
        target = full_name(stack, services[0]) if services and len(services) == 1 else stack
        say(
            following,
            "recorded; a `rollout controller` drives it, or the next command: "
            f"`rollout status {target} --wait`",
        )
        return 0
    return to_rest(session, stack, following, services, asked)


def to_rest(
    session: Session,
    stack: str,
    following: Following,
    services: Sequence[str] | None = None,
    asked: Asked | None = None,
    *,
    tends: bool = True,
) -> int:
    """Drive, or follow.  Who has asked for nothing is told how the newest definition ended."""
    sink = sinks.make(following.progress)
    finishing = Finishing(sink)
    try:
        with Interruption(finishing.answer) as interruption:
            statuses = drive(
                session,
                stack,
                report=_logged(finishing, sink),
                stop=interruption.stop,
                wake=interruption.wake,
                on_conflict=following.on_conflict,
                timeout_s=following.timeout_s,
                services=None if services is None else set(services),
                tends=tends,
            )
    except InterruptedRolloutError as error:
        raise finishing.ended(error, f"rollout status {stack} --wait") from None
    finally:
        sink.close()
    if not {*(services or ())} <= {status.service for status in statuses} or not statuses:
        raise NotFoundError(
            f"{stack} was removed meanwhile, or the service was",
            hint="`rollout deploy` makes it anew",
        )
    statuses = tuple(_judged(each, asked or {}) for each in statuses)
    superseded = _superseded(session, stack, statuses, asked or {})
    summarize(session, statuses, following, superseded)
    return exit_code(statuses, superseded)


def _judged(status: ServiceStatus, asked: Asked) -> ServiceStatus:
    """A service as who has asked for something is to be told of it: the good definition deployed
    once more after an automatic rollback to it is what was asked for."""
    holds = asked.get(status.service)
    return replace(status, as_asked=holds is not None and holds(status.revision.spec))


def _superseded(
    session: Session, stack: str, statuses: Iterable[ServiceStatus], asked: Asked
) -> dict[str, Revision]:
    """Service → what somebody else has asked for instead, as far as that was seen."""
    gone = [each for each in statuses if each.service in asked and not each.as_asked]
    book = session.ledger.read(stack) if gone else {}
    found = {}
    for status in gone:
        history = book.get(status.service, ())
        seen = tuple(each for each in history if each.number <= status.revision.number)
        if by := superseded_by(seen or (status.revision,), asked[status.service]):
            found[status.service] = by
    return found


def _logged(finishing: Finishing, sink: Sink) -> Callable[[Progress], None]:
    """The sink, the log, and who knows what is in flight."""

    def report(progress: Progress) -> None:
        finishing(progress)
        log_events(progress)
        sink(progress)

    return report


def summarize(
    session: Session,
    statuses: Iterable[ServiceStatus],
    following: Following,
    superseded: Mapping[str, Revision],
) -> None:
    """Good news on stdout as the view wants it, bad news always on stderr."""
    out, err = Writer(sys.stdout), Writer(sys.stderr)
    statuses = tuple(statuses)
    if following.progress == "json":
        _summarize_json(session, statuses, superseded)
        return
    for status in statuses:
        if by := superseded.get(status.service):
            err.line(f"rollout: {superseded_line(by)}")
        if went_well(status):
            if following.chatty:
                out.line(result_line(status))
            continue
        err.line(f"rollout: {result_line(status)}")
        for line in explain(session, status):
            err.line(line)


def _summarize_json(
    session: Session, statuses: Sequence[ServiceStatus], superseded: Mapping[str, Revision]
) -> None:
    """The same as objects: a result each on stdout, an error each on stderr."""
    out, now = Writer(sys.stdout), session.engine.now()
    bad = [each for each in statuses if not went_well(each)]
    told = {each.service: found_out(session, each) for each in bad}
    for fields in status_documents(statuses, now=now, told=told):
        by = superseded.get(str(fields["service"]))
        more = {"superseded_by": by.number if by else None}
        out.line(document_line({"ts": timestamp(now), "event": "result", **fields, **more}))
    for status in bad:
        fail(
            result_line(status),
            reference=state_word(status),
            code=exit_code([status], superseded),
            more={
                "service": full_name(status.stack, status.service),
                "reasons": reason_documents(*told[status.service]),
                "next_steps": [command for _, command in steps(status)],
            },
        )


def explain(session: Session, status: ServiceStatus) -> Iterator[str]:
    """Why it went wrong, or does not go on, with the tasks' last log lines, and what to type."""
    yield from failure_lines(status, *found_out(session, status))


def found_out(session: Session, status: ServiceStatus) -> tuple[tuple[Reason, ...], Words]:
    """Why tasks are not well, and the last log lines of each."""
    try:
        tasks = session.engine.observe(status.stack)
        why = (*reasons(status, tasks), *struggles(status))
        wanted = {reason.task_id for reason in why}
        words = {
            task.id: session.engine.last_words(task, _LAST_LINES)
            for task in tasks
            if task.id in wanted
        }
    except RolloutError as error:
        log.warning("the reasons could not be read", error=str(error))
        why, words = (*reasons(status, ()), *struggles(status)), {}
    return why, words

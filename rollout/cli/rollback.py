"""`rollout rollback SERVICE [--to N]`: record an earlier definition again, and roll it out."""

from __future__ import annotations

from typing import Any

import click

from rollout.cli import options
from rollout.cli.again import ask_again
from rollout.cli.driving import Following, finish, following_of, refuse_if_held, say
from rollout.cli.prepare import check, ensure
from rollout.cli.recording import same_tasks
from rollout.cli.settings import Settings
from rollout.cli.targets import ServiceTarget, find_service
from rollout.cli.wiring import open_session
from rollout.controller.session import Session, observe
from rollout.errors import NotFoundError
from rollout.ledger.history import find, previous_of
from rollout.model.state import Cause

_MESSAGE = "manually requested rollback"


@click.command("rollback")
@click.argument("service")
@click.option("--to", "number", type=click.IntRange(min=1), metavar="N", help="To that revision.")
@options.following
@click.pass_obj
def command(settings: Settings, /, service: str, number: int | None, **values: Any) -> int:
    """Go back to the newest other definition of a service that was complete, or with --to to any.

    Its cadence and its number of replicas come back with it.  Done twice, it is back and forth
    between two that both were complete; what never was complete must be named with --to.
    """
    following = following_of(**values)
    with open_session(settings) as session:
        target = find_service(session, service, to_change=True)
        refuse_if_held(session, target.stack, following)
        return roll_back(session, target, number, following)


def roll_back(
    session: Session, target: ServiceTarget, number: int | None, following: Following
) -> int:
    """`number` None means the previous definition.  Raises UsageError where there is none."""
    source = previous_of(target.revisions) if number is None else find(target.revisions, number)
    contents = session.ledger.contents(target.stack)
    for file in source.spec.task.files:
        try:
            contents(file.digest)
        except NotFoundError as error:
            raise NotFoundError(
                f"{target.name}: the content of {file.kind} {file.source} in revision "
                f"{source.number} is no longer in the ledger, nothing was recorded",
                hint="put it back into the file, and deploy that",
            ) from error
    if source.spec != target.newest.spec:
        check(session, [source.spec], target.stack)
    ensure(session.engine, [source.spec], target.stack)
    revision = session.ledger.record(
        target.stack, source.spec, Cause.ROLLBACK, restores=source.number, message=_MESSAGE
    )
    if revision is None:
        ask_again(session, target.newest, observe(session, target.stack))
        say(following, f"{target.name}: is as revision {source.number} already")
    else:
        say(
            following,
            f"{target.name}: revision {revision.number} recorded, restores {source.number}",
        )
    asked = {target.service: same_tasks(source.spec)}
    return finish(session, target.stack, following, asked, [target.service])

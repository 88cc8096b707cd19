"""`rollout resume SERVICE`: go on with a paused update."""

from __future__ import annotations

from typing import Any

import click

from rollout.cli import options
from rollout.cli.driving import finish, following_of, refuse_if_held, say
from rollout.cli.prepare import check
from rollout.cli.recording import same_tasks
from rollout.cli.settings import Settings
from rollout.cli.targets import find_service
from rollout.cli.wiring import open_session
from rollout.errors import UsageError
from rollout.model.state import MarkKind


@click.command("resume")
@click.argument("service")
@options.following
@click.pass_obj
def command(settings: Settings, /, service: str, **values: Any) -> int:
    """Go on with a paused update or rollback.  What it failed with before counts no more."""
    following = following_of(**values)
    with open_session(settings) as session:
        target = find_service(session, service, to_change=True)
        if target.newest.last_mark is not MarkKind.PAUSED:
            raise UsageError(f"{target.name}: is not paused")
        refuse_if_held(session, target.stack, following)
        check(session, [target.newest.spec], target.stack)
        session.ledger.note(
            target.newest, MarkKind.RESUMED, "update resumed on request", reason="request"
        )
        say(following, f"{target.name}: revision {target.newest.number} goes on")
        asked = {target.service: same_tasks(target.newest.spec)}
        return finish(session, target.stack, following, asked, [target.service])

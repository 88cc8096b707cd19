"""`rollout pause SERVICE`: what is in flight finishes, nothing more begins."""

from __future__ import annotations

import click

from rollout.cli.settings import Settings
from rollout.cli.targets import find_service
from rollout.cli.wiring import open_session
from rollout.errors import UsageError
from rollout.model.state import MarkKind

_UNDER_WAY = (None, MarkKind.RESUMED)


@click.command("pause")
@click.argument("service")
@click.pass_obj
def command(settings: Settings, /, service: str) -> int:
    """Hold the update of a service; `rollout resume` goes on with it."""
    with open_session(settings) as session:
        target = find_service(session, service, to_change=True)
        if target.newest.last_mark is MarkKind.PAUSED:
            click.echo(f"{target.name}: is paused already")
            return 0
        if target.newest.last_mark not in _UNDER_WAY:
            raise UsageError(f"{target.name}: no update is in progress")
        kind = "rollback" if target.newest.is_rollback else "update"
        session.ledger.note(
            target.newest, MarkKind.PAUSED, f"{kind} paused on request", reason="request"
        )
        click.echo(f"{target.name}: paused; `rollout resume {target.name}` goes on")
    return 0

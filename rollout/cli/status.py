"""`rollout status TARGET [--wait]`: where updates are; with --wait, how they end."""

from __future__ import annotations

from typing import Any

import click

from rollout.cli import options
from rollout.cli.driving import explain, following_of, to_rest
from rollout.cli.recovered import recovered
from rollout.cli.settings import Settings
from rollout.cli.targets import find_scope
from rollout.cli.wiring import open_session
from rollout.controller.look import look
from rollout.controller.session import Session
from rollout.errors import NotFoundError
from rollout.model.status import ServiceStatus
from rollout.views.document import document
from rollout.views.services import in_order
from rollout.views.status import (
    result_line,
    status_documents,
    status_table,
    went_well,
)
from rollout.views.text import ago, clean, timestamp


@click.command("status")
@click.argument("target", metavar="SERVICE|STACK")
@click.option("--wait", is_flag=True, help="Drive or follow until all is at rest.")
@options.output_format
@options.following
@click.pass_obj
def command(settings: Settings, /, target: str, wait: bool, output: str, **values: Any) -> int:
    """Say where the updates of a service or stack are.

    With --wait the command drives them (or follows whoever does) until they are at rest, and its
    exit code is the outcome's.
    """
    following = following_of(**values)
    with open_session(settings) as session:
        scope = find_scope(session, target)
        if wait:
            recovered(session, scope.stack)
        progress = look(session, scope.stack)
        found = tuple(each for each in progress.services if scope.covers(each.service))
        if not found:
            raise NotFoundError(
                f"{target} has no revision", hint="`rollout deploy` makes the first"
            )
        if wait:
            services = [scope.service] if scope.service else None
            return to_rest(session, scope.stack, following, services)
        if output == "json":
            since = timestamp(progress.held_since)
            held = {"holder": progress.holder or None, "held_since": since}
            click.echo(document([{**each, **held} for each in status_documents(found)]))
        else:
            click.echo(status_table(found))
            if progress.holder and progress.held_since is not None:
                since = ago(progress.held_since, progress.at)
                click.echo(f"\nheld by {clean(progress.holder)}, since {since}")
            _explain(session, found)
    return 0


def _explain(session: Session, found: tuple[ServiceStatus, ...]) -> None:
    """Below the table: every service that needs somebody, why, and what to type."""
    for status in in_order(found):
        if went_well(status) or (not status.failures and not status.at_rest):
            continue
        click.echo(f"\n{result_line(status)}")
        for line in explain(session, status):
            click.echo(line)

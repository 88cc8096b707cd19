"""`rollout status TARGET [--wait]`: where updates are; with --wait, how they end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from rollout.cli import options
from rollout.cli.driving import explain, following_of, found_out, to_rest
from rollout.cli.recovered import recovered
from rollout.cli.settings import Settings
from rollout.cli.targets import find_scope
from rollout.cli.wiring import open_session
from rollout.controller.look import look
from rollout.controller.session import Session
from rollout.errors import NotFoundError
from rollout.model.labels import full_name
from rollout.model.status import GIVES_UP, ServiceStatus
from rollout.views.document import document
from rollout.views.services import in_order
from rollout.views.status import (
    result_line,
    status_documents,
    status_table,
    struggles,
    went_well,
)
from rollout.views.text import ago, clean, timestamp
from rollout.views.waiting import sentence_of


@click.command("status")
@click.argument("target", metavar="SERVICE|STACK")
@click.option("--wait", is_flag=True, help="Drive or follow until all is at rest.")
@options.output_format
@options.following
@click.pass_obj
def command(settings: Settings, /, target: str, wait: bool, output: str, **values: Any) -> int:
    """Say where the updates of a service or stack are.

    With --wait the command drives what is under way (or follows whoever does) until it is at rest,
    and its exit code is the outcome's.  What is at rest is only looked at: where it does not run,
    the exit code is 1, and `rollout deploy` starts it.  Without --wait the exit code is 0 whenever
    there was something to say.
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
            return to_rest(session, scope.stack, following, services, tends=False)
        if output == "json":
            since = timestamp(progress.held_since)
            held = {"holder": progress.holder or None, "held_since": since}
            told = {
                each.service: found_out(session, each) for each in found if needs_somebody(each)
            }
            documents = status_documents(found, now=progress.at, told=told)
            click.echo(document([{**each, **held} for each in documents]))
        else:
            click.echo(status_table(found, now=progress.at))
            if progress.holder and progress.held_since is not None:
                since = ago(progress.held_since, progress.at)
                click.echo(f"\nheld by {clean(progress.holder)}, since {since}")
            explain_all(session, found)
    return 0


def needs_somebody(status: ServiceStatus) -> bool:
    if status.at_rest:
        return not went_well(status) or bool(status.restarting)
    # What is given up in the end may be stuck, known or not.
    return bool(status.failures or status.then == GIVES_UP or struggles(status))


def explain_all(session: Session, found: Iterable[ServiceStatus]) -> None:
    """Below a table: every service that needs somebody, why, for how long, and what to type."""
    for status in in_order(found):
        if not needs_somebody(status):
            continue
        waits = sentence_of(status, session.engine.now())
        name = clean(full_name(status.stack, status.service))
        click.echo(f"\n{name}: {waits}" if waits else f"\n{result_line(status)}")
        for line in explain(session, status):
            click.echo(line)

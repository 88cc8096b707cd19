"""`rollout ls`: the stacks on the engine."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.session import Session
from rollout.ledger.lease import newest_entry
from rollout.views.document import document
from rollout.views.services import StackRow, stack_documents, stack_table
from rollout.views.text import clean, natural


@click.command("ls")
@options.output_format
@options.quiet_names
@click.pass_obj
def command(settings: Settings, /, output: str, quiet: bool) -> int:
    """List stacks."""
    with open_session(settings) as session:
        rows = [row for name in session.engine.stacks() if (row := _row(session, name))]
        now = session.engine.now()
    if output == "json":
        click.echo(document(stack_documents(rows)))
    elif quiet:
        for name in sorted((row.name for row in rows), key=natural):
            click.echo(clean(name))
    else:
        click.echo(stack_table(rows, now=now))
    return 0


def _row(session: Session, stack: str) -> StackRow | None:
    """Services with a revision; of a stack without any, as Compose made it, those with tasks.  None
    where there are neither: what a removed stack has left."""
    records = session.ledger.store.list(stack)
    services = len(session.ledger.book_of(records)) or len(
        {task.service for task in session.engine.observe(stack)}
    )
    entry = newest_entry(records)
    held = entry is not None and entry.held(session.engine.now())
    if not services and not held:
        return None
    return StackRow(
        name=stack,
        services=services,
        holder=entry.holder if entry is not None and held else "",
        held_since=entry.since if entry is not None and held else None,
    )

"""`rollout ls`: the stacks on the engine."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.session import Session
from rollout.views.document import document
from rollout.views.services import stack_documents, stack_table
from rollout.views.text import clean, natural


@click.command("ls")
@options.output_format
@options.quiet_names
@click.pass_obj
def command(settings: Settings, /, output: str, quiet: bool) -> int:
    """List stacks."""
    with open_session(settings) as session:
        counts = {stack: _count(session, stack) for stack in session.engine.stacks()}
    if output == "json":
        click.echo(document(stack_documents(counts)))
    elif quiet:
        for name in sorted(counts, key=natural):
            click.echo(clean(name))
    else:
        click.echo(stack_table(counts))
    return 0


def _count(session: Session, stack: str) -> int:
    """Services with a revision; of a stack without any, as Compose made it, those with tasks."""
    recorded = session.ledger.read(stack)
    return len(recorded) or len({task.service for task in session.engine.observe(stack)})

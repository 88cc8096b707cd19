"""`rollout services [STACK]`: what is deployed."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.look import statuses
from rollout.cli.settings import Settings
from rollout.cli.targets import Scope
from rollout.cli.wiring import open_session
from rollout.model.labels import full_name
from rollout.views.document import document
from rollout.views.services import in_order, service_documents, service_table
from rollout.views.text import clean


@click.command("services")
@click.argument("stack", required=False)
@options.output_format
@options.quiet_names
@click.pass_obj
def command(settings: Settings, /, stack: str | None, output: str, quiet: bool) -> int:
    """List the services of a stack, or of all stacks."""
    with open_session(settings) as session:
        stacks = [stack] if stack else session.engine.stacks()
        found = [status for name in stacks for status in statuses(session, Scope(name))]
    if stack and not found:
        click.echo(f"rollout: nothing found in stack: {clean(stack)}", err=True)
    if output == "json":
        click.echo(document(service_documents(found)))
    elif quiet:
        for each in in_order(found):
            click.echo(clean(full_name(each.stack, each.service)))
    elif found or not stack:
        click.echo(service_table(found))
    return 0

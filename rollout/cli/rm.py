"""`rollout rm STACK...`: remove stacks: their tasks, networks and history; volumes stay."""

from __future__ import annotations

import click

from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.remove import remove
from rollout.views.text import clean


@click.command("rm")
@click.argument("stacks", nargs=-1, required=True, metavar="STACK...")
@click.pass_obj
def command(settings: Settings, /, stacks: tuple[str, ...]) -> int:
    """Remove stacks: their tasks, their networks, and their history.  Volumes with data stay."""
    with open_session(settings) as session:
        for stack in stacks:
            if not remove(session, stack, tell=lambda text: click.echo(clean(text))):
                click.echo(f"rollout: nothing found in stack: {clean(stack)}", err=True)
    return 0

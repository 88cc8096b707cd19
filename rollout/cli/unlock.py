"""`rollout unlock STACK`: free a stack though its holder seems alive."""

from __future__ import annotations

import click

from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.errors import NotFoundError
from rollout.ledger.lease import unlock
from rollout.model.units import format_duration
from rollout.views.text import clean


@click.command("unlock")
@click.argument("stack")
@click.pass_obj
def command(settings: Settings, /, stack: str) -> int:
    """Take a stack away from the command that drives it, so that the next one can.

    A holder that is not heard of for ten seconds loses it by itself.  One that lives sees that it
    has lost it, finishes what it has in flight, and follows.
    """
    with open_session(settings) as session:
        if stack not in session.engine.stacks():
            raise NotFoundError(f"stack {stack} not found", hint="`rollout ls` lists what there is")
        engine = session.engine
        was = unlock(engine.store, stack, engine.now)
        held = format_duration(float(max(round(engine.now() - was.since), 0))) if was else ""
    if was is None:
        click.echo(f"{clean(stack)}: nobody holds it")
    else:
        click.echo(f"{clean(stack)}: unlocked; {clean(was.holder)} had held it for {held}")
    return 0

"""`rollout rm STACK...`: remove stacks: tasks, networks, history, with --volumes volumes too."""

from __future__ import annotations

import click

from rollout.cli import messages
from rollout.cli.finishing import Finishing
from rollout.cli.interrupt import Interruption
from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.remove import remove
from rollout.controller.session import Session
from rollout.errors import InterruptedRolloutError, UsageError
from rollout.model.event import EventKind, Progress
from rollout.model.labels import is_stack_name
from rollout.views.progress.plain import sentence
from rollout.views.text import clean

_TOLD = (EventKind.LEASE, EventKind.RETRY, EventKind.NOTE)


@click.command("rm")
@click.argument("stacks", nargs=-1, required=True, metavar="STACK...")
@click.option(
    "--volumes", is_flag=True, help="Their volumes and what is in them, too, but external ones."
)
@click.pass_obj
def command(settings: Settings, /, stacks: tuple[str, ...], *, volumes: bool) -> int:
    """Remove stacks: their tasks, their networks, and their history.  Volumes stay, and those
    without a name are named.

    With --volumes what is in them is lost: each one is named before anything is removed, and what
    containers of others use stays.

    Whoever drives a stack stops doing so.  Killed half way, the removal is finished by the next
    command about the stack.
    """
    for stack in stacks:
        if not is_stack_name(stack):
            raise UsageError(
                f'"{stack}" is not a stack name',
                hint="`rollout ls` lists the stacks, `rollout doctor` what bears no such name",
            )
    with open_session(settings, quiet=True) as session:
        for stack in stacks:
            if not _remove(session, stack, volumes=volumes):
                messages.warn(f"nothing found in stack: {stack}")
    return 0


def _remove(session: Session, stack: str, *, volumes: bool) -> bool:
    finishing = Finishing()

    def report(progress: Progress) -> None:
        finishing(progress)
        for event in progress.events:
            if event.kind in _TOLD:
                messages.warn(sentence(event))

    try:
        with Interruption(finishing.answer) as interruption:
            return remove(
                session,
                stack,
                tell=lambda text: click.echo(clean(text)),
                report=report,
                stop=interruption.stop,
                wake=interruption.wake,
                volumes=volumes,
            )
    except InterruptedRolloutError as error:
        again = f"rollout rm {stack}{' --volumes' if volumes else ''}"
        raise finishing.ended(error, again) from None

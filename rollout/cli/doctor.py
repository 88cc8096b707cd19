"""`rollout doctor`: what is not as it should be on the engine, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from rollout.cli import options
from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.doctor import Finding, discard, examine
from rollout.views.document import document
from rollout.views.table import table
from rollout.views.text import clean

_HEADER = ("CHECK", "WHAT", "FINDING", "WHAT TO DO")


@click.command("doctor")
@options.output_format
@click.option(
    "--remove",
    "names",
    multiple=True,
    metavar="NAME",
    help="Remove this volume or container, one of those that cannot be read; may be repeated.",
)
@click.argument("more", nargs=-1, metavar="")
@click.pass_obj
def command(
    settings: Settings, /, output: str, names: tuple[str, ...], more: tuple[str, ...]
) -> int:
    """Look for what is not as it should be: unreadable records, leftovers, drivers that are gone.

    The exit code is 0 where nothing is found, 1 where something is.  Nothing is changed, but for
    what is named with --remove.
    """
    if more and not names:
        raise click.UsageError(f"unexpected argument {more[0]}", click.get_current_context())
    with open_session(settings, quiet=True) as session:
        if names:
            for each in discard(session, (*names, *more)):
                click.echo(clean(f"Removed {each.kind} {each.name}"), err=output == "json")
        found = examine(session)
    _show(found, output, quiet=bool(names))
    return 1 if found and not names else 0


def _show(found: Sequence[Finding], output: str, *, quiet: bool) -> None:
    if output == "json":
        click.echo(document(found))
    elif found and not quiet:
        rows = [(each.check, f"{each.kind} {each.name}", each.says, each.advice) for each in found]
        click.echo(table(_HEADER, rows))
    elif not quiet:
        click.echo("nothing found")

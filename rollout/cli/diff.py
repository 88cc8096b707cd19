"""`rollout diff SERVICE [A] [B]`: what differs between two revisions."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.settings import Settings
from rollout.cli.targets import ServiceTarget, find_service
from rollout.cli.wiring import open_session
from rollout.errors import UsageError
from rollout.ledger.history import find
from rollout.model.revision import Revision
from rollout.views.diff import diff_text, differences
from rollout.views.document import document

_NUMBER = click.IntRange(min=1)


@click.command("diff")
@click.argument("service")
@click.argument("a", required=False, type=_NUMBER)
@click.argument("b", required=False, type=_NUMBER)
@options.output_format
@options.show_secrets
@click.pass_obj
def command(
    settings: Settings,
    /,
    service: str,
    a: int | None,
    b: int | None,
    output: str,
    show_secrets: bool,
) -> int:
    """Show what differs between revisions A and B of a service.

    B defaults to the newest, A to the one before it.
    """
    with open_session(settings) as session:
        target = find_service(session, service)
    before, after = pair(target, a, b)
    found = differences(before.spec, after.spec, show_secrets=show_secrets)
    if output == "json":
        click.echo(
            document(
                {
                    "name": target.name,
                    "from": before.number,
                    "to": after.number,
                    "differences": found,
                }
            )
        )
        return 0
    click.echo(f"{target.name}: revision {before.number} → {after.number}")
    click.echo(diff_text(found) or "no difference")
    return 0


def pair(target: ServiceTarget, a: int | None, b: int | None) -> tuple[Revision, Revision]:
    """Raises UsageError for a revision that is not kept, or where there is only one."""
    after = target.newest if b is None else find(target.revisions, b)
    if a is not None:
        return find(target.revisions, a), after
    earlier = [each for each in target.revisions if each.number < after.number]
    if not earlier:
        raise UsageError(f"{target.name}: there is no revision before {after.number}")
    return earlier[-1], after

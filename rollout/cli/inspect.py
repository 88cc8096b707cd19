"""`rollout inspect SERVICE...`: one service, all of it."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.look import statuses
from rollout.cli.settings import Settings
from rollout.cli.targets import Scope, ServiceTarget, find_service
from rollout.cli.wiring import open_session
from rollout.errors import UsageError
from rollout.ledger.history import previous_of
from rollout.model.revision import Revision
from rollout.views.document import document
from rollout.views.inspect import inspect_document, inspect_text


@click.command("inspect")
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@click.option("--pretty", is_flag=True, help="For people.")
@click.option(
    "--format", "output", type=click.Choice(["json"]), default="json", help="For machines."
)
@options.show_secrets
@click.pass_obj
def command(
    settings: Settings, /, services: tuple[str, ...], pretty: bool, output: str, show_secrets: bool
) -> int:
    """Show a service: its definition, the one before, and where its update is.

    One object, or for several services a list of them.
    """
    del output  # json is what there is
    with open_session(settings) as session:
        targets = [find_service(session, name) for name in services]
        found = [
            (target, status)
            for target in targets
            for status in statuses(session, Scope(target.stack, target.service))
        ]
        now = session.engine.now()
    if pretty:
        texts = [inspect_text(status, now=now, show_secrets=show_secrets) for _, status in found]
        click.echo("\n\n".join(texts))
        return 0
    documents = [
        inspect_document(status, _previous(target), show_secrets=show_secrets)
        for target, status in found
    ]
    click.echo(document(documents[0] if len(services) == 1 else documents))
    return 0


def _previous(target: ServiceTarget) -> Revision | None:
    try:
        return previous_of(target.revisions)
    except UsageError:
        return None

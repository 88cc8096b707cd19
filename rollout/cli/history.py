"""`rollout history SERVICE`: every revision that is kept."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.settings import Settings
from rollout.cli.targets import find_service
from rollout.cli.wiring import open_session
from rollout.engine.protocol import Engine
from rollout.ledger.history import outcomes
from rollout.model.revision import Revision
from rollout.views.document import document
from rollout.views.history import history_documents, history_table


@click.command("history")
@click.argument("service")
@options.output_format
@options.no_trunc
@options.quiet_names
@options.show_secrets
@click.pass_obj
def command(
    settings: Settings,
    /,
    service: str,
    output: str,
    no_trunc: bool,
    quiet: bool,
    show_secrets: bool,
) -> int:
    """List the revisions of a service, oldest first: what made them and how they ended."""
    with open_session(settings) as session:
        revisions = find_service(session, service).revisions
        ended = outcomes(revisions)
        here = on_host(session.engine, revisions)
        now = session.engine.now()
    if output == "json":
        found = history_documents(
            revisions, outcomes=ended, on_host=here, show_secrets=show_secrets
        )
        click.echo(document(found))
    elif quiet:
        for revision in revisions:
            click.echo(str(revision.number))
    else:
        click.echo(
            history_table(revisions, now=now, outcomes=ended, on_host=here, trunc=not no_trunc)
        )
    return 0


def on_host(engine: Engine, revisions: tuple[Revision, ...]) -> dict[int, bool]:
    """Revision number → whether its image is still on the engine's host; each image asked once."""
    known: dict[str, bool] = {}
    found = {}
    for revision in revisions:
        image = revision.spec.task.image_id or revision.spec.task.image
        if image not in known:
            known[image] = engine.holds(image)
        found[revision.number] = known[image]
    return found

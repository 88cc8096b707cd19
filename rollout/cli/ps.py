"""`rollout ps SERVICE|STACK...`: the tasks, now and before."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.settings import Settings
from rollout.cli.targets import find_scope
from rollout.cli.wiring import open_session
from rollout.views.document import document
from rollout.views.tasks import task_documents, task_rows, task_table
from rollout.views.text import clean


@click.command("ps")
@click.argument("targets", nargs=-1, required=True, metavar="SERVICE|STACK...")
@options.output_format
@options.no_trunc
@options.quiet_names
@click.pass_obj
def command(
    settings: Settings, /, targets: tuple[str, ...], output: str, no_trunc: bool, quiet: bool
) -> int:
    """List the tasks of services or stacks, newest first, the earlier ones of a slot below it."""
    with open_session(settings) as session:
        scopes = [find_scope(session, target) for target in targets]
        tasks = {
            task.container_id: task
            for scope in scopes
            for task in session.engine.observe(scope.stack)
            if scope.covers(task.service)
        }
        rows = task_rows(tasks.values(), node=session.engine.host)
        now = session.engine.now()
    if output == "json":
        click.echo(document(task_documents(rows)))
    elif quiet:
        for row in rows:
            click.echo(clean(row.id if no_trunc else row.id[:12]))
    else:
        click.echo(task_table(rows, now=now, trunc=not no_trunc))
    return 0

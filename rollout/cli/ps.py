"""`rollout ps SERVICE|STACK...`: the tasks, now and before."""

from __future__ import annotations

import click

from rollout.cli import options
from rollout.cli.filters import Fits, chosen
from rollout.cli.options import check_output
from rollout.cli.settings import Settings
from rollout.cli.targets import find_scope
from rollout.cli.wiring import open_session
from rollout.views.document import document
from rollout.views.tasks import (
    TASK_FIELDS,
    TaskRow,
    task_documents,
    task_fields,
    task_rows,
    task_table,
)
from rollout.views.template import is_template, render
from rollout.views.text import clean

_FILTERS: dict[str, Fits[TaskRow]] = {
    "id": lambda row, value: row.id.startswith(value),
    "name": lambda row, value: row.name.startswith(value),
    "node": lambda row, value: row.node == value,
    "desired-state": lambda row, value: row.desired_state == value.lower(),
}


@click.command("ps")
@click.argument("targets", nargs=-1, required=True, metavar="SERVICE|STACK...")
@options.output_or_template
@options.filters
@options.no_trunc
@options.quiet_names
@click.pass_obj
def command(
    settings: Settings,
    /,
    targets: tuple[str, ...],
    output: str,
    filters: tuple[str, ...],
    no_trunc: bool,
    quiet: bool,
) -> int:
    """List the tasks of services or stacks, newest first, the earlier ones of a slot below it.

    Filters are id, name, node, desired-state (running, ready, shutdown).
    """
    check_output(output)
    with open_session(settings) as session:
        scopes = [find_scope(session, target) for target in targets]
        tasks = {
            task.container_id: task
            for scope in scopes
            for task in session.engine.observe(scope.stack)
            if scope.covers(task.service)
        }
        rows = chosen(task_rows(tasks.values(), node=session.engine.host), filters, _FILTERS)
        now = session.engine.now()
    if output == "json":
        click.echo(document(task_documents(rows)))
    elif quiet:
        for row in rows:
            click.echo(clean(row.id if no_trunc else row.id[:12]))
    elif is_template(output):
        click.echo(render(output, task_fields(rows, now=now, trunc=not no_trunc), TASK_FIELDS))
    else:
        click.echo(task_table(rows, now=now, trunc=not no_trunc))
    return 0

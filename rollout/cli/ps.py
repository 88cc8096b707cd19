"""`rollout ps SERVICE|STACK...`: the tasks, now and before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from rollout.cli import options
from rollout.cli.driving import found_out
from rollout.cli.filters import Fits, chosen
from rollout.cli.options import check_output
from rollout.cli.settings import Settings
from rollout.cli.status import explain_all, needs_somebody
from rollout.cli.targets import find_scope
from rollout.cli.wiring import open_session
from rollout.controller.judge import judge
from rollout.controller.look import scaled_away
from rollout.controller.session import Session, observe
from rollout.model.status import ServiceStatus
from rollout.views.document import document
from rollout.views.status import steps
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
        seen = [(scope, observe(session, scope.stack)) for scope in scopes]
        tasks = {
            task.container_id: task
            for scope, look in seen
            for task in look.tasks
            if scope.covers(task.service)
        }
        statuses = {
            (status.stack, status.service): status
            for scope, look in seen
            for status in (each.status for each in judge(look).values())
            if scope.covers(status.service)
        }
        now = session.engine.now()
        node, untils = session.engine.host, _untils(statuses.values())
        away = {task: at for _, look in seen for task, at in scaled_away(look).items()}
        every = task_rows(tasks.values(), node=node, now=now, untils=untils, scaled_away=away)
        rows = chosen(every, filters, _FILTERS)
        if output == "json":
            click.echo(_document(session, rows, tuple(statuses.values()), now))
            return 0
        _show(rows, output, now=now, trunc=not no_trunc, quiet=quiet)
        if output == "table" and not quiet:
            explain_all(session, statuses.values())
    return 0


def _untils(statuses: Iterable[ServiceStatus]) -> dict[str, float]:
    """Task id → when what it waits for is over."""
    return {
        slot.task.id: slot.until
        for status in statuses
        for slot in status.slots
        if slot.task is not None and slot.until is not None
    }


def _document(
    session: Session, rows: Iterable[TaskRow], statuses: Iterable[ServiceStatus], now: float
) -> str:
    words: dict[str, Sequence[str]] = {}
    typed: dict[str, list[str]] = {}
    for status in statuses:
        if needs_somebody(status):
            why, said = found_out(session, status)
            words |= said
            typed |= {each.task_id: [command for _, command in steps(status)] for each in why}
    return document(task_documents(rows, now=now, words=words, next_steps=typed))


def _show(rows: Sequence[TaskRow], output: str, *, now: float, trunc: bool, quiet: bool) -> None:
    if quiet:
        for row in rows:
            click.echo(clean(row.id[:12] if trunc else row.id))
    elif is_template(output):
        click.echo(render(output, task_fields(rows, now=now, trunc=trunc), TASK_FIELDS))
    else:
        click.echo(task_table(rows, now=now, trunc=trunc))

"""`rollout services [STACK]`: what is deployed."""

from __future__ import annotations

import click

from rollout.cli import messages, options
from rollout.cli.filters import Fits, chosen
from rollout.cli.look import statuses
from rollout.cli.options import check_output
from rollout.cli.settings import Settings
from rollout.cli.targets import Scope
from rollout.cli.wiring import open_session
from rollout.model.labels import full_name
from rollout.model.status import ServiceStatus
from rollout.views.document import document
from rollout.views.services import (
    SERVICE_FIELDS,
    in_order,
    service_documents,
    service_fields,
    service_table,
)
from rollout.views.template import is_template, render
from rollout.views.text import clean


def _has_label(status: ServiceStatus, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    found = status.revision.spec.labels.get(key)
    return found is not None and (not equals or found == value)


_FILTERS: dict[str, Fits[ServiceStatus]] = {
    "name": lambda each, value: full_name(each.stack, each.service).startswith(value),
    "mode": lambda each, value: each.revision.spec.mode == value.lower(),
    "label": _has_label,
}


@click.command("services")
@click.argument("stack", required=False)
@options.output_or_template
@options.filters
@options.quiet_names
@click.pass_obj
def command(
    settings: Settings,
    /,
    stack: str | None,
    output: str,
    filters: tuple[str, ...],
    quiet: bool,
) -> int:
    """List the services of a stack, or of all stacks.

    Filters are name, mode (replicated, global), label (KEY or KEY=VALUE, of deploy.labels).
    """
    check_output(output)
    with open_session(settings) as session:
        stacks = [stack] if stack else session.engine.stacks()
        every = [status for name in stacks for status in statuses(session, Scope(name))]
    found = chosen(every, filters, _FILTERS)
    if stack and not every:
        messages.warn(f"nothing found in stack: {stack}")
    if output == "json":
        click.echo(document(service_documents(found)))
    elif quiet:
        for each in in_order(found):
            click.echo(clean(full_name(each.stack, each.service)))
    elif is_template(output):
        click.echo(render(output, service_fields(found), SERVICE_FIELDS))
    elif every or not stack:
        click.echo(service_table(found))
    return 0

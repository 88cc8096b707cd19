"""`rollout scale SERVICE=N...`: set numbers of replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import click
from msgspec.structs import replace

from rollout.cli import options
from rollout.cli.again import ask_again
from rollout.cli.driving import finish, following_of, refuse_if_held, say
from rollout.cli.prepare import check, ensure
from rollout.cli.recording import record_change, still_changed
from rollout.cli.settings import Settings
from rollout.cli.targets import ServiceTarget, find_service
from rollout.cli.wiring import open_session
from rollout.controller.session import Session, observe
from rollout.errors import UsageError
from rollout.model.spec import Mode, ServiceSpec
from rollout.model.state import Cause


@click.command("scale")
@click.argument("targets", nargs=-1, required=True, metavar="SERVICE=N...")
@options.following
@click.pass_obj
def command(settings: Settings, /, targets: tuple[str, ...], **values: Any) -> int:
    """Set how many replicas services have.

    New slots get the newest definition; the highest slots go first, those that do not run before.
    """
    following = following_of(**values)
    wanted = [parse(text) for text in targets]
    with open_session(settings) as session:
        found = [(find_service(session, name, to_change=True), count) for name, count in wanted]
        for target, _ in found:
            if target.newest.spec.mode is not Mode.REPLICATED:
                raise UsageError(f"{target.name}: scale can only be used with replicated mode")
            refuse_if_held(session, target.stack, following)
        _check(session, found)
        stacks: dict[str, dict[str, Callable[[ServiceSpec], bool]]] = {}
        for target, count in found:
            wanted_spec = replace(target.newest.spec, replicas=count)
            ensure(session.engine, [wanted_spec], target.stack)
            change = partial(replace, replicas=count)
            recorded = record_change(session, target, change, Cause.SCALE)
            if not recorded.is_new:
                ask_again(session, recorded.revision, observe(session, target.stack))
            say(following, f"{target.name} scaled to {count}")
            asked = stacks.setdefault(target.stack, {})
            asked[target.service] = still_changed(recorded, change)
        codes = [
            finish(session, stack, following, asked, [*asked]) for stack, asked in stacks.items()
        ]
        return next((code for code in codes if code), 0)


def _check(session: Session, found: Iterable[tuple[ServiceTarget, int]]) -> None:
    """Of all services before any is scaled.  Raises ConflictError."""
    wanted: dict[str, list[ServiceSpec]] = {}
    for target, count in found:
        spec = replace(target.newest.spec, replicas=count)
        wanted.setdefault(target.stack, []).append(spec)
    for stack, specs in wanted.items():
        check(session, specs, stack)


def parse(text: str) -> tuple[str, int]:
    """`web=3` → web, 3.  Raises UsageError."""
    name, equals, count = text.partition("=")
    if not name or not equals:
        raise UsageError(f'invalid scale specifier "{text}"', hint="use SERVICE=REPLICAS")
    if not count.isascii() or not count.isdecimal():
        raise UsageError(f"{name}: invalid replicas value {count}", hint="use a whole number")
    return name, int(count)

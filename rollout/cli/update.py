"""`rollout update SERVICE`: change what the flags say, record it, roll it out."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import click

from rollout.cli import options
from rollout.cli.again import ask_again
from rollout.cli.driving import finish, following_of, refuse_if_held, say
from rollout.cli.edits import edit
from rollout.cli.images import Policy, resolved
from rollout.cli.prepare import check, ensure
from rollout.cli.recording import record_change, still_changed
from rollout.cli.rollback import roll_back
from rollout.cli.settings import Settings
from rollout.cli.targets import find_service
from rollout.cli.wiring import open_session
from rollout.controller.session import observe
from rollout.errors import UsageError
from rollout.model.spec import ServiceSpec
from rollout.model.state import Cause


@click.command("update")
@click.argument("service")
@options.update_flags
@click.option("--no-resolve-image", is_flag=True, help="Take the image as this host knows it.")
@click.option("--rollback", "back", is_flag=True, help="Go back to the previous definition.")
@options.registry_auth
@options.following
@click.pass_obj
def command(
    settings: Settings,
    /,
    service: str,
    no_resolve_image: bool,
    back: bool,
    **values: Any,
) -> int:
    """Change a service and roll the change out, as `docker service update` does.

    Flags that are not given leave their part of the definition alone.  Without a change nothing is
    recorded; an update that is not complete yet, or paused, goes on.
    """
    flags = options.given(values)
    following = following_of(
        **{key: values[key] for key in ("detach", "progress", "quiet", "timeout", "on_conflict")}
    )
    if back and (flags or no_resolve_image):
        raise UsageError("other flags may not be combined with --rollback")
    with open_session(settings) as session:
        target = find_service(session, service, to_change=True)
        refuse_if_held(session, target.stack, following)
        if back:
            return roll_back(session, target, None, following)

        def changed(spec: ServiceSpec) -> ServiceSpec:
            wanted = edit(spec, flags, environ=os.environ)
            if "image" in flags:
                policy = Policy(resolve="never" if no_resolve_image else "always")
                before = None if no_resolve_image else spec
                wanted = resolved(session.engine, wanted, before, policy)
            if wanted != spec:
                check(session, [wanted], target.stack)
                ensure(session.engine, [wanted], target.stack)
            return wanted

        recorded = record_change(session, target, changed, Cause.UPDATE)
        revision = recorded.revision
        if recorded.is_new:
            say(following, f"{target.name}: revision {revision.number} recorded")
        elif ask_again(session, revision, observe(session, target.stack)):
            say(following, f"{target.name}: revision {revision.number} goes on")
        else:
            say(following, f"{target.name}: nothing changed, revision {revision.number}")
        change = partial(edit, flags=flags, environ=os.environ)
        asked = {target.service: still_changed(recorded, change)}
        return finish(session, target.stack, following, asked, [target.service])

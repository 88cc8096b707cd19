"""`rollout deploy -c FILE... [STACK]`: make the engine match the file.

Everything that can be refused is refused before anything is recorded: the file, every image, every
port.  Then each service whose definition changed gets a revision, and the stack is driven to rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import click
from msgspec.structs import replace

from rollout.cli import options
from rollout.cli.adopted import adopted
from rollout.cli.again import ask_again
from rollout.cli.driving import Following, finish, following_of, refuse_if_held, say
from rollout.cli.files import load_stack, warn
from rollout.cli.images import Policy, resolved
from rollout.cli.notices import of_binds, of_orphans, of_profiles, of_volumes, orphans
from rollout.cli.prepare import check, ensure
from rollout.cli.recording import same_tasks
from rollout.cli.recovered import recovered
from rollout.cli.settings import Settings
from rollout.cli.wiring import open_session
from rollout.controller.remove import begin_removal
from rollout.controller.session import Look, Session
from rollout.errors import RolloutError, UsageError
from rollout.model.dependencies import dependencies_first
from rollout.model.labels import full_name
from rollout.model.revision import Revision
from rollout.model.spec import ServiceSpec
from rollout.model.stack import Stack
from rollout.model.state import ENDED_BADLY, Cause

Recorded = Mapping[str, tuple[Revision, ...]]


@click.command("deploy")
@click.argument("stack", required=False)
@options.compose_files
@click.option("--prune", is_flag=True, help="Remove services that are no longer in the file.")
@click.option(
    "--resolve-image",
    type=click.Choice(["always", "changed", "never"]),
    default="always",
    show_default=True,
    help="When to ask which image a tag stands for.",
)
@click.option(
    "--pull",
    type=click.Choice(["always", "missing", "never"]),
    help="When to ask a registry for it (default: the file's pull_policy, else always).",
)
@options.registry_auth
@options.following
@click.pass_obj
def command(
    settings: Settings,
    /,
    stack: str | None,
    files: tuple[str, ...],
    env_files: tuple[str, ...],
    profiles: tuple[str, ...],
    prune: bool,
    resolve_image: str,
    pull: str | None,
    **values: Any,
) -> int:
    """Make the engine match Compose files, batch by batch as their update_config says.

    STACK defaults to Compose's project name.  What is as the file says already is left alone.
    """
    wanted = load_stack(files, name=stack, env_files=env_files, profiles=profiles)
    following = following_of(**values, said=wanted.settings.progress)
    prune = _prunes(prune, wanted)
    with open_session(settings, parallel=wanted.settings.parallel) as session:
        refuse_if_held(session, wanted.name, following)
        look = adopted(session, recovered(session, wanted.name), wanted)
        recorded = look.book
        policy = Policy(resolve=resolve_image, pull=pull or "")
        specs = [_wanted(session, spec, recorded, policy) for spec in wanted.services]
        there = {*recorded, *(task.service for task in look.tasks)}
        gone = orphans(wanted, there) if prune else frozenset()
        changed = [spec for spec in specs if _is_asked_for(spec, recorded)]
        check(session, changed, wanted.name, book=recorded, going=gone)
        warn(_notices(session, wanted, specs, look, there - gone))
        session.ledger.put_contents(wanted.name, wanted.contents)
        ensure(session.engine, specs, wanted.name)
        if gone:
            # First: what is new may want what these have, and whoever drives waits for that.
            begin_removal(session, wanted.name, gone, lambda text: say(following, text))
        _record(session, wanted, specs, look, following)
        # Again: nothing had named them, and what nothing names may have been dropped.
        session.ledger.put_contents(wanted.name, wanted.contents)
        asked = {spec.name: same_tasks(spec) for spec in specs}
        return finish(session, wanted.name, following, asked)


def _wanted(session: Session, spec: ServiceSpec, recorded: Recorded, policy: Policy) -> ServiceSpec:
    """The file's definition with its image pinned and the count of forced updates carried on."""
    newest = _newest(recorded, spec.name)
    spec = resolved(session.engine, spec, newest, policy)
    if newest is None:
        return spec
    return replace(spec, task=replace(spec.task, force=newest.task.force))


def _is_asked_for(spec: ServiceSpec, recorded: Recorded) -> bool:
    """It is another definition than before, or one that is to be tried again."""
    history = recorded.get(spec.name)
    return not history or history[-1].spec != spec or history[-1].last_mark in ENDED_BADLY


def _newest(recorded: Recorded, service: str) -> ServiceSpec | None:
    revisions = recorded.get(service)
    return revisions[-1].spec if revisions else None


def _record(
    session: Session,
    wanted: Stack,
    specs: Sequence[ServiceSpec],
    look: Look,
    following: Following,
) -> None:
    recorded, quiet = look.book, True
    named = {spec.name: spec for spec in specs}
    # Whoever drives meanwhile sees what a service waits for before the service itself.
    for spec in map(named.__getitem__, dependencies_first({s.name: s.depends_on for s in specs})):
        name = full_name(wanted.name, spec.name)
        revision = session.ledger.record(wanted.name, spec, Cause.DEPLOY)
        if revision is not None:
            verb = "Updating" if spec.name in recorded else "Creating"
            say(following, f"{verb} service {name} (revision {revision.number})")
        elif ask_again(session, recorded[spec.name][-1], look):
            say(following, f"Trying service {name} again (unchanged)")
        else:
            continue
        quiet = False
    if quiet:
        say(following, f"{wanted.name}: nothing changed")


def _prunes(asked: bool, wanted: Stack) -> bool:
    """Whether services that are not in the file go.  Raises UsageError for yes and no at once."""
    if asked and wanted.settings.ignore_orphans:
        raise UsageError(
            "--prune and COMPOSE_IGNORE_ORPHANS exclude each other", hint="leave one out"
        )
    return asked or (wanted.settings.remove_orphans and not wanted.settings.ignore_orphans)


def _notices(
    session: Session,
    wanted: Stack,
    specs: Sequence[ServiceSpec],
    look: Look,
    there: Collection[str],
) -> list[str]:
    """What somebody should know before it is done."""
    before = {name: revisions[-1].spec for name, revisions in look.book.items() if revisions}
    lines = [
        *of_orphans(wanted, there),
        *of_profiles(wanted, there),
        *of_binds(wanted.name, specs, before),
    ]
    if there:
        return lines
    missing = session.engine.missing_volumes(specs, wanted.name)
    return [*lines, *of_volumes(wanted, missing, _others(session))] if missing else lines


def _others(session: Session) -> dict[str, set[tuple[str, str]]]:
    """Every other stack, and what Compose runs here, with its services and their images."""
    found: dict[str, set[tuple[str, str]]] = {}
    for name in {*session.engine.stacks(), *session.engine.projects()}:
        with contextlib.suppress(RolloutError):  # others' trouble is not ours
            tasks = session.engine.observe(name)
            found[name] = {(task.service, task.image) for task in tasks}
    return found

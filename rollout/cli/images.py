"""Images made definite before a revision is recorded, so that every task of it runs the same."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from rollout.cli.messages import warn_once
from rollout.engine.protocol import Engine
from rollout.errors import NoImageError, NotFoundError
from rollout.model.spec import ServiceSpec
from rollout.views.text import image_digest


class Policy(NamedTuple):
    """`resolve`: always, changed or never ask what an image is; `pull`: always, missing or never
    ask a registry, empty for what the file says.
    """

    resolve: str = "always"
    pull: str = ""


def resolved(
    engine: Engine, spec: ServiceSpec, newest: ServiceSpec | None, policy: Policy
) -> ServiceSpec:
    """The spec with its image pinned.  `newest` is the last recorded one, where there is one.

    Where the image as written is the same as before and need not be asked for again, what it was
    resolved to then is kept, as Swarm does.  Raises NotFoundError where nobody has the image.
    """
    written = spec.image or spec.task.image
    same = newest is not None and newest.image == written
    if policy.resolve != "always" and same and newest is not None:
        image, image_id = newest.task.image, newest.task.image_id
    elif policy.resolve == "never":
        return replace(spec, image=written)
    else:
        pull, platform = _pull_policy(spec, policy), spec.task.platform
        try:
            image, image_id = _ask(engine, written, platform, pull)
        except NoImageError as error:
            kept = _recorded(engine, newest, written, platform)
            if kept is None:
                raise
            image, image_id = kept
            warn_once(
                f"{written}: kept as it was recorded, {(image_digest(image) or image_id)[:19]}, "
                f"which this host has: its registry did not say which it is ({error.hint})"
            )
    task = replace(spec.task, image=image, image_id=image_id)
    return replace(spec, image=written, task=task)


def _recorded(
    engine: Engine, newest: ServiceSpec | None, written: str, platform: str
) -> tuple[str, str] | None:
    """What the same words stood for when they were asked for last, where the host has it still."""
    if newest is None or newest.image != written or newest.task.platform != platform:
        return None
    task = newest.task
    return (task.image, task.image_id) if engine.holds(task.image_id or task.image) else None


def _pull_policy(spec: ServiceSpec, policy: Policy) -> str:
    return policy.pull or spec.task.pull_policy or "always"


def _ask(engine: Engine, image: str, platform: str, pull: str) -> tuple[str, str]:
    if pull == "never" and not engine.holds(image):
        raise NotFoundError(
            f"no such image on this host: {image}", hint="pull it, or leave out --pull never"
        )
    found = engine.resolve(image, platform=platform, query=pull == "always")
    if found.instead:
        warn_once(found.instead)
    return found.reference, found.image_id

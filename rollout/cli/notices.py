"""What `deploy` says of what it leaves, and of what may not be meant: pure, one line each.

Orphans and services whose profiles are off stay as they are.  A checkout that was moved has other
sources for its relative binds, and the same files under another name have other volumes: both are
as the file says, and hardly what somebody wants who does not know of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from rollout.model.labels import full_name
from rollout.model.spec import ServiceSpec
from rollout.model.stack import Stack

_MOST = 5


def orphans(wanted: Stack, there: Collection[str]) -> frozenset[str]:
    """Of the services that are there, those that are no longer in the file, on or off."""
    return frozenset(there) - {spec.name for spec in wanted.services} - set(wanted.disabled)


def of_orphans(wanted: Stack, there: Collection[str]) -> Iterator[str]:
    """Nothing is said of those that are to be ignored."""
    found = orphans(wanted, there)
    if found and not wanted.settings.ignore_orphans:
        yield (
            f"{wanted.name}: orphans, services that are not in the file any more: {_named(found)} "
            "(`rollout deploy --prune` removes them)"
        )


def of_profiles(wanted: Stack, there: Collection[str]) -> Iterator[str]:
    found = set(there) & set(wanted.disabled)
    if found:
        yield (
            f"{wanted.name}: left as they are, since their profiles are off: {_named(found)} "
            "(`--profile NAME` turns one on)"
        )


def of_binds(
    stack: str, specs: Iterable[ServiceSpec], before: Mapping[str, ServiceSpec]
) -> Iterator[str]:
    """`before`: service → its newest definition.  A bind is known by where it is mounted."""
    found = []
    for spec in specs:
        known = before.get(spec.name)
        if known is None:
            continue
        sources = {each.target: each.source for each in known.task.mounts if each.type == "bind"}
        for mount in spec.task.mounts:
            source = sources.get(mount.target)
            if mount.type == "bind" and source is not None and source != mount.source:
                found.append(f"{full_name(stack, spec.name)}: {source} -> {mount.source}")
    if found:
        more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
        yield (
            f"{stack}: binds lead elsewhere than before, and the services that have them are "
            f"replaced: {', '.join(found[:_MOST])}{more} (are the files in another folder now?)"
        )


def of_volumes(
    wanted: Stack, missing: Collection[str], others: Mapping[str, Collection[tuple[str, str]]]
) -> Iterator[str]:
    """Of a stack that is new here.  `missing`: its volumes that are not there yet; `others`: stack
    → its services, each with its image."""
    ours = {(spec.name, repository(spec.image or spec.task.image)) for spec in wanted.services}
    same = [
        name
        for name, services in others.items()
        if name != wanted.name
        and ours <= {(service, repository(image)) for service, image in services}
    ]
    if same and missing:
        yield (
            f"{wanted.name}: a new stack with the services of {_named(same)}, under a name of its "
            f"own: its volumes are new and empty: {_named(missing)}"
        )


def repository(image: str) -> str:
    """Without tag and digest: the same files may ask for another version."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

"""What an engine is too old for, found before anything is touched.  Pure.

The engine itself would leave out what it does not know, and say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollout.engine.docker.placeholders import not_filled
from rollout.model.spec import Mount, ServiceSpec

Version = tuple[int, ...]

START_INTERVAL = (1, 44)
_ANNOTATIONS = (1, 43)
_RECURSIVE = (1, 44)
_SUBPATH = (1, 45)
_ENABLE_IPV4 = (1, 47)
_RELEASES: dict[Version, str] = {
    _ANNOTATIONS: "Docker 24",
    _RECURSIVE: "Docker 25",
    _SUBPATH: "Docker 26",
    _ENABLE_IPV4: "Docker 28",
}


def too_old_for(spec: ServiceSpec, api: Version) -> list[str]:
    """Why a service cannot run here, one line each."""
    return [
        f"{what} needs a newer engine ({_RELEASES[since]})"
        for what, since in _needs(spec)
        if api < since
    ]


def left_out(spec: ServiceSpec, api: Version) -> list[str]:
    """What is done without on this engine, and placeholders that nobody fills in."""
    named = [
        f"{each} is no placeholder that is known here: it stays as it is written"
        for each in not_filled(spec.task)
    ]
    check = spec.task.healthcheck
    if check is not None and check.start_interval_s is not None and api < START_INTERVAL:
        named.append("healthcheck.start_interval needs a newer engine (Docker 25): ignored")
    return named


def _needs(spec: ServiceSpec) -> Iterator[tuple[str, Version]]:
    if spec.task.annotations:
        yield "annotations", _ANNOTATIONS
    for mount in spec.task.mounts:
        yield from _mount_needs(mount)
    for network in spec.networks:
        if not network.enable_ipv4:
            yield f"network {network.key}: enable_ipv4: false", _ENABLE_IPV4


def _mount_needs(mount: Mount) -> Iterator[tuple[str, Version]]:
    if mount.recursive in ("writable", "readonly"):
        yield f"{mount.target}: bind.recursive: {mount.recursive}", _RECURSIVE
    if mount.subpath:
        yield f"{mount.target}: volume.subpath", _SUBPATH

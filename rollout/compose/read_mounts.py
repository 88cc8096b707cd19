"""A service's volumes and tmpfs, as the model has them: sorted by where they are mounted."""

from __future__ import annotations

import posixpath
import re

from rollout.compose.node import Node, Report, shown
from rollout.model.spec import Mount, Volume
from rollout.model.units import parse_size

_FLAGS = frozenset({"rw", "noexec", "nosuid", "nodev"})
"""What the engine does anyway."""
_OPTION = re.compile(
    r"exec|suid|dev|(no)?(sync|async|atime|diratime|relatime|strictatime|dirsync|mand)"
    r"|(uid|gid|nr_blocks|nr_inodes)=[0-9]{1,18}|mpol=[a-z0-9:,=-]{1,64}",
    re.ASCII,
)
"""What an engine passes on to the kernel."""
_MODE = re.compile(r"0?[0-7]{3,4}", re.ASCII)


def read_volumes(root: Node) -> dict[str, Volume]:
    """The named volumes a project uses, by their key in the file."""
    return {key: _volume(key, each) for key, each in root.entries_at("volumes").items()}


def _volume(key: str, node: Node) -> Volume:
    return Volume(
        key=key,
        name=node.get("name"),
        external=node.get("external", default=False),
        driver=node.get("driver", default=""),
        driver_opts=node.texts("driver_opts"),
        labels=node.texts("labels"),
    )


def read_mounts(
    service: Node, path: str, volumes: dict[str, Volume], report: Report
) -> tuple[Mount, ...]:
    found = [_mount(each, volumes) for each in service.items_at("volumes")]
    found += [
        _tmpfs(each, f"{path}.tmpfs[{number}]", report)
        for number, each in enumerate(service.items_at("tmpfs"))
    ]
    return tuple(sorted(found, key=lambda mount: mount.target))


def _mount(node: Node, volumes: dict[str, Volume]) -> Mount:
    kind, source = node.get("type"), node.get("source", default="")
    size = node.get("tmpfs", "size")
    # The long form creates a missing folder only if it says `bind:`, the short form always does.
    creates = node.get("bind", "create_host_path", default=node.find("bind") is not None)
    return Mount(
        type=kind,
        target=node.get("target"),
        source=volumes[source].name if kind == "volume" and source else source,
        read_only=node.get("read_only", default=False),
        propagation=node.get("bind", "propagation", default=""),
        create_host_path=creates if kind == "bind" else True,
        no_copy=node.get("volume", "nocopy", default=False),
        subpath=node.get("volume", "subpath", default=""),
        recursive=node.get("bind", "recursive", default=""),
        labels=node.texts("volume", "labels"),
        tmpfs_size=None if size is None else int(size),
        tmpfs_mode=node.get("tmpfs", "mode"),
        selinux=node.get("bind", "selinux", default=""),
        consistency=node.get("consistency", default=""),
    )


def _tmpfs(node: Node, path: str, report: Report) -> Mount:
    """`/run:size=64m,mode=1777`"""
    target, _, options = node.value.partition(":")
    size: int | None = None
    mode: int | None = None
    read_only = False
    others: list[str] = []
    if not target.startswith("/"):
        report.error(node.mark, path, f"{shown(target)} is not an absolute path in the container")
    for option in filter(None, options.split(",")):
        name, _, value = option.partition("=")
        if name == "size" and (size := _size(value)) is not None:
            continue
        if name == "mode" and _MODE.fullmatch(value):
            mode = int(value, 8)
        elif option == "ro":
            read_only = True
        elif _OPTION.fullmatch(option):
            others.append(option)
        elif option not in _FLAGS:
            what = f"the option {shown(option)} is not supported"
            report.error(node.mark, path, what, "use size= and mode=")
    return Mount(
        type="tmpfs",
        target=posixpath.normpath(target),
        read_only=read_only,
        tmpfs_size=size,
        tmpfs_mode=mode,
        tmpfs_options=tuple(sorted(others)),
    )


def _size(value: str) -> int | None:
    try:
        return parse_size(value) if len(value) < 32 else None
    except ValueError:
        return None

"""Mounts as the engine wants them, and configs and secrets as files to be put into a container.

A bind mount whose host path may be created goes the old way (`Binds`) on engines before API 1.42:
their `Mounts` cannot create it.  So does one with an SELinux label, on all of them.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable
from typing import Any

from rollout.errors import ImpossibleError, NotFoundError
from rollout.model.spec import FileMount, Mount, TaskSpec

Json = dict[str, Any]

_CREATE_MOUNTPOINT = (1, 42)
_RECURSIVE = {
    "disabled": "NonRecursive",
    "writable": "ReadOnlyNonRecursive",
    "readonly": "ReadOnlyForceRecursive",
}


def binds_and_mounts(spec: TaskSpec, api: tuple[int, ...]) -> tuple[list[str], list[Json]]:
    """`HostConfig.Binds` and `HostConfig.Mounts`."""
    old_way = [each for each in spec.mounts if _needs_binds(each, api)]
    mounts = [
        _mount(each) for each in spec.mounts if each not in old_way and not each.tmpfs_options
    ]
    return [_bind(each) for each in old_way], mounts + _file_volumes(spec)


def tmpfs(spec: TaskSpec) -> dict[str, str]:
    """`HostConfig.Tmpfs`: for options that `Mounts` does not know."""
    return {each.target: _tmpfs_options(each) for each in spec.mounts if each.tmpfs_options}


def _tmpfs_options(mount: Mount) -> str:
    said = [] if mount.tmpfs_size is None else [f"size={mount.tmpfs_size}"]
    said += [] if mount.tmpfs_mode is None else [f"mode={mount.tmpfs_mode:o}"]
    return ",".join((*said, *(["ro"] if mount.read_only else []), *mount.tmpfs_options))


def file_archives(
    spec: TaskSpec, contents: Callable[[str], bytes]
) -> tuple[tuple[str, bytes], ...]:
    """Configs and secrets as tar archives, each with the folder it is to be unpacked in."""
    if not spec.files:
        return ()
    if not spec.read_only:
        return (("/", _tar([(each.target.lstrip("/"), each) for each in spec.files], contents)),)
    # A read-only root takes nothing: each folder is a volume there, and is unpacked by itself.
    return tuple(
        (
            folder,
            _tar(
                [
                    (posixpath.basename(each.target), each)
                    for each in spec.files
                    if posixpath.dirname(each.target) == folder
                ],
                contents,
            ),
        )
        for folder in _folders(spec)
    )


def _tar(files: list[tuple[str, FileMount]], contents: Callable[[str], bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, file in files:
            content = _content(file, contents)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = file.mode
            entry.uid, entry.gid = _number(file.uid, file), _number(file.gid, file)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _content(file: FileMount, contents: Callable[[str], bytes]) -> bytes:
    try:
        return contents(file.digest)
    except NotFoundError as error:
        raise NotFoundError(
            f"{file.kind} {file.source}: {error.message}", hint=error.hint
        ) from None


def _number(text: str, file: FileMount) -> int:
    try:
        return int(text)
    except ValueError:
        raise ImpossibleError(
            f'{file.kind} {file.source}: "{text}" is not a user or group id', hint="use a number"
        ) from None


def _folders(spec: TaskSpec) -> list[str]:
    return sorted({posixpath.dirname(each.target) for each in spec.files})


def _file_volumes(spec: TaskSpec) -> list[Json]:
    """Anonymous volumes for the folders of configs and secrets that the container's own file system
    does not show: under a read-only root, under a tmpfs.  The engine copies into them what the
    image has there.
    """
    if spec.read_only and "/" in _folders(spec):
        raise ImpossibleError(
            "a read-only service cannot have a config or secret directly under /",
            hint="mount it in a folder, for example /run/secrets",
        )
    taken = {each.target for each in spec.mounts}
    hidden = [folder for folder in file_folders(spec) if folder not in taken]
    return [{"Type": "volume", "Target": folder} for folder in hidden]


def file_folders(spec: TaskSpec) -> tuple[str, ...]:
    """Folders of configs and secrets that take no file unless they are a volume."""
    return tuple(
        folder
        for folder in _folders(spec)
        if (spec.read_only or _is_under_tmpfs(folder, spec)) and not _is_under_data(folder, spec)
    )


def _is_under_data(folder: str, spec: TaskSpec) -> bool:
    """What is there is to be seen still."""
    return any(
        mount.type != "tmpfs" and folder.startswith(mount.target.rstrip("/") + "/")
        for mount in spec.mounts
    )


def _is_under_tmpfs(folder: str, spec: TaskSpec) -> bool:
    return any(
        mount.type == "tmpfs" and folder.startswith(mount.target.rstrip("/") + "/")
        for mount in spec.mounts
    )


def _needs_binds(mount: Mount, api: tuple[int, ...]) -> bool:
    if mount.type != "bind":
        return False
    return bool(mount.selinux) or (mount.create_host_path and api < _CREATE_MOUNTPOINT)


def _bind(mount: Mount) -> str:
    options = [
        "ro" if mount.read_only else "rw",
        *([mount.selinux] if mount.selinux else []),
        *([mount.propagation] if mount.propagation else []),
    ]
    return f"{mount.source}:{mount.target}:{','.join(options)}"


def _mount(mount: Mount) -> Json:
    result: Json = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.source:
        result["Source"] = mount.source
    if mount.consistency:
        result["Consistency"] = mount.consistency
    match mount.type:
        case "bind":
            result["BindOptions"] = _bind_options(mount)
        case "volume":
            result["VolumeOptions"] = _volume_options(mount)
        case "tmpfs":
            sizes = {"SizeBytes": mount.tmpfs_size, "Mode": mount.tmpfs_mode}
            result["TmpfsOptions"] = {k: v for k, v in sizes.items() if v is not None}
    return result


def _bind_options(mount: Mount) -> Json:
    options: Json = {"Propagation": mount.propagation} if mount.propagation else {}
    if mount.create_host_path:
        options["CreateMountpoint"] = True
    if mount.recursive:
        options[_RECURSIVE[mount.recursive]] = True
    return options


def _volume_options(mount: Mount) -> Json:
    said = {"NoCopy": mount.no_copy, "Subpath": mount.subpath, "Labels": mount.labels}
    return {key: value for key, value in said.items() if value}

"""Names our process, so that another on the same kernel can tell whether it still lives.

A process id means something only within one boot and one process namespace: a holder in a container
is not compared with one outside it, and is waited for like one on another host.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
from pathlib import Path

_CONTAINER = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf) ")
_NAMESPACES = ("pid", "time")
"""Ids are counted in the first, start times in the second."""
_ENDED = ("Z", "X")
_START = 19
"""Place of the start time among the fields of `stat` that follow the name, from 0."""


def owner() -> str:
    """`user@host (pid 4711)`, for people."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (pid {os.getpid()})"


def identity() -> str:
    """`<kernel> <pid> <start>`, for `is_gone`."""
    fields = _stat(os.getpid())
    return " ".join((_kernel(), str(os.getpid()), fields[_START] if fields else ""))


def is_gone(process: str) -> bool:
    """Known to have ended.  False where that cannot be told: another host, another namespace."""
    try:
        kernel, number, started = process.split(" ")
        pid = int(number)
    except ValueError:
        return False
    if kernel != _kernel() or not started or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it is another user's, so it is there
    fields = _stat(pid)
    if not fields:
        return False  # `/proc` hides the processes of others
    return fields[0] in _ENDED or fields[_START] != started


def own_container() -> str:
    """The full id of the container that we run in; empty where that cannot be told, or in none.

    Docker mounts a container's own `hostname` and `resolv.conf` from a folder that has its id.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = _CONTAINER.search(mounts)
    return found.group(1) if found else ""


def _kernel() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        spaces = [Path(f"/proc/self/ns/{name}") for name in _NAMESPACES]
        return "/".join([boot, *(str(each.stat().st_ino) for each in spaces if each.exists())])
    except OSError:
        return f"unknown-{secrets.token_hex(4)}"


def _stat(pid: int) -> list[str]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()

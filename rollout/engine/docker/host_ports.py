"""Ports of the host that a process holds which is in no container.

Only the engine's own host can tell, so what is found here counts only where this is surely that
host: the engine is reached by a socket file, has the same host name, and its bridge is an interface
here.  Anywhere else the engine finds out at the start.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from rollout.model.claims import on_same_address

_LISTENS = {"tcp": "0A", "udp": "07"}
"""State of a socket that keeps others from binding its port: TCP's LISTEN, UDP's unconnected."""
_PROC = Path("/proc")


class Listener(Struct, frozen=True):
    protocol: str
    address: str
    port: int
    inode: str


def is_here(host: str, bridge: str) -> bool:
    """An engine with that host name, and that subnet on its bridge, runs in the network that this
    process sees."""
    subnet = ip_network(bridge, strict=False)
    mine = (ip_address(each) for each in _own_addresses())
    return host == socket.gethostname() and any(each in subnet for each in mine)


def listeners() -> tuple[Listener, ...]:
    """Everything that listens here."""
    found: list[Listener] = []
    for protocol, state in _LISTENS.items():
        for name in (protocol, f"{protocol}6"):
            with contextlib.suppress(OSError):
                text = (_PROC / "net" / name).read_text()
                found += parsed(text, protocol, state)
    return tuple(found)


def parsed(text: str, protocol: str, state: str) -> Iterator[Listener]:
    """What a table of /proc/net says."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != state:
            continue
        address, _, port = fields[1].partition(":")
        if protocol == "udp" and fields[2].strip("0:"):
            continue
        yield Listener(protocol, _address(address), int(port, 16), fields[9])


def holder_of_port(
    found: Iterable[Listener], port: int, protocol: str, address: str
) -> Listener | None:
    """Who keeps an engine from binding a port.  Whether one that listens on all addresses of IPv6
    takes those of IPv4 along is not seen from outside: it does not count against a single one."""
    for each in found:
        if (each.port, each.protocol) != (port, protocol):
            continue
        if each.address == "::" and address not in ("", "0.0.0.0", "::"):  # noqa: S104
            continue
        if on_same_address(each.address, address):
            return each
    return None


def process_of(inode: str) -> str:
    """`nginx (pid 7)`, as far as we may know."""
    wanted = f"socket:[{inode}]"
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            for link in (entry / "fd").iterdir():
                if str(link.readlink()) == wanted:
                    name = (entry / "comm").read_text().strip()
                    return f"{name} (pid {entry.name})"
    return ""


def _address(text: str) -> str:
    """`0100007F` → `127.0.0.1`: words of four bytes, each in the host's own order."""
    words = [text[at : at + 8] for at in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", int(word, 16)) for word in words)
    address = ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _own_addresses() -> Iterator[str]:
    """Addresses of this host's interfaces: the local ones of the kernel's own table."""
    with contextlib.suppress(OSError):
        lines = (_PROC / "net" / "fib_trie").read_text().splitlines()
        for line, after in pairwise(lines):
            if "/32 host LOCAL" in after:
                yield line.split()[-1]

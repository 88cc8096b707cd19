"""The small languages of single flags: ports, mounts, networks, `KEY=VALUE`, numbers.

Each function takes what was typed and returns model values; what does not fit raises UsageError,
naming the flag.  Rules as in `docker service update`.
"""

from __future__ import annotations

import csv
import posixpath
import re
import shlex
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from rollout.compose.values import is_image
from rollout.errors import UsageError
from rollout.model.spec import Mount, NetworkAttachment, Port, Ulimit
from rollout.model.units import parse_duration, parse_size

_PORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<published>[0-9]+(?:-[0-9]+)?)?:)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>[a-z]+))?"
)
_PROTOCOLS = ("tcp", "udp", "sctp")
_MODES = ("ingress", "host")
_MOUNT_TYPES = ("volume", "bind", "tmpfs", "npipe", "cluster")
_TRUE = frozenset({"", "1", "true", "t"})
_FALSE = frozenset({"0", "false", "f"})


def wrong(flag: str, text: str, why: str) -> UsageError:
    return UsageError(f'invalid argument "{text}" for --{flag}: {why}')


def image(flag: str, text: str) -> str:
    if not text.strip():
        raise wrong(flag, text, "an image cannot be empty")
    if not is_image(text):
        raise wrong(flag, text, "not an image reference such as registry:5000/name:tag")
    return text


def duration(flag: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise wrong(flag, text, str(error)) from None
    if seconds < 0:
        raise wrong(flag, text, "a duration cannot be negative")
    return seconds


def size(flag: str, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise wrong(flag, text, str(error)) from None


def size_or_unlimited(flag: str, text: str) -> int:
    return -1 if text == "-1" else size(flag, text)


def nano_cpus(flag: str, text: str) -> int:
    try:
        cpus = Decimal(text)
    except InvalidOperation:
        raise wrong(flag, text, "use a number of CPUs, for example 0.5") from None
    if not cpus.is_finite() or cpus < 0:
        raise wrong(flag, text, "use a number of CPUs, for example 0.5")
    return int(cpus * 10**9)


def words(flag: str, text: str) -> tuple[str, ...] | None:
    """A command line split as a shell would; empty means the image's own."""
    try:
        return tuple(shlex.split(text)) or None
    except ValueError as error:
        raise wrong(flag, text, str(error).lower()) from None


def key_value(flag: str, text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    if not key:
        raise wrong(flag, text, "use KEY=VALUE")
    return key, value


def variable(flag: str, text: str, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """`KEY=VALUE`, or `KEY` alone for the value it has here; None where it has none."""
    key, equals, value = text.partition("=")
    if not key:
        raise wrong(flag, text, "use KEY=VALUE or KEY")
    return key, value if equals else environ.get(key)


def ulimit(flag: str, text: str) -> tuple[str, Ulimit]:
    name, value = key_value(flag, text)
    soft, _, hard = value.partition(":")
    try:
        return name, Ulimit(soft=int(soft), hard=int(hard or soft))
    except ValueError:
        raise wrong(flag, text, "use NAME=SOFT[:HARD]") from None


def host_entry(flag: str, text: str) -> str:
    name, _, address = text.partition(":")
    if not name or not address:
        raise wrong(flag, text, "use HOST:IP")
    return text


def port(flag: str, text: str) -> tuple[Port, ...]:
    """Short `[IP:][PUBLISHED:]TARGET[/PROTOCOL]`, ranges too, or long `published=…,target=…`."""
    if "=" in text:
        return (_long_port(flag, text),)
    match = _PORT.fullmatch(text)
    if match is None:
        raise wrong(flag, text, "use PUBLISHED:TARGET[/tcp|udp] or published=…,target=…,mode=…")
    targets = _range(flag, text, match["target"])
    published = _range(flag, text, match["published"]) if match["published"] else None
    protocol = _one_of(flag, text, match["protocol"] or "tcp", _PROTOCOLS, "protocol")
    ip = (match["ip"] or "").strip("[]")
    first, last = targets
    if published is None:
        pairs: list[tuple[int, tuple[int, int] | None]] = [
            (target, None) for target in range(first, last + 1)
        ]
    elif first == last:
        pairs = [(first, published)]
    elif published[1] - published[0] == last - first:
        shift = published[0] - first
        pairs = [(each, (each + shift, each + shift)) for each in range(first, last + 1)]
    else:
        raise wrong(flag, text, "both ranges must be of the same length")
    return tuple(
        Port(target=target, published=span, protocol=protocol, host_ip=ip) for target, span in pairs
    )


def _long_port(flag: str, text: str) -> Port:
    fields = _fields(flag, text, ("target", "published", "protocol", "mode", "host_ip"))
    if "target" not in fields:
        raise wrong(flag, text, "target= is missing")
    first, last = _range(flag, text, fields["target"])
    if first != last:
        raise wrong(flag, text, "target must be one port")
    return Port(
        target=first,
        published=_range(flag, text, fields["published"]) if fields.get("published") else None,
        protocol=_one_of(flag, text, fields.get("protocol", "tcp"), _PROTOCOLS, "protocol"),
        host_ip=fields.get("host_ip", ""),
        mode=_one_of(flag, text, fields.get("mode", "ingress"), _MODES, "mode"),
    )


def _range(flag: str, text: str, ports: str) -> tuple[int, int]:
    first, _, last = ports.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise wrong(flag, text, f'"{ports}" is not a port')
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise wrong(flag, text, "ports are 1 to 65535, the lower one first")
    return low, high


def mount(flag: str, text: str) -> Mount:
    """`type=volume|bind|tmpfs,source=…,target=…,readonly,…`, as `docker run --mount`."""
    known = (
        "type", "source", "src", "target", "destination", "dst", "readonly", "ro", "consistency",
        "bind-propagation", "bind-create-src", "volume-nocopy", "volume-subpath", "tmpfs-size",
        "tmpfs-mode",
    )  # fmt: skip
    fields = _fields(flag, text, known)
    kind = _one_of(flag, text, fields.get("type", "volume"), _MOUNT_TYPES, "type")
    source = fields.get("source", fields.get("src", ""))
    target = fields.get("target", fields.get("destination", fields.get("dst", "")))
    if not posixpath.isabs(target):
        raise wrong(flag, text, "target= must be an absolute path")
    if kind == "bind" and not posixpath.isabs(source):
        raise wrong(flag, text, "bind source path must be absolute")
    tmpfs_size, mode = fields.get("tmpfs-size"), fields.get("tmpfs-mode")
    return Mount(
        type=kind,
        source="" if kind == "tmpfs" else source,
        target=target,
        read_only=_switch(flag, text, fields.get("readonly", fields.get("ro"))),
        propagation=fields.get("bind-propagation", ""),
        create_host_path=_switch(flag, text, fields.get("bind-create-src")),
        no_copy=_switch(flag, text, fields.get("volume-nocopy")),
        subpath=fields.get("volume-subpath", ""),
        tmpfs_size=None if tmpfs_size is None else size(flag, tmpfs_size),
        tmpfs_mode=None if mode is None else _octal(flag, text, mode),
        consistency=fields.get("consistency", ""),
    )


def network(flag: str, text: str) -> NetworkAttachment:
    """A name, or `name=…,alias=…,ip=…`."""
    if "=" not in text:
        return NetworkAttachment(name=text)
    parts = _parts(flag, text)
    aliases = tuple(part.partition("=")[2] for part in parts if part.startswith("alias="))
    options = dict(
        key_value(flag, part.partition("=")[2]) for part in parts if part.startswith("driver-opt=")
    )
    fields = _fields(flag, text, ("name", "alias", "driver-opt", "ip", "ip6"))
    if not fields.get("name"):
        raise wrong(flag, text, "name= is missing")
    return NetworkAttachment(
        name=fields["name"],
        aliases=aliases,
        ipv4_address=fields.get("ip", ""),
        ipv6_address=fields.get("ip6", ""),
        driver_opts=options,
    )


def _parts(flag: str, text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration):
        raise wrong(flag, text, "use KEY=VALUE,KEY=VALUE") from None


def _fields(flag: str, text: str, known: tuple[str, ...]) -> dict[str, str]:
    fields = {}
    for part in _parts(flag, text):
        key, _, value = part.partition("=")
        key = key.strip().lower()
        if key not in known:
            raise wrong(flag, text, f'unexpected key "{key}", known are {", ".join(known)}')
        fields[key] = value
    return fields


def _one_of(flag: str, text: str, value: str, choices: tuple[str, ...], what: str) -> str:
    if value not in choices:
        raise wrong(flag, text, f'{what} "{value}" is not one of {", ".join(choices)}')
    return value


def _switch(flag: str, text: str, value: str | None) -> bool:
    if value is None or value.lower() in _FALSE:
        return False
    if value.lower() in _TRUE:
        return True
    raise wrong(flag, text, f'"{value}" is neither true nor false')


def _octal(flag: str, text: str, value: str) -> int:
    try:
        return int(value, 8)
    except ValueError:
        raise wrong(flag, text, f'"{value}" is not an octal mode') from None

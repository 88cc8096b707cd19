"""Short forms → long forms: ports, volumes, devices, configs, secrets, env_file, externals.

The long form is what schema.py checks, merges and prints.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from rollout.compose.node import BAD, Node, Report, shown
from rollout.compose.values import BadValueError, ip_address, string, string_or_number

_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_PROPAGATIONS = frozenset({"rprivate", "private", "rshared", "shared", "rslave", "slave"})
_MAX_PORTS = 1000


def mapping(node: Node, **values: Any) -> Node:
    """A mapping that stands where `node` was written."""
    return node.of({key: Node(value, node.mark, node.key) for key, value in values.items()})


def key_value(item: str) -> tuple[str, str | None]:
    key, equals, value = item.partition("=")
    return key, value if equals else None


def name_only(item: str) -> tuple[str, None]:
    return item, None


def ports(node: Node, path: str, report: Report) -> list[Node]:
    """`8000-8001:80-81/udp` → two ports; a range before a single port stays a range."""
    if isinstance(node.value, dict):
        return [node]
    try:
        return [mapping(node, **port) for port in _ports(string_or_number(node.value))]
    except BadValueError as wrong:
        report.error(node.mark, path, wrong.message, wrong.hint)
        return []


def _ports(spec: str) -> list[dict[str, Any]]:
    addresses, _, protocol = spec.partition("/")
    address, host, container = _three(addresses)
    if not container:
        raise BadValueError(f"{shown(spec)} has no container port", "write host:container")
    first, last = _range(container, spec)
    low, high = _range(host, spec) if host else (0, 0)
    if host and high - low != last - first and first != last:
        raise BadValueError(f"{shown(spec)}: the two ranges are not of the same length")
    if last - first >= _MAX_PORTS:
        raise BadValueError(f"{shown(spec)} is more than {_MAX_PORTS} ports")
    found = []
    for offset in range(last - first + 1):
        published = host if first == last else str(low + offset)
        port: dict[str, Any] = {"mode": "ingress", "target": first + offset}
        if address:
            port["host_ip"] = _host_ip(address, spec)
        if host:
            port["published"] = published if "-" in published else str(int(published))
        found.append({**port, "protocol": protocol.lower() or "tcp"})
    return found


def _host_ip(address: str, spec: str) -> str:
    if ":" in address and not (address[0] == "[" and address[-1] == "]"):
        hint = f"write [{address}]"
        raise BadValueError(f"{shown(spec)}: an IPv6 address stands in brackets", hint)
    return ip_address(address)


def _three(addresses: str) -> tuple[str, str, str]:
    parts = addresses.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _range(text: str, spec: str) -> tuple[int, int]:
    match = _PORT.fullmatch(text)
    if match is None:
        raise BadValueError(
            f"{shown(spec)}: {shown(text)} is not a port", "use for example 8080:80"
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last or last > 65535:
        raise BadValueError(f"{shown(spec)}: {shown(text)} is not a port or range up to 65535")
    return first, last


def volume(node: Node, _path: str, _report: Report) -> Node:
    """`source:target:options`; a source that is a path is bound, any other names a volume."""
    if isinstance(node.value, dict):
        target = node.value.get("target")
        if target is not None and isinstance(target.value, str):
            return node.of({**node.value, "target": target.of(_clean(target.value))})
        return node
    spec = string(node.value)
    if not spec:
        raise BadValueError("must not be empty", "write source:target")
    if len(spec) <= 2:
        return mapping(node, type="volume", target=spec)
    parts = _sections(spec)
    if len(parts) == 1:
        return _volume(node, "", parts[0], "")
    return _volume(node, parts[0], parts[1], parts[2] if len(parts) > 2 else "")


def _sections(spec: str) -> list[str]:
    r"""At the colons, but not the one of a Windows drive (`C:\data`)."""
    parts: list[str] = []
    for part in spec.split(":"):
        if parts and len(parts[-1]) == 1 and parts[-1].isalpha():
            parts[-1] += f":{part}"
        else:
            parts.append(part)
    if "" in parts:
        raise BadValueError(f"{shown(spec)} has nothing between two colons")
    if len(parts) > 3:
        raise BadValueError(f"{shown(spec)} has too many colons", "write source:target:options")
    return parts


def _volume(node: Node, source: str, target: str, options: str) -> Node:
    given = options.split(",") if options else []
    bind: dict[str, Node] = {}
    for option in given:
        if option in _PROPAGATIONS:
            bind["propagation"] = node.of(option)
        elif option in ("z", "Z"):
            bind["selinux"] = node.of(option)
    is_path = is_file_path(source)
    if is_path:
        bind["create_host_path"] = node.of(True)
    nocopy = {"nocopy": node.of(True)} if "nocopy" in given else {}
    entries: dict[str, Any] = {"type": "bind" if is_path else "volume"}
    if source:
        entries["source"] = source
    entries["target"] = _clean(target)
    switches = [option for option in given if option in ("ro", "rw")]
    if switches and switches[-1] == "ro":
        entries["read_only"] = True
    if bind:
        entries["bind"] = bind
    if nocopy or not is_path:
        entries["volume"] = nocopy
    return mapping(node, **entries)


def is_file_path(source: str) -> bool:
    return source[:1] in ("/", ".", "~") or source.startswith("\\\\") or source[1:2] == ":"


def _clean(target: str) -> str:
    return posixpath.normpath(target) if target else target


def device(node: Node, _path: str, _report: Report) -> Node:
    if isinstance(node.value, dict):
        return node
    parts = string(node.value).split(":")
    if not parts[0] or len(parts) > 3:
        raise BadValueError(f"{shown(node.value)} is not a device", "write source:target:rwm")
    target = parts[1] if len(parts) > 1 and parts[1] else parts[0]
    return mapping(
        node, source=parts[0], target=target, permissions=parts[2] if len(parts) > 2 else "rwm"
    )


def file_mount(node: Node, _path: str, _report: Report) -> Node:
    """A config or secret by its name."""
    return node if isinstance(node.value, dict) else mapping(node, source=string(node.value))


def include(node: Node, _path: str, _report: Report) -> Node:
    return node if isinstance(node.value, dict) else mapping(node, path=string(node.value))


def extends(node: Node, _path: str, _report: Report) -> Node:
    """Another service of the same file, by its name."""
    return node if isinstance(node.value, dict) else mapping(node, service=string(node.value))


def env_file(node: Node, _path: str, _report: Report) -> Node:
    return node if isinstance(node.value, dict) else mapping(node, path=string(node.value))


def build(node: Node, _path: str, _report: Report) -> Node:
    return mapping(node, context=node.value) if isinstance(node.value, str) else node


def external(node: Node, path: str, report: Report) -> Node:
    """The old `external: {name: X}` → `name: X` and `external: true`."""
    entries = node.entries
    old = entries.get("external")
    if old is None or not isinstance(old.value, dict):
        return node
    report.warn(f"{path}: external.name is deprecated, set name and external: true")
    entries = {**entries, "external": old.of(True)}
    if name := old.value.get("name"):
        if "name" in entries and entries["name"].value != name.value:
            raise BadValueError("name and external.name differ", "use name alone")
        entries["name"] = name
    return node.of(entries)


def condition(node: Node, _path: str, _report: Report) -> Node:
    """A dependency from a list: it must have been started."""
    if node.value is None and node.key is None:
        return mapping(node, condition="service_started", required=True)
    return node


def gpu(node: Node, path: str, report: Report) -> list[Node]:  # noqa: ARG001  the interface
    """`gpus: all` → one request for all of them."""
    return [mapping(node, count=-1)] if node.value == "all" else [node]


def not_empty(node: Node, _path: str, _report: Report) -> list[Node]:
    """A variable that is empty adds nothing to the list."""
    return [] if node.value == "" else [node]


def device_request(node: Node, _path: str, _report: Report) -> Node:
    """Where neither a count nor ids are given, all devices are meant."""
    if not isinstance(node.value, dict):
        return node
    entries = node.entries
    if "count" in entries and "device_ids" in entries:
        raise BadValueError("count and device_ids cannot stand together", "leave one out")
    if "count" in entries or "device_ids" in entries:
        return node
    return node.of({**entries, "count": node.of(-1)})


def shell_test(text: str) -> list[str]:
    """A healthcheck's test as one text: run by the container's shell."""
    return ["CMD-SHELL", text]


def hosts(entries: dict[str, Node]) -> list[Node]:
    """`extra_hosts` as a mapping → its list form; a host may have several addresses."""
    return [
        address if address.tag == BAD else address.of(f"{host}={string(address.value)}")
        for host, node in entries.items()
        for address in (node.items or [node])
    ]


def host(value: Any) -> str:
    """`name:ip` or `name=ip` → `name=ip`, an IPv6 address without its brackets."""
    text = string(value)
    name, equals, address = text.partition("=")
    if not equals:
        name, _, address = text.partition(":")
    if not address:
        raise BadValueError(f"{shown(text)} has no address", "write name:address")
    if not name or ":" in name:
        raise BadValueError(f"{shown(text)} has no valid host name", "write name:address")
    if address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    return f"{name}={address}"

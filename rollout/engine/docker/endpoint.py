"""Which engine is meant: flags, environment and the Docker CLI's contexts → one endpoint.

The order is the Docker CLI's: `-H`, `--context`, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current
context of `config.json`, the default socket.  A context that does not exist is an error and never
the local engine: the SDK would silently take that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from rollout.errors import UsageError
from rollout.model.secrets import without_secrets

DEFAULT_HOST = "unix:///var/run/docker.sock"
_SCHEMES = ("unix", "tcp", "http", "https", "ssh")
_PORT, _TLS_PORT = 2375, 2376
"""Where no port is said, as the Docker CLI has it."""
_ADDRESSES = "use unix:///path, tcp://host:port or ssh://user@host"


class Tls(Struct, frozen=True, kw_only=True):
    """Paths of PEM files; empty where there is none."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


class Endpoint(Struct, frozen=True, kw_only=True):
    host: str
    """`unix:///path`, `tcp://host:port` or `ssh://[user@]host[:port][/socket]`."""
    tls: Tls | None = None
    said_by: str = "the default"
    """Where the host was read, for errors: `-H`, `DOCKER_HOST`, `context "prod"`."""

    @property
    def scheme(self) -> str:
        return self.host.partition("://")[0]

    def __str__(self) -> str:
        return self.host


def find_endpoint(host: str | None, context: str | None, environ: Mapping[str, str]) -> Endpoint:
    """The engine to talk to.  Raises UsageError for contradictions and unknown contexts."""
    config = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "~"), ".docker"))
    config = config.expanduser()
    if host and context:
        raise UsageError("-H and --context name two engines", hint="give one of them")
    if host:
        return _of_host(host, "-H", config, environ)
    if context:
        return _of_context(context, f'context "{context}"', config, environ)
    if named := environ.get("DOCKER_HOST"):
        return _of_host(named, "DOCKER_HOST", config, environ)
    if named := environ.get("DOCKER_CONTEXT"):
        return _of_context(named, f'DOCKER_CONTEXT "{named}"', config, environ)
    if named := _read(config / "config.json").get("currentContext"):
        return _of_context(str(named), f'current context "{named}"', config, environ)
    return _of_host(DEFAULT_HOST, "the default", config, environ)


def _of_host(host: str, said_by: str, config: Path, environ: Mapping[str, str]) -> Endpoint:
    tls = _tls_of_environment(host, config, environ)
    return Endpoint(host=_checked(host, said_by, tls=tls is not None), tls=tls, said_by=said_by)


def _of_context(name: str, said_by: str, config: Path, environ: Mapping[str, str]) -> Endpoint:
    if name == "default":
        return _of_host(environ.get("DOCKER_HOST") or DEFAULT_HOST, said_by, config, environ)
    meta_dir = config / "contexts" / "meta"
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    docker = _inside(_inside(_read(meta_dir / digest / "meta.json"), "Endpoints"), "docker")
    if not docker.get("Host"):
        known = sorted({"default", *_context_names(meta_dir)})
        raise UsageError(
            f"{said_by}: no such context",
            hint=f"known: {', '.join(known)}; `docker context ls` shows them",
        )
    pem = config / "contexts" / "tls" / digest / "docker"
    skip = bool(docker.get("SkipTLSVerify"))
    tls = _tls_in(pem, verify=not skip) if pem.is_dir() or skip else None
    host = _checked(str(docker["Host"]), said_by, tls=tls is not None)
    return Endpoint(host=host, tls=tls, said_by=said_by)


def _context_names(meta_dir: Path) -> list[str]:
    found = (_read(path).get("Name") for path in meta_dir.glob("*/meta.json"))
    return [str(name) for name in found if name]


def _tls_of_environment(host: str, config: Path, environ: Mapping[str, str]) -> Tls | None:
    """`DOCKER_TLS_VERIFY` and `DOCKER_TLS`, as the Docker CLI reads them."""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if host.startswith(("unix:", "ssh:")) or not (verify or environ.get("DOCKER_TLS")):
        return None
    return _tls_in(Path(environ.get("DOCKER_CERT_PATH") or config), verify=verify)


def _tls_in(folder: Path, *, verify: bool) -> Tls:
    ca, cert, key = (
        str(path) if (path := folder / f"{name}.pem").is_file() else ""
        for name in ("ca", "cert", "key")
    )
    return Tls(ca=ca, cert=cert, key=key, verify=verify)


def _checked(host: str, said_by: str, *, tls: bool) -> str:
    """The address in the form of `Endpoint.host`.  Raises UsageError for what cannot be one."""
    scheme, separator, rest = host.partition("://")
    if not separator:
        # The Docker CLI takes a bare `host:port` for TCP.
        scheme, rest = "tcp", host
    if scheme not in _SCHEMES or not rest or not host.isprintable():
        raise _no_address(host, said_by)
    if scheme in ("unix", "ssh"):
        # What an ssh address may hold is for whoever makes the command line of it.
        return host
    return f"tcp://{_with_port(rest, host, said_by, _TLS_PORT if tls else _PORT)}"


def _with_port(rest: str, host: str, said_by: str, default: int) -> str:
    """`foo` → `foo:2375`, `[::1]:1` as it is; `foo:99999` and `me@foo` are refused."""
    parts = _split(f"tcp://{rest}", host, said_by)
    try:
        port = parts.port
    except ValueError:
        raise _no_address(host, said_by, "its port is no number from 1 to 65535") from None
    if port == 0:
        raise _no_address(host, said_by, "its port is no number from 1 to 65535")
    odd = "@" in parts.netloc or parts.query or parts.fragment or not parts.netloc
    if odd or any(map(str.isspace, rest)):
        raise _no_address(host, said_by)
    name, _, _ = parts.netloc.rpartition(":") if port else (parts.netloc.removesuffix(":"), "", "")
    if ":" in name and not name.startswith("["):
        raise _no_address(host, said_by, f"an IPv6 address stands in brackets: [{name}]")
    return f"{name}:{port or default}{parts.path}"


def _split(url: str, host: str, said_by: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _no_address(host, said_by) from None


def _no_address(host: str, said_by: str, why: str = "") -> UsageError:
    shown = without_secrets(host if host.isprintable() else ascii(host)[1:-1])
    because = f": {why}" if why else ""
    return UsageError(f'{said_by}: "{shown}" is not an engine\'s address{because}', hint=_ADDRESSES)


def _inside(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none, as the Docker CLI treats it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

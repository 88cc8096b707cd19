"""Which engine is meant, in the Docker CLI's order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rollout.engine.docker.endpoint import DEFAULT_HOST, Endpoint, Tls, find_endpoint
from rollout.engine.docker.transport import ssh_command
from rollout.errors import UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two contexts: `prod` with TLS, `far` over ssh."""
    docker = tmp_path / ".docker"
    for name, host in (("prod", "tcp://prod:2376"), ("far", "ssh://me@far")):
        digest = hashlib.sha256(name.encode()).hexdigest()
        meta = docker / "contexts" / "meta" / digest
        meta.mkdir(parents=True)
        content = {"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
        (meta / "meta.json").write_text(json.dumps(content))
        if name == "prod":
            pem = docker / "contexts" / "tls" / digest / "docker"
            pem.mkdir(parents=True)
            (pem / "ca.pem").write_text("ca")
    return tmp_path


def _host(home: Path, *, host: str = "", context: str = "", **environ: str) -> str:
    return find_endpoint(host or None, context or None, {"HOME": str(home), **environ}).host


def test_the_default_is_the_local_socket(tmp_path: Path) -> None:
    assert _host(tmp_path) == DEFAULT_HOST


def test_the_order_of_what_is_said(home: Path) -> None:
    """-H, --context, DOCKER_HOST, DOCKER_CONTEXT, the current context."""
    (home / ".docker" / "config.json").write_text('{"currentContext": "far"}')
    environ = {"DOCKER_HOST": "tcp://env:1", "DOCKER_CONTEXT": "prod"}

    assert _host(home) == "ssh://me@far"
    assert _host(home, DOCKER_CONTEXT="prod") == "tcp://prod:2376"
    assert _host(home, **environ) == "tcp://env:1"
    assert _host(home, context="far", **environ) == "ssh://me@far"
    assert _host(home, host="unix:///x.sock", **environ) == "unix:///x.sock"
    assert _host(home, context="default") == DEFAULT_HOST
    assert _host(home, DOCKER_CONFIG=str(home / "elsewhere")) == DEFAULT_HOST


def test_a_context_brings_its_certificates(home: Path) -> None:
    found = find_endpoint(None, "prod", {"HOME": str(home)})

    assert found.tls is not None
    assert found.tls.ca.endswith("docker/ca.pem")
    assert found.tls.verify
    assert found.tls.cert == ""


def test_tls_of_the_environment(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text(name)
    environ = {"HOME": "/", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}

    found = find_endpoint("tcp://x:2376", None, environ)

    pem = [str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")]
    assert found.tls == Tls(ca=pem[0], cert=pem[1], key=pem[2], verify=True)
    assert find_endpoint("unix:///x", None, environ).tls is None


def test_an_unknown_context_names_the_known_ones(home: Path) -> None:
    """Never the local engine in its place."""
    with pytest.raises(UsageError) as caught:
        _host(home, DOCKER_CONTEXT="nope")

    assert str(caught.value) == (
        'DOCKER_CONTEXT "nope": no such context '
        "(known: default, far, prod; `docker context ls` shows them)"
    )


def test_two_engines_at_once(home: Path) -> None:
    with pytest.raises(UsageError, match="name two engines"):
        _host(home, host="tcp://x:1", context="prod")


@pytest.mark.parametrize(
    "host",
    [
        "ftp://x", "unix://", "npipe:////./pipe/docker", "tcp://", " ", "tcp://a b:1", "//foo",
        "tcp://foo:0", "tcp://foo:99999", "tcp://foo:-1", "foo:abc", "tcp://foo:١٢", "tcp://::1",
        "::1", "tcp://[::1", "tcp://foo]:1", "tcp://[zz]:1", "tcp://u:p@foo:1", "tcp://foo?x=1",
        "tcp://foo#x", "TCP://foo", "tcp:///x", "tcp://x\x1b:1", "unix:///\udcff", "tcp:foo",
    ],
)  # fmt: skip
def test_not_an_address(host: str) -> None:
    """Said before anything is asked; the SDK would answer with errors of its own."""
    for given, environ in ((host, {}), (None, {"DOCKER_HOST": host})):
        with pytest.raises(UsageError, match="is not an engine's address") as caught:
            find_endpoint(given, None, environ)
        assert str(caught.value).isprintable()
        assert "u:p@" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("foo", "tcp://foo:2375"),
        ("tcp://foo", "tcp://foo:2375"),
        ("tcp://foo:", "tcp://foo:2375"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("[::1]:1", "tcp://[::1]:1"),
        ("tcp://:7", "tcp://:7"),
        ("tcp://foo/below", "tcp://foo:2375/below"),
    ],
)
def test_the_port_may_be_left_out(host: str, meant: str) -> None:
    """As with the Docker CLI: 2375, with TLS 2376."""
    assert find_endpoint(host, None, {}).host == meant
    with_tls = find_endpoint(host, None, {"DOCKER_TLS_VERIFY": "1"}).host
    assert with_tls == meant.replace("2375", "2376")


@pytest.mark.parametrize(
    "meta",
    ["[]", '{"Endpoints": []}', '{"Endpoints": {"docker": 5}}', '{"Endpoints": null}', "{"],
)
def test_a_context_that_makes_no_sense_is_no_context(home: Path, meta: str) -> None:
    digest = hashlib.sha256(b"prod").hexdigest()
    (home / ".docker" / "contexts" / "meta" / digest / "meta.json").write_text(meta)

    for name in ("prod", "\udcff"):
        with pytest.raises(UsageError, match="no such context"):
            _host(home, context=name)


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("box:2375", "tcp://box:2375"),
        ("http://box:2375", "tcp://box:2375"),
        ("https://box:2376", "tcp://box:2376"),
    ],
)
def test_addresses_as_the_docker_cli_takes_them(host: str, meant: str) -> None:
    assert find_endpoint(host, None, {}) == Endpoint(host=meant, said_by="-H")


@pytest.mark.parametrize(
    ("host", "end"),
    [
        ("ssh://far", ["--", "far", "docker", "system", "dial-stdio"]),
        (
            "ssh://me@far:22",
            ["-l", "me", "-p", "22", "--", "far", "docker", "system", "dial-stdio"],
        ),
        (
            "ssh://far/run/docker.sock",
            ["--", "far", "docker", "--host", "unix:///run/docker.sock", "system", "dial-stdio"],
        ),
    ],
)
def test_ssh_command_lines(host: str, end: list[str]) -> None:
    command = ssh_command(host)

    assert command[: -len(end)] == [
        "ssh", "-T", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15",
    ]  # fmt: skip
    assert command[-len(end) :] == end


@pytest.mark.parametrize(
    "host",
    [
        "ssh://",
        "ssh://me:secret@far",
        "ssh://far/a;reboot",
        "ssh://far:99999",
        "ssh://f?a=b",
        "ssh://[",
    ],
)
def test_ssh_addresses_that_are_refused(host: str) -> None:
    """Nothing of an address reaches the remote shell unquoted."""
    with pytest.raises(UsageError):
        ssh_command(host)

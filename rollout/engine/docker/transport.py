"""How requests reach an engine: a Unix socket, the ssh program, or TCP.

Unix and ssh share one pool of connections for every URL.  (The SDK's own adapters key their pools
by full URL, so that each container id opens a socket or an ssh process of its own.)

ssh is the program itself, run as `ssh … docker system dial-stdio` with one end of a socket pair as
its stdin and stdout: the user's configuration, jump hosts and agents count, and a real socket can
be shut down from another thread.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import threading
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from rollout.engine.docker.faults import DialError
from rollout.errors import UsageError
from rollout.model.secrets import without_secrets

_POOL_SIZE = 32
_CONNECT_TIMEOUT_S = 30.0
_SSH_STOP_S = 2.0


class Link(Protocol):
    """One open way to the engine."""

    socket: socket.socket

    def last_words(self) -> str:
        """Why it ended, where it can say; empty while it is up."""
        ...


class Dialer(Protocol):
    """Opens links, and ends at `close` whatever stands behind them."""

    def dial(self) -> Link: ...

    def close(self) -> None: ...


class UnixLink:
    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(_CONNECT_TIMEOUT_S)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def last_words(self) -> str:
        return ""


class UnixDialer:
    def __init__(self, path: str) -> None:
        self._path = path

    def dial(self) -> Link:
        return UnixLink(self._path)

    def close(self) -> None: ...


class SshLink:
    """A running ssh; its stderr is kept in a file, so that a full pipe can never stop it.

    It ends by itself when the last reader of the socket is gone: a response may still be read when
    its connection has been closed.
    """

    def __init__(self, command: list[str]) -> None:
        self.socket, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        try:
            self.process = subprocess.Popen(  # noqa: S603  an argument list, no shell
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._stderr,
                start_new_session=True,  # Ctrl-C is for us, not for the connection
            )
        except OSError as error:
            self.socket.close()
            self._stderr.close()
            raise DialError(f"cannot run {command[0]}: {error.strerror}") from error
        finally:
            theirs.close()

    def last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(_SSH_STOP_S)
            self._stderr.seek(0)
            lines = self._stderr.read().decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else f"ssh ended with exit code {code}"
        return ""

    def end(self) -> None:
        """Waits for the process, and makes it end where it has not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_SSH_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._stderr.close()


class SshDialer:
    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._links: list[SshLink] = []
        self._lock = threading.Lock()

    def dial(self) -> Link:
        link = SshLink(self._command)
        with self._lock:
            ended = [each for each in self._links if each.process.poll() is not None]
            self._links = [each for each in self._links if each not in ended] + [link]
        for each in ended:
            each.end()
        return link

    def close(self) -> None:
        with self._lock:
            links, self._links = self._links, []
        for each in links:
            each.end()


def ssh_command(host: str) -> list[str]:
    """The ssh command line of `ssh://[user@]host[:port][/socket]`.  Raises UsageError."""
    try:
        parts = urlsplit(host)
        port = parts.port
    except ValueError:
        parts, port = urlsplit("ssh://"), 0
    if not parts.hostname or port == 0 or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f'"{without_secrets(host)}" is not an ssh address',
            hint="use ssh://user@host:port; a password belongs to ssh's own agent",
        )
    command = ["ssh", "-T", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15"]
    command += ["-l", parts.username] if parts.username else []
    command += ["-p", str(port)] if port else []
    command += ["--", parts.hostname, "docker"]
    if len(parts.path) > 1:
        # The remote shell reads this: only what needs no quoting may pass.
        if not all(char.isalnum() or char in "/._-" for char in parts.path):
            raise UsageError(f'"{host}": a socket\'s path may hold letters, digits and /._-')
        command += ["--host", f"unix://{parts.path}"]
    return [*command, "system", "dial-stdio"]


class _Connection(HTTPConnection):
    def __init__(self, dialer: Dialer) -> None:
        super().__init__("localhost")
        self._dialer = dialer
        self._link: Link | None = None

    def connect(self) -> None:
        self._link = self._dialer.dial()
        self.sock = self._link.socket

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except ConnectionError as error:
            # "Remote end closed connection" says little; ssh has said why.
            if self._link is not None and (said := self._link.last_words()):
                raise DialError(said) from error
            raise


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, dialer: Dialer) -> None:
        super().__init__("localhost", maxsize=_POOL_SIZE, block=False)
        self._dialer = dialer

    def _new_conn(self) -> Any:
        return _Connection(self._dialer)


class OnePoolAdapter(HTTPAdapter):
    """Sends every URL over connections of one pool."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._pool = _Pool(dialer)
        super().__init__()

    def get_connection(self, *_: Any, **__: Any) -> Any:
        return self._pool

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Any:
        return self._pool

    def request_url(self, request: PreparedRequest, *_: Any, **__: Any) -> str:
        return request.path_url

    def close(self) -> None:
        super().close()
        self._pool.close()
        self._dialer.close()


class KeepAliveAdapter(HTTPAdapter):
    """TCP, with probes: an event stream over a dead link ends after a minute, not never."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=_POOL_SIZE)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        probes = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):  # macOS has names of its own
                probes.append((socket.IPPROTO_TCP, getattr(socket, name), value))
        options = [*HTTPConnection.default_socket_options, *probes]
        super().init_poolmanager(*args, socket_options=options, **kwargs)

"""An endpoint → a working connection: transport, TLS, API version.

One ping checks that an engine answers and says which API version it speaks.  We speak the lower of
that and our own newest, never above what was tested.
"""

from __future__ import annotations

from requests.adapters import HTTPAdapter

from rollout.engine.docker.api import Api, new_client, ping
from rollout.engine.docker.endpoint import Endpoint
from rollout.engine.docker.retry import OnRetry
from rollout.engine.docker.transport import (
    KeepAliveAdapter,
    OnePoolAdapter,
    SshDialer,
    UnixDialer,
    ssh_command,
)
from rollout.errors import EngineUnavailableError, RolloutError

NEWEST = "1.51"
"""Docker 28.5, the newest that all tests have been run on."""
OLDEST = "1.40"
"""Docker 19.03."""


def open_api(endpoint: Endpoint, timeout_s: float, on_retry: OnRetry) -> Api:
    """Raises EngineUnavailableError with a hint where nobody answers, or not to us."""
    adapter = _adapter(endpoint)
    try:
        theirs = ping(new_client(endpoint, adapter, NEWEST, timeout_s), endpoint)
        version = negotiated(theirs, endpoint)
    except RolloutError:
        adapter.close()
        raise
    return Api(new_client(endpoint, adapter, version, timeout_s), endpoint, on_retry)


def knock(endpoint: Endpoint, timeout_s: float) -> None:
    """Asks for a sign of life over a connection of its own.  Raises EngineUnavailableError."""
    adapter = _adapter(endpoint)
    try:
        ping(new_client(endpoint, adapter, NEWEST, timeout_s), endpoint)
    finally:
        adapter.close()


def negotiated(theirs: str, endpoint: Endpoint) -> str:
    """The API version both speak.  Raises EngineUnavailableError where there is none."""
    try:
        number = _number(theirs)
    except ValueError:
        number = (0,)
    if number < _number(OLDEST):
        raise EngineUnavailableError(
            f"{endpoint}: the engine speaks API {theirs} at most, rollout needs {OLDEST}",
            hint="upgrade the engine to Docker 19.03 or newer",
        )
    return min(theirs, NEWEST, key=_number)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _adapter(endpoint: Endpoint) -> HTTPAdapter:
    match endpoint.scheme:
        case "unix":
            return OnePoolAdapter(UnixDialer(endpoint.host.removeprefix("unix://")))
        case "ssh":
            return OnePoolAdapter(SshDialer(ssh_command(endpoint.host)))
        case _:
            return KeepAliveAdapter()

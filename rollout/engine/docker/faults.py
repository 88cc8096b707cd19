"""What can go wrong between us and an engine, turned into `rollout.errors`.

The SDK lets three families through: its own exceptions, those of requests and urllib3, and bare
OSErrors.  Each becomes one line: what was being done, what the engine or the system said.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator

from requests import exceptions as requests_errors
from urllib3 import exceptions as urllib3_errors

from rollout.engine.docker.endpoint import Endpoint
from rollout.errors import ConflictError, EngineError, EngineUnavailableError, NotFoundError
from rollout.model.secrets import without_secrets

LINK_FAULTS = (
    requests_errors.RequestException,
    urllib3_errors.HTTPError,
    OSError,
)
"""What a broken connection raises; a `RequestException` is an OSError too, said for the reader."""

_OF_STATUS: dict[int, type[EngineError]] = {404: NotFoundError, 409: ConflictError}
_LAYERS = (
    re.compile(r"^failed to create (shim )?task.*?: OCI runtime create failed: "),
    re.compile(r"^OCI runtime create failed: "),
    re.compile(r"^runc create failed: "),
    re.compile(r"^unable to start container process: "),
    re.compile(r": unknown$"),
    re.compile(r"^driver failed programming external connectivity on endpoint \S+ \(\w+\): "),
    re.compile(r"^Error starting userland proxy: "),
)
_HINTS = (
    ("port is already allocated", "free the port, or publish another"),
    ("address already in use", "free the port, or publish another"),
    ("no space left on device", "free space on the engine's host: docker system df"),
)
_BAD_REQUEST = 400
_MAY_COME = ("does not exist", "no such container", "could not get container")
"""What a 400 speaks of that somebody may yet make: a path, a container."""
_NEVER = (
    "storage-opt",
    "unknown option",
    "invalid --security-opt",
    "invalid isolation",
    "cannot be higher than",
)
"""Settings that some engines refuse with a 500."""
CHECK_ADDRESS = "check the address given with -H, --context or DOCKER_HOST"
_START_IT = "is Docker running? start it, or name another engine with -H or --context"


class DialError(ConnectionError):
    """The program that makes the connection says why there is none."""


class TimedOutError(EngineUnavailableError):
    """The engine took longer than we wait.  What was asked for may still be done: look again."""


class LinkError(EngineUnavailableError):
    """The connection was refused or lost on the way: what was asked for may have been done."""


def translate(error: Exception, doing: str, endpoint: Endpoint) -> EngineError:
    """Our error for any exception of a call; `doing` is `inspect container web.1`."""
    response = getattr(error, "response", None)
    if response is not None:
        status = int(response.status_code)
        said = plain(getattr(error, "explanation", None) or response.reason or "")
        kind = _OF_STATUS.get(status, EngineError)
        hint = next((hint for words, hint in _HINTS if words in said), "")
        return kind(f"{doing}: {said or f'HTTP {status}'}", status=status, hint=hint)
    if any(_is_timeout(each) for each in _chain(error)):
        return TimedOutError(
            f"{doing}: no answer from {endpoint} in time", hint="the engine is slow or hangs"
        )
    if isinstance(error, requests_errors.SSLError):
        return EngineUnavailableError(
            f"{endpoint}: TLS failed: {one_line(str(_root(error)))}",
            hint="check the certificates (DOCKER_CERT_PATH, DOCKER_TLS_VERIFY)",
        )
    if isinstance(error, requests_errors.InvalidJSONError):
        return LinkError(f"{doing}: {endpoint} gave an answer that makes no sense")
    if isinstance(error, LINK_FAULTS):
        return _link(error, doing, endpoint)
    return EngineError(f"{doing}: {one_line(str(error)) or type(error).__name__}")


def is_refusal(error: EngineError) -> bool:
    """The engine refuses a definition: what it was asked for is wrong, or not possible on it."""
    said = error.message.lower()
    return error.status == _BAD_REQUEST or (
        error.status > _BAD_REQUEST and any(words in said for words in _NEVER)
    )


def can_never_work(error: EngineError) -> bool:
    """It is refused, and nothing that happens outside changes that."""
    said = error.message.lower()
    return is_refusal(error) and not any(words in said for words in _MAY_COME)


def plain(text: str) -> str:
    """What an engine says, on one line, without the layers it went through.

    `failed to create shim task: OCI runtime create failed: … process: exec: "/x": …: unknown`
    → `exec: "/x": …`
    """
    said = one_line(text)
    for layer in _LAYERS:
        said = layer.sub("", said)
    return without_secrets(said)


def one_line(text: str) -> str:
    """Without control characters, line breaks and the full stop that some errors end with."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split()).removesuffix(".")


def _is_timeout(error: BaseException) -> bool:
    """urllib3 derives "could not connect" from a time-out of connecting; it is none."""
    return isinstance(
        error, TimeoutError | requests_errors.Timeout | urllib3_errors.TimeoutError
    ) and not isinstance(error, urllib3_errors.NewConnectionError)


def _link(error: Exception, doing: str, endpoint: Endpoint) -> EngineUnavailableError:
    said_by = "" if endpoint.said_by == "the default" else f" (from {endpoint.said_by})"
    numbers = {each.errno for each in _chain(error) if isinstance(each, OSError)}
    by_program = next((each for each in _chain(error) if isinstance(each, DialError)), None)
    if by_program is not None:
        return LinkError(f"{endpoint}{said_by}: {one_line(str(by_program))}")
    if errno.EACCES in numbers or errno.EPERM in numbers:
        return EngineUnavailableError(
            f"{endpoint}{said_by}: permission denied",
            hint="join the group docker (sudo usermod -aG docker $USER, then log in again), "
            "or name another engine with -H",
        )
    if errno.ENOENT in numbers or errno.ECONNREFUSED in numbers:
        return LinkError(f"no engine answers at {endpoint}{said_by}", hint=_START_IT)
    if any(isinstance(each, socket.gaierror) for each in _chain(error)):
        return LinkError(
            f"{endpoint}{said_by}: the name of its host is not known", hint=CHECK_ADDRESS
        )
    reason = one_line(str(_root(error))) or type(error).__name__
    return LinkError(f"{doing}: the connection to {endpoint}{said_by} failed: {reason}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was made from: causes, contexts, and errors among its arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _root(error: Exception) -> BaseException:
    *_, last = _chain(error)
    return last

"""The engine's API, call by call: raw JSON in and out, our errors, time-outs and retries.

The only module that imports the Docker SDK, and only its low-level client: its typed helpers lose
fields.  What that client has no method for goes through its session (`exec`, `logs`, `pull`).
"""

from __future__ import annotations

import contextlib
import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from docker import APIClient, auth
from docker.errors import APIError, DockerException
from docker.types.daemon import CancellableStream
from requests import Response
from requests.adapters import HTTPAdapter

from rollout.engine.docker.endpoint import Endpoint
from rollout.engine.docker.faults import CHECK_ADDRESS, LINK_FAULTS, one_line, translate
from rollout.engine.docker.retry import Again, OnRetry, retried
from rollout.engine.docker.streams import frames, raise_pull_error
from rollout.engine.docker.tally import Tally
from rollout.errors import EngineError, EngineUnavailableError, UsageError
from rollout.model.spec import Hook

Json = dict[str, Any]
T = TypeVar("T")

_SILENCE_S = 600.0
"""How long a pull may say nothing (unpacking one large layer is silent), and a hook."""
_REGISTRY_S = 20.0
_CONNECT_S = 10.0
"""How long an address may say nothing at all when it is first knocked at."""


class Stream(Generic[T]):
    """What the engine sends until it ends, or is closed from another thread.

    One that is lost, or silent for too long, ends too; with `lost` it raises that error instead.
    """

    def __init__(
        self,
        pieces: Iterator[T],
        answer: Response,
        lost: Callable[[Exception], EngineError] | None = None,
    ) -> None:
        self._stream = CancellableStream(pieces, answer)
        self._lost = lost

    def __iter__(self) -> Iterator[T]:
        # Cut off in the middle: requests wraps the fault, and half a line is no JSON.  A response
        # that another thread closes loses its file under the reader.
        try:
            yield from self._stream
        except (*LINK_FAULTS, ValueError, AttributeError) as error:
            if self._lost is not None:
                raise self._lost(error) from error

    def close(self) -> None:
        self._lost = None
        with contextlib.suppress(OSError, AttributeError):  # it had ended by itself
            self._stream.close()


class Api:
    """Safe to use from many threads: the session's pool gives each call a connection of its own."""

    def __init__(self, client: APIClient, endpoint: Endpoint, on_retry: OnRetry) -> None:
        self._client = client
        self._endpoint = endpoint
        self.on_retry = on_retry
        self.tally = Tally()
        self.version = tuple(int(part) for part in client.api_version.split("."))
        """`(1, 41)`"""

    @property
    def by_socket(self) -> bool:
        """Reached by a socket file: the engine may well be on this host."""
        return self._endpoint.scheme == "unix"

    # -- containers

    def containers(self, labels: Sequence[str], **filters: list[str]) -> list[Json]:
        wanted = {"label": list(labels), **filters}
        return self._many(
            "list containers",
            lambda: self._client.containers(all=True, filters=wanted),
            Again.FAULTS,
        )

    def inspect(self, container: str) -> Json:
        """By id or name.  Raises NotFoundError."""
        return self._one(
            f"inspect container {_short(container)}",
            lambda: self._client.inspect_container(container),
            Again.FAULTS,
        )

    def create(self, name: str, config: Json, platform: str = "") -> str:
        """The container's id.  Raises ConflictError where the name is taken, which may be by an
        earlier try of this very call, and NotFoundError where the image is not there.
        """
        made = self._do(
            f"create {name}",
            lambda: self._client.create_container_from_config(config, name, platform or None),
            Again.LINK,
        )
        return str(made["Id"])

    def start(self, container: str) -> None:
        self._do(f"start {_short(container)}", lambda: self._client.start(container), Again.NOTHING)

    def stop(self, container: str, grace_s: int) -> None:
        """Returns when it has ended, at once where it had.  Raises TimedOutError when the engine
        is still at it long after the grace period.
        """
        self._do(
            f"stop {_short(container)}",
            lambda: self._client.stop(container, timeout=grace_s),
            Again.LINK,
        )

    def remove(self, container: str, *, volumes: bool, force: bool = False) -> None:
        """With `volumes`, those go with it that its definition does not name; what another
        container has, too, stays."""
        self._do(
            f"remove {_short(container)}",
            lambda: self._client.remove_container(container, v=volumes, force=force),
            Again.FAULTS,
        )

    def rename(self, container: str, name: str) -> None:
        self._do(
            f"rename {_short(container)}", lambda: self._client.rename(container, name), Again.LINK
        )

    def set_restart(self, container: str, policy: Json) -> None:
        body = {"RestartPolicy": policy}
        self._do(
            f"set the restart policy of {_short(container)}",
            lambda: self._send("POST", f"/containers/{quote(container)}/update", body=body),
            Again.FAULTS,
        )

    def put_archive(self, container: str, path: str, tar: bytes) -> None:
        self._do(
            f"copy files into {_short(container)}",
            lambda: self._client.put_archive(container, path, tar),
            Again.FAULTS,
        )

    def changes(self, container: str) -> list[Json]:
        """Paths that a container has beside its image, each with its kind: 1 is one more."""
        return self._many(
            f"compare {_short(container)} with its image",
            lambda: self._client.diff(container) or [],
            Again.FAULTS,
        )

    def stat(self, container: str, path: str) -> Json:
        """Size, mode and time of a file in a container.  Raises NotFoundError."""

        def look() -> Any:
            at = f"/containers/{container}/archive"
            answer = self._send("HEAD", at, params={"path": path})
            return json.loads(b64decode(answer.headers["X-Docker-Container-Path-Stat"]))

        return self._one(f"look at {path} in {_short(container)}", look, Again.FAULTS)

    def get_archive(self, container: str, path: str) -> bytes:
        """A file of a container as a tar archive."""

        def read() -> bytes:
            at = f"/containers/{container}/archive"
            return self._send("GET", at, params={"path": path}).content

        found: bytes = self._do(f"read {path} of {_short(container)}", read, Again.FAULTS)
        return found

    def execute(self, container: str, hook: Hook) -> tuple[int, str]:
        """Runs a command in a container: exit code and what it printed."""
        environment = {key: text for key, text in hook.environment.items() if text is not None}

        def run() -> tuple[int, str]:
            made = self._client.exec_create(
                container,
                list(hook.command),
                user=hook.user,
                privileged=hook.privileged,
                workdir=hook.working_dir or None,
                environment=environment,
            )
            path = f"/exec/{made['Id']}/start"
            body = {"Detach": False, "Tty": False}
            answer = self._send("POST", path, body=body, timeout_s=_SILENCE_S)
            printed = b"".join(content for _, content in frames([answer.content]))
            code = self._client.exec_inspect(made["Id"])["ExitCode"]
            return int(code or 0), printed.decode(errors="replace")

        result: tuple[int, str] = self._do(
            f"run {hook.command[0]} in {_short(container)}", run, Again.NOTHING
        )
        return result

    # -- logs and events

    def logs(
        self, container: str, *, follow: bool, tail: int | None, since: float | None, tty: bool
    ) -> Stream[tuple[str, bytes]]:
        """Pieces of output, each with the name of its stream; each line begins with its time.

        Followed, it may be silent for ever; else it raises EngineError where it is cut short.
        """
        doing = f"read the logs of {_short(container)}"
        query = {
            "stdout": "1",
            "stderr": "1",
            "timestamps": "1",
            "follow": "1" if follow else "0",
            "tail": "all" if tail is None else str(tail),
            **({} if since is None else {"since": f"{since:.9f}"}),
        }
        path = f"/containers/{quote(container)}/logs"
        answer = self._do(
            doing,
            lambda: self._send("GET", path, params=query, stream=True, patient=follow),
            Again.LINK,
        )
        pieces = answer.iter_content(None)
        parts = (("stdout", each) for each in pieces) if tty else frames(pieces)
        lost = None if follow else (lambda error: translate(error, doing, self._endpoint))
        return Stream(parts, answer, lost)

    def events(
        self, filters: Mapping[str, list[str]], *, since: float, until: float | None = None
    ) -> Stream[Json]:
        """Ends without a word when the connection is lost, or silent for as long as a call may be,
        since a stalled stream looks like a quiet one: look again then.

        `since` and `until` are on the engine's clock; it remembers its last 256 events.  Without
        `until` the stream goes on with what happens from now on.
        """
        query = {"filters": json.dumps(filters), "since": f"{since:.9f}"}
        if until is not None:
            query["until"] = f"{until:.9f}"
        answer = self._do(
            "watch events",
            lambda: self._send("GET", "/events", params=query, stream=True),
            Again.NOTHING,
        )
        return Stream((json.loads(line) for line in answer.iter_lines() if line), answer)

    # -- images

    def image(self, reference: str) -> Json:
        """Raises NotFoundError where the host does not have it."""
        return self._one(
            f"inspect image {reference}",
            lambda: self._client.inspect_image(reference),
            Again.FAULTS,
        )

    def images(self, repository: str) -> list[Json]:
        """All that the host has of a repository, those without a tag too."""
        filters = {"reference": [repository]}
        return self._many(
            "list images",
            lambda: self._client.images(all=True, filters=filters),
            Again.FAULTS,
        )

    def distribution(self, reference: str) -> Json:
        """What the registry says of an image."""
        return self._one(
            f"ask the registry for {reference}",
            lambda: self._send(
                "GET",
                f"/distribution/{quote(reference, safe='/:')}/json",
                headers=self._credentials(reference),
                timeout_s=_REGISTRY_S,
            ).json(),
            Again.NOTHING,
        )

    def pull(self, reference: str, tag: str, platform: str = "") -> None:
        """`tag` may be a digest.  Raises NotFoundError or EngineError with the registry's words."""
        doing = f"pull {reference}{'@' if tag.startswith('sha256:') else ':'}{tag}"
        query = {"fromImage": reference, "tag": tag, **({"platform": platform} if platform else {})}

        def run() -> None:
            answer = self._send(
                "POST",
                "/images/create",
                params=query,
                headers=self._credentials(reference),
                timeout_s=_SILENCE_S,
                stream=True,
            )
            for line in answer.iter_lines():
                raise_pull_error(line, doing)

        self._do(doing, run, Again.LINK)

    def streamed(self, doing: str, call: Callable[[APIClient], Iterable[Json]]) -> Iterator[Json]:
        """What a call of the SDK says bit by bit, with its errors as ours: to build and to push."""
        try:
            yield from call(self._client)
        except (DockerException, *LINK_FAULTS) as error:
            raise translate(error, doing, self._endpoint) from error

    # -- networks and volumes

    def networks(self, **filters: list[str]) -> list[Json]:
        return self._many(
            "list networks", lambda: self._client.networks(filters=filters), Again.FAULTS
        )

    def network(self, name: str) -> Json:
        """With what is connected to it.  Raises NotFoundError."""
        return self._one(
            f"inspect network {name}",
            lambda: self._client.inspect_network(name),
            Again.FAULTS,
        )

    def create_network(self, config: Json) -> str:
        """The network's id.  Raises ConflictError where the name is taken."""
        answer = self._do(
            f"create network {config['Name']}",
            lambda: self._send("POST", "/networks/create", body=config).json(),
            Again.LINK,
        )
        return str(answer["Id"])

    def connect_network(self, network: str, container: str, endpoint: Json) -> None:
        body = {"Container": container, "EndpointConfig": endpoint}
        self._do(
            f"connect {_short(container)} to network {network}",
            lambda: self._send("POST", f"/networks/{quote(network, safe='')}/connect", body=body),
            Again.LINK,
        )

    def remove_network(self, network: str) -> None:
        self._do(
            f"remove network {network}",
            lambda: self._client.remove_network(network),
            Again.FAULTS,
        )

    def volumes(self, **filters: list[str]) -> list[Json]:
        return self._many(
            "list volumes",
            lambda: self._client.volumes(filters=filters).get("Volumes") or [],
            Again.FAULTS,
        )

    def create_volume(self, config: Json) -> Json:
        """The volume of that name, new or as it was."""
        return self._one(
            f"create volume {config['Name']}",
            lambda: self._send("POST", "/volumes/create", body=config).json(),
            Again.FAULTS,
        )

    def remove_volume(self, name: str) -> None:
        self._do(f"remove volume {name}", lambda: self._client.remove_volume(name), Again.FAULTS)

    # -- the engine itself

    def info(self) -> Json:
        return self._one("ask the engine about itself", self._client.info, Again.FAULTS)

    def close(self) -> None:
        self._client.close()

    # -- inside

    def _do(self, doing: str, call: Callable[[], Any], again: Again) -> Any:
        def once() -> Any:
            try:
                return call()
            except EngineError:
                raise
            except (DockerException, *LINK_FAULTS) as error:
                raise translate(error, doing, self._endpoint) from error

        return retried(self.tally.counted(once), again, self.on_retry)

    def _one(self, doing: str, call: Callable[[], Any], again: Again) -> Json:
        found: Json = self._do(doing, call, again)
        return found

    def _many(self, doing: str, call: Callable[[], Any], again: Again) -> list[Json]:
        found: list[Json] = self._do(doing, call, again)
        return found

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        stream: bool = False,
        patient: bool = False,
    ) -> Response:
        """A call that the SDK has no method for.  `patient`: once the answer has begun, what comes
        next may take for ever."""
        answer = self._client.request(
            method,
            f"{self._client.base_url}/v{self._client.api_version}{path}",
            params=params,
            json=body,
            headers=headers,
            timeout=timeout_s or self._client.timeout,
            stream=stream,
        )
        if answer.status_code >= 400:
            raise APIError(answer.reason, response=answer, explanation=_explanation(answer))
        if patient:
            sdk: Any = self._client  # what its own streams do has no public name
            sdk._disable_socket_timeout(sdk._get_raw_response_socket(answer))  # noqa: SLF001
        return answer

    def _credentials(self, reference: str) -> dict[str, str]:
        """The header with the user's login to the image's registry, as the Docker CLI keeps it."""
        registry, _ = auth.resolve_repository_name(reference.partition("@")[0])
        header = auth.get_config_header(self._client, registry)
        return {"X-Registry-Auth": header.decode()} if header else {}


def new_client(
    endpoint: Endpoint, adapter: HTTPAdapter, version: str, timeout_s: float
) -> APIClient:
    """A client that talks through `adapter` and has not talked yet.

    Raises UsageError where the Docker CLI's configuration, which the SDK reads, makes no sense.
    """
    try:
        client = _new_client(endpoint, adapter, version, timeout_s)
        _check_headers(client)
    except (DockerException, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"Docker's config.json cannot be used: {one_line(str(error))}",
            hint="it is in $DOCKER_CONFIG, else in ~/.docker",
        ) from error
    return client


def _check_headers(client: APIClient) -> None:
    """The SDK sends them with every call, and looks at them no sooner.  Raises TypeError."""
    sdk: Any = client  # it has no public name for what it read
    headers = sdk._general_configs.get("HttpHeaders") or {}  # noqa: SLF001
    if not all(isinstance(each, str) for pair in headers.items() for each in pair):
        raise TypeError("HttpHeaders holds what is no text")


def _new_client(
    endpoint: Endpoint, adapter: HTTPAdapter, version: str, timeout_s: float
) -> APIClient:
    if endpoint.scheme == "tcp":
        client = APIClient(endpoint.host, version, int(timeout_s), tls=endpoint.tls is not None)
        _set_tls(client, endpoint)
        client.mount("http://", adapter)
        client.mount("https://", adapter)
        return client
    # The SDK wants to know only that it is a local socket; the adapter knows which way it goes.
    client = APIClient("unix:///engine", version, int(timeout_s))
    client.mount("http+docker://", adapter)
    # Neither proxies nor .netrc have a say about a socket.
    client.trust_env = False
    return client


def ping(client: APIClient, endpoint: Endpoint) -> str:
    """The newest API version that the engine speaks.  Raises EngineUnavailableError."""
    try:
        timeout = (min(_CONNECT_S, client.timeout), client.timeout)
        answer = client.get(f"{client.base_url}/_ping", timeout=timeout)
    except (DockerException, *LINK_FAULTS, ValueError) as error:
        raise translate(error, "reach the engine", endpoint) from error
    version = answer.headers.get("Api-Version", "")
    if not version:
        said = one_line(answer.text)[:120] or f"HTTP {answer.status_code}"
        raise EngineUnavailableError(
            f"{endpoint}: what answers there is no Docker engine: {said}",
            hint=CHECK_ADDRESS,
        )
    return version


def _set_tls(client: APIClient, endpoint: Endpoint) -> None:
    if endpoint.tls is None:
        return
    client.verify = (endpoint.tls.ca or True) if endpoint.tls.verify else False
    if endpoint.tls.cert and endpoint.tls.key:
        client.cert = (endpoint.tls.cert, endpoint.tls.key)


def _explanation(answer: Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text


def _short(container: str) -> str:
    """An id as people know it; names as they are."""
    return container[:12] if len(container) == 64 else container

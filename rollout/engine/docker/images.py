"""Images: what a reference is made of, making it definite, and getting it onto the host.

`127.0.0.1:5000/app:v1@sha256:…` is repository `127.0.0.1:5000/app`, tag `v1` and a digest.
"""

from __future__ import annotations

import threading
import time

from msgspec import Struct
from msgspec.structs import replace

from rollout.engine.docker.api import Api, Json
from rollout.engine.docker.faults import TimedOutError
from rollout.engine.protocol import Image
from rollout.errors import EngineError, NoImageError, NotFoundError
from rollout.model.spec import TaskSpec

_SILENT_FOR_S = 30.0
"""How long a registry that did not answer is not asked again."""
_CHECK_NAME = "check its name, and that it was pushed"
_SAID_NO = ("not found", "unknown", "denied", "unauthorized", "does not exist", "authentication")


class Reference(Struct, frozen=True):
    repository: str
    tag: str
    digest: str

    @property
    def registry(self) -> str:
        first, slash, _ = self.repository.partition("/")
        named = slash and ("." in first or ":" in first or first == "localhost")
        return first if named else "docker.io"

    @property
    def short(self) -> str:
        """The repository as the engine lists it."""
        return self.repository.removeprefix("docker.io/").removeprefix("library/")

    def pinned(self, digest: str) -> str:
        return (
            f"{self.repository}:{self.tag}@{digest}" if self.tag else f"{self.repository}@{digest}"
        )


def parse_reference(image: str) -> Reference:
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return Reference(f"{head}{slash}{last}", tag or ("" if digest else "latest"), digest)


class Images:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._silent: dict[str, tuple[float, str]] = {}
        self._volumes: dict[str, tuple[str, ...]] = {}

    def resolve(self, image: str, *, platform: str = "", query: bool = True) -> Image:
        """The image with its digest; from its registry, else from this host.  With `query` off,
        the other way round.  Raises NoImageError where neither has it, NotFoundError where it is
        not there for the platform.
        """
        reference = parse_reference(image)
        if reference.digest or image.startswith("sha256:"):
            return Image(reference=image)
        if query:
            found, why = self._remote(image, reference, platform)
            found = found or self._instead(image, reference, why)
        else:
            found, why = self._local(image, reference), ""
            if found is None:
                found, why = self._remote(image, reference, platform)
        if found is None:
            raise NoImageError(self._nowhere(image, reference, why), hint=why or _CHECK_NAME)
        return found

    def holds(self, image: str) -> bool:
        """Whether it is on this host; a digest is looked for whatever the tag beside it."""
        reference = parse_reference(image)
        wanted = f"{reference.repository}@{reference.digest}" if reference.digest else image
        try:
            self._api.image(wanted)
        except NotFoundError:
            return False
        return True

    def of_container(self, written: str, image_id: str) -> Image:
        """What a container runs, whatever its image's tag may mean by now."""
        reference = parse_reference(written)
        if reference.digest:
            return Image(reference=written)
        found = self._local(image_id, reference)
        if found is None or found.image_id:
            return Image(reference=written, image_id=image_id)
        return found

    def config(self, image: str) -> Json:
        """What an image says of its containers; nothing where it is gone."""
        try:
            return self._api.image(image).get("Config") or {}
        except NotFoundError:
            return {}

    def volumes(self, spec: TaskSpec) -> tuple[str, ...] | None:
        """Where the image of a task wants volumes (`VOLUME /data`); None where it is not here."""
        wanted = spec.image_id or spec.image
        reference = parse_reference(wanted)
        if not spec.image_id and reference.digest:
            wanted = f"{reference.repository}@{reference.digest}"
        with self._lock:
            known = self._volumes.get(wanted)
        if known is not None:
            return known
        try:
            found = self._api.image(wanted).get("Config") or {}
        except NotFoundError:
            return None
        volumes = tuple(sorted(found.get("Volumes") or {}))
        if spec.image_id or reference.digest:
            # A tag may stand for another image tomorrow.
            with self._lock:
                self._volumes[wanted] = volumes
        return volumes

    def fetch(self, spec: TaskSpec) -> None:
        """Pulls what a task needs.  Raises NotFoundError or EngineError."""
        if spec.image_id:
            raise NotFoundError(
                f"no such image: {spec.image}: {spec.image_id[:19]} is no longer on this host",
                hint="build it again, or push it to a registry",
            )
        if spec.pull_policy == "never":
            raise NotFoundError(
                f"no such image on this host: {spec.image}",
                hint="pull_policy is never: pull or build it by hand",
            )
        reference = parse_reference(spec.image)
        self._api.pull(reference.repository, reference.digest or reference.tag, spec.platform)

    def _remote(self, image: str, reference: Reference, platform: str) -> tuple[Image | None, str]:
        """The image as its registry has it, or why it could not say."""
        if said := self._known_silent(reference.registry):
            return None, said
        try:
            answer = self._api.distribution(image)
        except EngineError as error:
            late = isinstance(error, TimedOutError)
            why = "no answer in time" if late else error.message.partition(f"{image}: ")[2]
            said = f"{reference.registry}: {why}"
            if not _is_no(said):
                with self._lock:
                    self._silent[reference.registry] = (time.monotonic(), said)
            return None, said
        if platform and not _offers(answer, platform):
            offered = ", ".join(sorted(map(_platform, answer.get("Platforms") or [])))
            raise NotFoundError(
                f"{image} is not there for platform {platform}", hint=f"it is for {offered}"
            )
        return Image(reference=reference.pinned(answer["Descriptor"]["digest"])), ""

    def _local(self, image: str, reference: Reference) -> Image | None:
        try:
            found = self._api.image(image)
        except NotFoundError:
            return None
        for known in found.get("RepoDigests") or []:
            repository, _, digest = str(known).partition("@")
            if parse_reference(repository).short == reference.short:
                return Image(reference=reference.pinned(digest))
        return Image(reference=image, image_id=str(found["Id"]))

    def _instead(self, image: str, reference: Reference, why: str) -> Image | None:
        """The host's own, where the registry could not say.

        What was built here is what was meant: no registry has given it a digest, and its name
        names none, or the one it names does not have it.  Of anything else there may be a newer
        one.
        """
        found = self._local(image, reference)
        unnamed = not reference.repository.startswith(reference.registry)
        if found is None or (found.image_id and (unnamed or _is_no(why))):
            return found
        raw = self._api.image(image)
        which = f"{str(raw['Id']).removeprefix('sha256:')[:12]} of {str(raw['Created'])[:10]}"
        return replace(
            found,
            instead=f"{image}: this host's own is taken, {which}: its registry did not say which "
            f"it is ({why})",
        )

    def _nowhere(self, image: str, reference: Reference, why: str) -> str:
        """Images of the repository may be here that bear no tag, or another one."""
        rows = self._api.images(reference.short)
        known = sorted({str(each) for row in rows for each in row.get("RepoDigests") or []})
        if not known:
            return f"no such image: {image}: neither in its registry nor on this host"
        asked = "not in its registry" if _is_no(why) else "its registry did not say which it is"
        return f"no such image: {image}: {asked}, and this host has only {', '.join(known[:3])}"

    def _known_silent(self, registry: str) -> str:
        with self._lock:
            at, said = self._silent.get(registry, (float("-inf"), ""))
        return said if time.monotonic() - at < _SILENT_FOR_S else ""


def _is_no(said: str) -> bool:
    """The registry did answer: it has no such image, or not for us."""
    return any(word in said.lower() for word in _SAID_NO)


def _platform(offered: Json) -> str:
    parts = (offered.get("os"), offered.get("architecture"), offered.get("variant"))
    return "/".join(str(part) for part in parts if part)


def _offers(answer: Json, platform: str) -> bool:
    offered = [_platform(each) for each in answer.get("Platforms") or []]
    return not offered or any(
        each == platform or each.startswith(f"{platform}/") for each in offered
    )

"""Images made definite: by a real registry, and by the host."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound
from msgspec.structs import replace

from rollout.cli import messages
from rollout.cli.images import Policy, resolved
from rollout.engine.docker.engine import DockerEngine, connect
from rollout.engine.docker.images import Reference, parse_reference
from rollout.errors import NoImageError, NotFoundError
from rollout.model.action import Prepare
from tests.support.engine import newest, no_contents, revision, service
from tests.support.registry import running_registry

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "parts", "registry"),
    [
        ("app", ("app", "latest", ""), "docker.io"),
        ("team/app:v1", ("team/app", "v1", ""), "docker.io"),
        ("localhost/app", ("localhost/app", "latest", ""), "localhost"),
        ("127.0.0.1:5000/app", ("127.0.0.1:5000/app", "latest", ""), "127.0.0.1:5000"),
        ("host.io/a/b:v1", ("host.io/a/b", "v1", ""), "host.io"),
        (f"app@{DIGEST}", ("app", "", DIGEST), "docker.io"),
        (f"h:1/app:v1@{DIGEST}", ("h:1/app", "v1", DIGEST), "h:1"),
    ],
)
def test_references(image: str, parts: tuple[str, str, str], registry: str) -> None:
    assert parse_reference(image) == Reference(*parts)
    assert parse_reference(image).registry == registry


@pytest.mark.parametrize("image", ["busybox", "library/busybox", "docker.io/library/busybox"])
def test_names_of_the_hub_are_one(image: str) -> None:
    assert parse_reference(image).short == "busybox"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running.address


@pytest.fixture
def pushed(registry: str, image: str) -> Iterator[str]:
    """An image under a new name, in the registry and on the host."""
    client = docker.APIClient()
    repository = f"{registry}/app{secrets.token_hex(3)}"
    client.tag(image, repository, "v1")
    assert "digest" in client.push(repository, "v1")
    yield f"{repository}:v1"
    # The last tag takes its digest along; an image pulled by digest has no tag.
    for known in client.images(repository):
        for name in (*(known["RepoTags"] or []), *(known["RepoDigests"] or [])):
            if name.startswith(repository):
                with contextlib.suppress(NotFound):
                    client.remove_image(name, noprune=True)


@pytest.mark.docker
def test_a_registry_gives_the_digest(engine: DockerEngine, pushed: str) -> None:
    found = engine.resolve(pushed)

    name, at, digest = found.reference.partition("@")
    assert (name, at, found.image_id) == (pushed, "@", "")
    assert digest.startswith("sha256:")
    assert engine.resolve(found.reference) == found, "what is definite stays as it is"
    assert engine.resolve(pushed, query=False) == found, "the host knows it as well"
    assert engine.holds(found.reference)


@pytest.mark.docker
def test_an_image_is_pulled_by_its_digest(engine: DockerEngine, pushed: str, stack: str) -> None:
    """What is not on the host is pulled when a task needs it."""
    definite = engine.resolve(pushed).reference
    docker.APIClient().remove_image(pushed, noprune=True)
    assert not engine.holds(definite)

    engine.act(
        Prepare(revision=revision(stack, service(definite)), slot=1, cause="test"), no_contents
    )

    assert newest(engine, stack).image == definite
    assert newest(engine, stack).prepared


@pytest.mark.docker
def test_a_registry_that_is_gone_is_made_up_for_by_the_host(pushed: str, image: str) -> None:
    """A name whose registry does not answer: the host's own image, by digest where it has one."""
    fresh = connect()
    client = docker.APIClient()
    repository = f"127.0.0.1:9/app{secrets.token_hex(3)}"
    client.tag(image, repository, "v1")
    try:
        found = fresh.resolve(f"{repository}:v1")
    finally:
        client.remove_image(f"{repository}:v1", noprune=True)
        fresh.close()

    assert found.reference == f"{repository}:v1"
    assert found.image_id == client.images(image)[0]["Id"]
    assert found.instead.startswith(
        f"{repository}:v1: this host's own is taken, {found.image_id[7:19]} of 20"
    ), "never in silence"
    assert "connection refused" in found.instead


@pytest.mark.docker
def test_what_the_host_has_by_digest_only_is_found_where_the_registry_is_away(
    engine: DockerEngine,
    image: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As it was recorded last for the same words; what else there is of it, is named."""
    client = docker.APIClient()
    with running_registry(tmp_path) as registry:
        repository = f"{registry.address}/app{secrets.token_hex(3)}"
        written = f"{repository}:v1"
        client.tag(image, repository, "v1")
        assert "digest" in client.push(repository, "v1")
        asked = service("", name="web")
        asked = replace(asked, image=written, task=replace(asked.task, image=written))
        recorded = resolved(engine, asked, None, Policy())
        client.remove_image(written, noprune=True)
        client.pull(repository, recorded.task.image.partition("@")[2])
    again = connect()
    try:
        messages.choose(())
        assert resolved(again, asked, recorded, Policy()) == recorded
        assert resolved(again, asked, recorded, Policy()) == recorded
        with pytest.raises(NoImageError) as caught:
            resolved(again, asked, None, Policy())
    finally:
        client.remove_image(recorded.task.image.replace(":v1@", "@"), noprune=True)
        again.close()

    (line,) = capsys.readouterr().err.splitlines()
    digest = recorded.task.image.partition("@")[2]
    assert line.startswith(f"rollout: {written}: kept as it was recorded, {digest[:19]}, which")
    assert caught.value.message == (
        f"no such image: {written}: its registry did not say which it is, "
        f"and this host has only {repository}@{digest}"
    )


@pytest.mark.docker
def test_neither_registry_nor_host(engine: DockerEngine, registry: str) -> None:
    for image in (f"{registry}/nosuch:v1", "127.0.0.1:9/nosuch:v1"):
        with pytest.raises(NotFoundError) as caught:
            engine.resolve(image)
        assert caught.value.message == (
            f"no such image: {image}: neither in its registry nor on this host"
        )
        assert caught.value.hint
        assert "\n" not in str(caught.value)


@pytest.mark.docker
def test_a_platform_that_is_not_there(engine: DockerEngine, pushed: str) -> None:
    with pytest.raises(NotFoundError, match="is not there for platform linux/s390x"):
        engine.resolve(pushed, platform="linux/s390x")
    assert engine.resolve(pushed, platform="linux/amd64").image_id == ""

"""Each key of `networks` and `volumes` ends on the engine: read from a file, seen by inspect."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from rollout.compose.load import load
from rollout.compose.schema import NAMED_VOLUME, NETWORK
from rollout.engine.docker.engine import DockerEngine
from rollout.model.spec import ServiceSpec
from tests.support.command import rollout

pytestmark = pytest.mark.docker

Json = dict[str, Any]
Read = Callable[[str], ServiceSpec]

NETWORKS: dict[str, tuple[str, Json]] = {
    "driver": ("driver: bridge", {"Driver": "bridge"}),
    "driver, overlay": ("driver: overlay", {"Driver": "bridge"}),
    "driver_opts": (
        "driver_opts: {com.docker.network.bridge.enable_icc: 'false'}",
        {"Options": {"com.docker.network.bridge.enable_icc": "false"}},
    ),
    "internal": ("internal: true", {"Internal": True}),
    "attachable": ("attachable: true", {"Attachable": True}),
    "enable_ipv4": ("enable_ipv4: true", {"Driver": "bridge"}),
    "enable_ipv6": (
        "enable_ipv6: true\nipam: {config: [{subnet: {net6}::/64}]}",
        {"EnableIPv6": True},
    ),
    "ipam": (
        (
            "ipam: {driver: default, config: [{subnet: {net}.0/24, ip_range: {net}.128/25,"
            " gateway: {net}.9, aux_addresses: {printer: {net}.7}}]}"
        ),
        {
            "IPAM": {
                "Driver": "default",
                "Config": [
                    {
                        "Subnet": "{net}.0/24",
                        "IPRange": "{net}.128/25",
                        "Gateway": "{net}.9",
                        "AuxiliaryAddresses": {"printer": "{net}.7"},
                    }
                ],
            }
        },
    ),
    "labels": ("labels: {team: blue}", {"Labels": {"team": "blue"}}),
    "name": ("name: {stack}-named", {"Name": "{stack}-named"}),
    "external": ("name: bridge\nexternal: true", {"Name": "bridge"}),
}

VOLUMES: dict[str, tuple[str, Json]] = {
    "driver": ("driver: local", {"Driver": "local"}),
    "driver_opts": (
        "driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}",
        {"Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}},
    ),
    "labels": ("labels: [team=blue]", {"Labels": {"team": "blue"}}),
    "name": ("name: {stack}-named", {"Name": "{stack}-named"}),
    "external": ("name: {stack}-theirs\nexternal: true", {"Name": "{stack}-theirs"}),
}


@pytest.fixture
def words(stack: str) -> dict[str, str]:
    """What stands for the tables' placeholders."""
    number = secrets.token_bytes(2)
    return {
        "{stack}": stack,
        "{net}": f"10.{100 + number[0] % 100}.{number[1]}",
        "{net6}": f"fd0d:{number.hex()}",
    }


@pytest.fixture
def volumes(stack: str, client: docker.APIClient) -> Iterator[None]:
    yield
    for each in client.volumes(filters={"name": f"{stack}-"})["Volumes"] or []:
        client.remove_volume(each["Name"])


@pytest.fixture
def read(stack: str, image: str, words: dict[str, str], tmp_path: Path) -> Read:
    """A section's entry `one` → the definition of a service that uses it."""

    def spec(body: str) -> ServiceSpec:
        section = body.partition(":")[0]
        path = tmp_path / "compose.yml"
        use = "networks: [one]" if section == "networks" else "volumes: ['one:/one']"
        path.write_text(f"services: {{web: {{image: '{image}', {use}}}}}\n{_filled(body, words)}\n")
        found = load((str(path),), environ={}, project_name=stack, cwd=tmp_path).service("web")
        assert found is not None
        return found

    return spec


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, words) for each in value]
    for word, meaning in words.items():
        value = value.replace(word, meaning) if isinstance(value, str) else value
    return value


def _section(name: str, body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{name}:\n  one:\n{lines}"


def _has(shown: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return all(key in shown and _has(shown[key], each) for key, each in wanted.items())
    if isinstance(wanted, list):
        return len(shown) == len(wanted) and all(map(_has, shown, wanted))
    return bool(shown == wanted)


@pytest.mark.parametrize("key", NETWORKS)
def test_a_network_as_the_file_says(
    key: str, read: Read, words: dict[str, str], engine: DockerEngine, client: docker.APIClient
) -> None:
    body, wanted = NETWORKS[key]
    spec = read(_section("networks", body))

    assert engine.ensure(spec, words["{stack}"]) == ()

    shown = client.inspect_network(spec.networks[0].name)
    assert _has(shown, _filled(wanted, words)), shown


@pytest.mark.usefixtures("volumes")
@pytest.mark.parametrize("key", VOLUMES)
def test_a_volume_as_the_file_says(
    key: str, read: Read, words: dict[str, str], engine: DockerEngine, client: docker.APIClient
) -> None:
    body, wanted = VOLUMES[key]
    client.create_volume(f"{words['{stack}']}-theirs")
    spec = read(_section("volumes", body))

    assert engine.ensure(spec, words["{stack}"]) == ()

    shown = client.inspect_volume(spec.volumes[0].name)
    assert _has(shown, _filled(wanted, words)), shown


def test_every_key_of_a_section_is_looked_at() -> None:
    """All that can be read in either section."""
    for section, cases in ((NETWORK, NETWORKS), (NAMED_VOLUME, VOLUMES)):
        known = {key for key in section.table if not key.startswith("x-")}
        assert known == {key.partition(",")[0] for key in cases}


@pytest.mark.usefixtures("volumes")
def test_what_is_there_with_other_settings_stays_and_is_said(
    read: Read, words: dict[str, str], engine: DockerEngine
) -> None:
    """Somebody uses it, or has data in it; values of options, which may be secret, are not said."""
    stack = words["{stack}"]
    engine.ensure(read(_section("networks", "driver: bridge")), stack)
    engine.ensure(read(_section("volumes", "labels: {a: b}")), stack)

    network = read(_section("networks", "internal: true\nipam: {config: [{subnet: {net}.0/24}]}"))
    volume = read(_section("volumes", "driver_opts: {type: cifs, o: password=hunter2}"))

    assert engine.ensure(network, stack) == (
        (
            f"network {stack}_one is there with another internal, ipam, and stays so; "
            f"`docker network rm {stack}_one` when nothing uses it"
        ),
    )
    assert engine.ensure(volume, stack) == (
        (
            f"volume {stack}_one is there with another driver_opts, and stays so; "
            f"`docker volume rm {stack}_one` when nothing uses it"
        ),
    )


def test_a_deploy_says_it_once(tmp_path: Path, stack: str, image: str) -> None:
    """However many services use it; then all goes on."""
    path = tmp_path / "compose.yml"
    services = f"services: {{web: {{image: '{image}'}}, api: {{image: '{image}'}}}}\n"
    path.write_text(services)
    rollout("deploy", "-c", str(path), stack)
    path.write_text(services + "networks: {default: {internal: true}}\n")

    ran = rollout("deploy", "-c", str(path), stack)

    assert ran.err.count(f"network {stack}_default is there with another internal") == 1

"""What only one task can have, asked for twice in a file: said with its place."""

from __future__ import annotations

import pytest

from rollout.errors import FileError, FileErrors
from tests.compose.project import Folder

TWO = "services:\n  a: {{image: x, {}}}\n  b: {{image: x, {}}}\n"
NET = "networks: {{n: {{ipv4_address: {}}}}}"
NETWORKS = "networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}\n"


def _errors(folder: Folder, text: str) -> list[str]:
    with pytest.raises((FileError, FileErrors)) as raised:
        folder.load(text)
    return [line.partition(" (")[0] for line in str(raised.value).splitlines()]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            'ports: ["8080:80"]',
            'ports: ["81", "8080:82"]',
            "c.yml:3:31: services.b.ports[1]: port 8080/tcp is a's, too",
        ),
        (
            "container_name: x",
            "container_name: x",
            "c.yml:3:33: services.b.container_name: the container name x is a's, too",
        ),
        (
            NET.format("10.1.0.5"),
            NET.format("10.1.0.5"),
            (
                "c.yml:3:46: services.b.networks.n.ipv4_address: "
                "the address 10.1.0.5 on network p_n is a's, too"
            ),
        ),
    ],
)
def test_two_services(folder: Folder, one: str, other: str, said: str) -> None:
    assert _errors(folder, TWO.format(one, other) + NETWORKS) == [said]


def test_one_service_twice(folder: Folder) -> None:
    text = 'services:\n  a: {image: x, ports: ["8080:80", "8080:81"]}\n'

    assert _errors(folder, text) == [
        "c.yml:2:36: services.a.ports[1]: port 8080/tcp is published twice"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('ports: ["8080:80"]', 'ports: ["8080:80/udp"]'),
        ('ports: ["10.0.0.1:8080:80"]', 'ports: ["10.0.0.2:8080:80"]'),
        ('ports: ["8080:80"]', 'ports: ["8080:80"], deploy: {replicas: 0}'),
        ('ports: ["8080:80"]', 'ports: ["8080:80"], profiles: [off]'),
        ('ports: ["8080:80"]', 'ports: ["8080:80"], network_mode: host'),
    ],
    ids=["protocol", "address", "no replicas", "profile", "host network"],
)
def test_nothing_in_the_way(folder: Folder, one: str, other: str) -> None:
    assert {each.name for each in folder.load(TWO.format(one, other)).services} >= {"a"}

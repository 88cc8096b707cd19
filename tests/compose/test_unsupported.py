"""Keys that this engine cannot honour, and values that it would refuse: said with their place."""

from __future__ import annotations

import pytest

from tests.compose.project import Folder, web

REFUSED = {
    "uts": ("uts: private", ':10: services.web.uts: "private" is none of host'),
    "pid": (
        "pid: private",
        (':10: services.web.pid: "private" is none of host, service:NAME, container:NAME'),
    ),
    "ipc": (
        "ipc: shared",
        (
            ':10: services.web.ipc: "shared" is none of none, private, shareable, '
            "host, service:NAME, container:NAME"
        ),
    ),
    "expose": (
        "expose: [80-70]",
        (':14: services.web.expose[0]: "80-70" is not a port (write for example 80 or 80/udp)'),
    ),
    "a constraint": (
        "deploy: {placement: {constraints: ['node.role=manager']}}",
        (
            ":40: services.web.deploy.placement.constraints[0]: "
            '"node.role=manager" is not a constraint (write for example node.hostname==web1)'
        ),
    ),
    "npipe": (
        "volumes: [{type: npipe, source: a, target: /b}]",
        ":15: services.web.volumes[0]: a volume of type npipe is for Windows",
    ),
    "a cluster volume": (
        "volumes: [{type: cluster, source: a, target: /b}]",
        ":15: services.web.volumes[0]: a volume of type cluster needs a Swarm",
    ),
    "an image as a volume": (
        "volumes: [{type: image, source: a, target: /b}]",
        (
            ":15: services.web.volumes[0]: "
            "a volume of type image is not supported: copy from it when building"
        ),
    ),
    "recursive": (
        "volumes: [{type: bind, source: /a, target: /b, bind: {recursive: no}}]",
        (
            ":70: services.web.volumes[0].bind.recursive: "
            '"no" is none of enabled, disabled, writable, readonly'
        ),
    ),
    "generic resources": (
        "deploy: {resources: {reservations: {generic_resources: [{a: 1}]}}}",
        ":41: services.web.deploy.resources.reservations.generic_resources: needs a Swarm",
    ),
    "rates": (
        "blkio_config: {device_read_bps: [{path: dev, rate: 1m}]}",
        (
            ":38: services.web.blkio_config.device_read_bps[0]: "
            'needs the path of a device and its rate, not "1048576"'
        ),
    ),
    "credential_spec": (
        "credential_spec: {file: a}",
        (":5: services.web.credential_spec: is for Windows"),
    ),
    "isolation": ("isolation: hyperv", ":16: services.web.isolation: is for Windows"),
    "provider": (
        "provider: {type: a}",
        (":5: services.web.provider: is not supported: it runs a program of Compose's"),
    ),
}


@pytest.mark.parametrize(("body", "wanted"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_its_place(folder: Folder, body: str, wanted: str) -> None:
    assert folder.errors(web(body)) == [f"c.yml:4{wanted}"]


@pytest.mark.parametrize(
    ("mount", "use", "why"),
    [
        ("uid: root", "", '.uid: "root" is not a user or group id (use a number)'),
        ("target: /data", "volumes: ['/srv:/data']", "/data"),
        ("target: a", "tmpfs: /run/secrets", "/run/secrets"),
    ],
)
def test_a_secret_that_could_not_be_a_tasks_own(
    folder: Folder, mount: str, use: str, why: str
) -> None:
    """A volume is shared by old and new tasks, a tmpfs is mounted over what was put in before."""
    text = f"secrets: [{{source: a, {mount}}}]\n{use}"
    hidden = f": would be hidden by what is mounted at {why} (give it a target elsewhere)"

    (error,) = folder.errors(web(text) + "secrets: {a: {content: x}}\n")

    assert error.partition("services.web.secrets[0]")[2] == (why if "is not" in why else hidden)


def test_a_secret_below_a_volume_is_put_in_when_nothing_reads_it(folder: Folder) -> None:
    def text(options: str, order: str) -> str:
        body = (
            "secrets: [{source: a, target: /data/a}]\n"
            f"volumes: ['/srv:/data{options}']\n"
            f"deploy: {{update_config: {{order: {order}}}}}"
        )
        return web(body) + "secrets: {a: {content: x}}\n"

    stack = folder.load(text("", "stop-first"))
    assert stack.services[0].task.files[0].target == "/data/a"
    (error,) = folder.errors(text(":ro", "stop-first"))
    assert "lies in what is mounted read-only at /data" in error
    (error,) = folder.errors(text("", "start-first"))
    assert ".deploy.update_config.order: secrets[0] lies in what is mounted at /data" in error


def test_a_secret_below_a_tmpfs_has_a_volume_of_its_own(folder: Folder) -> None:
    """As an image with a read-only root and a tmpfs at /run needs it."""
    stack = folder.load(web("secrets: [a]\ntmpfs: /run") + "secrets: {a: {content: x}}\n")

    assert stack.services[0].task.files[0].target == "/run/secrets/a"


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("attach: false", "attach"),
        ("deploy: {placement: {preferences: [{spread: node.labels.a}]}}",
         "deploy.placement.preferences"),
        ("deploy: {endpoint_mode: vip}", "deploy.endpoint_mode"),
        ("build: {context: ., ssh: [default]}", "build.ssh"),
        ("ports: [{target: 80, name: a}]", "ports.name"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_named(folder: Folder, body: str, key: str) -> None:
    (warning,) = folder.load(web(body)).warnings
    assert warning.endswith(f"ignoring unsupported options: {key}")


def test_a_constraint_that_is_no_text_is_an_error_and_no_more(folder: Folder) -> None:
    """What could not be read is not looked at again."""
    (error,) = folder.errors(web("deploy: {placement: {constraints: [7]}}"))
    assert "constraints[0]: must be a string" in error

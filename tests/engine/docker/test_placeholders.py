"""What a task is told about itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rollout.engine.docker.placeholders import (
    asks_for_node,
    filled,
    node_of,
    not_filled,
    volume_names,
)
from rollout.model.spec import Mount, ServiceSpec, TaskSpec
from tests.support.engine import revision, service

NODE = node_of({"Name": "box", "ID": "ABCD", "OSType": "linux", "Architecture": "x86_64"})
LABELS = {"tier": "front", "a.b": "dotted"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{.Service.Name}}-{{.Task.Slot}}", "st_web-3"),
        ("{{ .Task.Slot }}", "3"),
        ("{{.Task.Name}}", "st_web.3.t1d"),
        ("{{.Task.ID}}", "t1d"),
        ("{{.Node.Hostname}}", "box"),
        ("{{.Node.ID}} {{ .Node.Platform.OS }}", "ABCD linux"),
        ("{{.Node.Platform.Architecture}}", "x86_64"),
        ("{{.Service.Labels.tier}}", "front"),
        ('{{index .Service.Labels "a.b"}}', "dotted"),
        ("{{.Service.Labels.none}}", ""),
        ("{{.Message}} {{ range .Alerts }}", "{{.Message}} {{ range .Alerts }}"),
        ("{{.Task.Slots}}", "{{.Task.Slots}}"),
        ("{.Task.Slot}", "{.Task.Slot}"),
    ],
)
def test_a_placeholder_is_filled_and_nothing_else(text: str, shown: str) -> None:
    """Templates of other programs are theirs."""
    wanted = revision("st", service("app:v1", environment={"A": text, "B": None}))
    wanted = replace(wanted, spec=replace(wanted.spec, labels=LABELS))

    made = filled(wanted, 3, "t1d", NODE)

    assert made.environment == {"A": shown, "B": None}
    assert asks_for_node(wanted.spec.task) == ("Node" in text)


def test_in_host_name_and_mounts() -> None:
    mount = Mount(type="volume", source="data-{{.Task.Slot}}", target="/{{.Task.Slot}}")
    wanted = revision("st", service("app:v1", hostname="w{{.Task.Slot}}", mounts=(mount,)))

    made = filled(wanted, 2, "t1d", {})

    assert (made.hostname, made.mounts[0].source) == ("w2", "data-2")
    assert made.mounts[0].target == "/{{.Task.Slot}}"


def test_a_definition_without_any_is_itself() -> None:
    wanted = revision("st", service("app:v1"))

    assert filled(wanted, 1, "t", {}) is wanted.spec.task


def test_a_volume_for_each_slot() -> None:
    spec = ServiceSpec(name="web", task=TaskSpec(image="app"), replicas=3)

    assert volume_names("data", spec, "st") == ("data",)
    assert volume_names("{{.Service.Name}}-{{.Task.Slot}}", spec, "st") == (
        "st_web-1",
        "st_web-2",
        "st_web-3",
    )


def test_a_service_s_id_stays_the_same() -> None:
    wanted = revision("st", service("app:v1", environment={"A": "{{.Service.ID}}"}))

    first, second = (filled(wanted, slot, "t", {}).environment["A"] for slot in (1, 2))

    assert first == second
    assert first is not None
    assert len(first) == 25
    assert first.isalnum()


def test_what_speaks_of_a_task_and_is_not_known_is_named() -> None:
    """What other programs write in braces is theirs."""
    said: dict[str, str | None] = {
        "A": "{{.Task.Slots}} {{.Node.ID}}",
        "B": "{{.Foo.Bar}}",
        "C": "{{.Node.Role}}",
    }

    assert not_filled(TaskSpec(image="x", environment=said)) == [
        "{{.Task.Slots}}",
        "{{.Node.Role}}",
    ]

"""What a task is told about itself."""

from __future__ import annotations

import pytest

from rollout.engine.docker.placeholders import asks_for_node, filled, volume_names
from rollout.model.spec import Mount, ServiceSpec, TaskSpec
from tests.support.engine import revision, service


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{.Service.Name}}-{{.Task.Slot}}", "st_web-3"),
        ("{{ .Task.Slot }}", "3"),
        ("{{.Task.Name}}", "st_web.3.t1d"),
        ("{{.Task.ID}}", "t1d"),
        ("{{.Node.Hostname}}", "box"),
        ("{{.Message}} {{ range .Alerts }}", "{{.Message}} {{ range .Alerts }}"),
        ("{{.Task.Slots}}", "{{.Task.Slots}}"),
        ("{.Task.Slot}", "{.Task.Slot}"),
    ],
)
def test_a_placeholder_is_filled_and_nothing_else(text: str, shown: str) -> None:
    """Templates of other programs are theirs."""
    wanted = revision("st", service("app:v1", environment={"A": text, "B": None}))

    made = filled(wanted, 3, "t1d", "box")

    assert made.environment == {"A": shown, "B": None}
    assert asks_for_node(wanted.spec.task) == ("Node" in text)


def test_in_host_name_and_mounts() -> None:
    mount = Mount(type="volume", source="data-{{.Task.Slot}}", target="/{{.Task.Slot}}")
    wanted = revision("st", service("app:v1", hostname="w{{.Task.Slot}}", mounts=(mount,)))

    made = filled(wanted, 2, "t1d", "")

    assert (made.hostname, made.mounts[0].source) == ("w2", "data-2")
    assert made.mounts[0].target == "/{{.Task.Slot}}"


def test_a_definition_without_any_is_itself() -> None:
    wanted = revision("st", service("app:v1"))

    assert filled(wanted, 1, "t", "") is wanted.spec.task


def test_a_volume_for_each_slot() -> None:
    spec = ServiceSpec(name="web", task=TaskSpec(image="app"), replicas=3)

    assert volume_names("data", spec, "st") == ("data",)
    assert volume_names("{{.Service.Name}}-{{.Task.Slot}}", spec, "st") == (
        "st_web-1",
        "st_web-2",
        "st_web-3",
    )

"""Definitions that earlier versions recorded are read, and mean what they meant."""

from __future__ import annotations

from pathlib import Path

from rollout.model.canonical import canonical, digest_of_label, from_canonical
from rollout.model.spec import ServiceSpec

RECORDED = (Path(__file__).parent / "data" / "recorded_spec.json").read_text().strip()
"""As the first version wrote it: a hook is its command, what was added since is not there."""
DIGEST = "7cf1cfb3da0ab3e46392ea46d97a532e150899ec5f8fc8ebd123bd86ecdd2c4c"


def test_a_definition_of_the_first_version_is_read_and_has_the_digest_it_had() -> None:
    """Or every container of an earlier version would be replaced by the next deploy."""
    spec = from_canonical(RECORDED, ServiceSpec)

    assert spec.task.post_start == (("sh", "-c", "echo hi"),)
    assert canonical(spec) == RECORDED
    assert digest_of_label(RECORDED) == DIGEST

"""Log lines go to stderr, for people or for machines, and cost nothing while nobody wants them."""

from __future__ import annotations

import json

import pytest

from rollout.log import Log


def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.configure(level="warning", fmt="json")

    log.debug("one")
    log.info("two")
    log.warning("three", stack="st")
    log.error("four")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("warning", "three"),
        ("error", "four"),
    ]
    assert lines[0]["stack"] == "st"
    assert lines[0]["timestamp"].endswith("Z")


def test_lines_for_people_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.configure(level="info", fmt="console")

    log.info("image \x1b[2J", name="\x1b]0;x\x07")

    printed = capsys.readouterr()
    assert "\x1b" not in printed.err
    assert "\x07" not in printed.err
    assert printed.out == ""

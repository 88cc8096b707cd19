"""Text is safe, fits, and says ages as Docker does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.views.text import (
    age,
    clean,
    image_digest,
    natural,
    pad,
    short_image,
    timestamp,
    truncate,
    width,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("web.1", "web.1"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("title\x1b]0;owned\x07", r"title\x1b]0;owned\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("größe 大小 é", "größe 大小 é"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_clean_writes_out_what_could_steer_a_terminal(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_nothing_cleaned_has_a_control_character(text: str) -> None:
    """Whatever comes from outside, no escape, no line break and no bell comes out."""
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in clean(text))


@given(st.text(), st.integers(min_value=1, max_value=30))
def test_truncated_text_fits(text: str, columns: int) -> None:
    assert width(truncate(clean(text), columns)) <= columns


def test_wide_characters_take_two_columns() -> None:
    assert width("大小") == 4
    assert width("e\u0301") == 1
    assert truncate("大小大小", 5) == "大小…"
    assert pad("大", 4) == "大  "


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "less than a second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "about a minute"),
        (150, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "about an hour"),
        (2 * 3600, "2 hours"),
        (49 * 3600, "2 days"),
        (15 * 24 * 3600, "2 weeks"),
        (70 * 24 * 3600, "2 months"),
        (800 * 24 * 3600, "2 years"),
    ],
)
def test_ages_are_docker_s(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_names_sort_naturally() -> None:
    names = ["web.10", "web.9", "db.1", "web"]

    assert sorted(names, key=natural) == ["db.1", "web", "web.9", "web.10"]


def test_times_for_machines_are_rfc_3339_in_utc() -> None:
    assert timestamp(0.5) == "1970-01-01T00:00:00.500Z"
    assert timestamp(None) is None


@pytest.mark.parametrize(
    ("reference", "name", "digest"),
    [
        ("bb:v1@sha256:abc", "bb:v1", "sha256:abc"),
        ("127.0.0.1:5000/x/y:v1", "127.0.0.1:5000/x/y:v1", ""),
        ("sha256:0123456789abcdef", "0123456789ab", ""),
    ],
)
def test_images_are_shown_without_their_digest(reference: str, name: str, digest: str) -> None:
    assert short_image(reference) == name
    assert image_digest(reference) == digest

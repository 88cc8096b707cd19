"""Durations and sizes as Go and Docker write them."""

from __future__ import annotations

import durationpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.model.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("100ms", 0.1),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("7ns", 7e-9),
        ("1h2m3.5s", 3723.5),
        ("-1m", -60.0),
        ("+1m", 60.0),
        ("-0", 0.0),
        ("2562047h47m16.854775807s", 9223372036.854776),
    ],
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    """A number and a unit, as often as one likes."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10", "a unit is missing"),
        ("1.5", "a unit is missing"),
        ("", "use for example 10s or 1m30s"),
        ("s", "use for example"),
        ("1d", "use for example"),
        ("1 s", "use for example"),
        ("1s ", "use for example"),
        ("one", "use for example"),
        ("--1s", "use for example"),
        ("1s2", "use for example"),
        (".s", "use for example"),
        ("١s", "use for example"),
        ("9999999h", "longer than 292 years"),
    ],
)
def test_what_is_no_duration(text: str, hint: str) -> None:
    """Said with the text and what to do."""
    with pytest.raises(ValueError, match=hint) as raised:
        parse_duration(text)

    assert str(raised.value).startswith(f'"{text}" is not a duration: ')


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (90.0, "1m30s"),
        (3600.0, "1h0m0s"),
        (5430.5, "1h30m30.5s"),
        (1.5, "1.5s"),
        (0.5, "500ms"),
        (0.0015, "1.5ms"),
        (0.0000015, "1.5µs"),
        (7e-9, "7ns"),
        (-60.0, "-1m0s"),
    ],
)
def test_durations_are_printed_as_go_prints_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**15))
def test_what_is_printed_is_read_again(milliseconds: int) -> None:
    """Also by another reader of Go's durations."""
    seconds = milliseconds % 10**9 / 1000
    text = format_duration(seconds)

    assert parse_duration(text) == seconds
    assert durationpy.from_str(text).total_seconds() == pytest.approx(seconds, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("17", 17),
        ("64m", 64 * 1024**2),
        ("64M", 64 * 1024**2),
        ("64mb", 64 * 1024**2),
        ("64MiB", 64 * 1024**2),
        ("1.5g", 3 * 512 * 1024**2),
        (".5k", 512),
        ("1 kb", 1024),
        ("2t", 2 * 1024**4),
        ("1p", 1024**5),
        ("5b", 5),
    ],
)
def test_sizes_are_dockers(text: str, count: int) -> None:
    """Base 1024, with or without a unit, any case."""
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1  m", "1mm", "six", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"use for example 64m or 1\.5g"):
        parse_size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536 * 1024, "1.5MiB"),
        (512 * 1024**2, "512MiB"),
        (3 * 1024**4, "3TiB"),
        (5 * 1024**5, "5PiB"),
        (3000 * 1024**5, "3000PiB"),
    ],
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert format_size(count) == text

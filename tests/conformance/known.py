"""Recordings that differ by a fault of ours that is known and not mended yet.

They are played all the same, and one that is mended makes its test fail until it is taken out here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

FAULTS = {
    "s80": "on-failure with max_attempts: one start too many, as our own restart is not counted",
}


def known_faults(names: Iterable[str]) -> list[Any]:
    """The names as parameters of a test."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=FAULTS[name], strict=True))
        if name in FAULTS
        else name
        for name in names
    ]

"""A short soak in every run of the tests; `make soak` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_twenty_updates_leave_nothing_behind() -> None:
    """Containers, volumes, networks, threads, descriptors and memory; slots 1 to 3."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak", "20"], check=False, capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr

"""The controller's threads are the scheduler's."""

from __future__ import annotations

import pytest

from rollout.controller import workers
from tests.schedules.processes import FiberPool


@pytest.fixture(autouse=True)
def _fibers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ThreadPoolExecutor", FiberPool)

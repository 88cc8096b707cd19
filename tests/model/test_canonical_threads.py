"""The first spec that a process reads, read by many threads at once."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys, threading
from rollout.model.canonical import from_canonical
from rollout.model.spec import ServiceSpec
sys.setswitchinterval(1e-6)
start = threading.Barrier(8)
def read():
    start.wait()
    for _ in range(50):
        assert from_canonical('{"name": "web", "task": {"image": "v1"}}', ServiceSpec).name == "web"
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_the_first_reading_by_many_threads_does_no_harm() -> None:
    """What msgspec makes out at the first use of a type is not safe to share: ten processes."""
    running = [subprocess.Popen([sys.executable, "-c", _CODE]) for _ in range(10)]

    assert [process.wait(60) for process in running] == [0] * 10

"""How long `rollout --help` takes, beside `import docker` alone: a ratio."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

LIMIT = 0.7


def _seconds(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main(runs: int = 9) -> None:
    pairs = [
        (_seconds("-c", "import docker"), _seconds("-m", "rollout", "--help")) for _ in range(runs)
    ]
    bare, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / bare for bare, ours in pairs)
    print(f"  import docker {bare * 1000:.0f} ms   rollout --help {ours * 1000:.0f} ms")
    print(f"rollout --help: {ratio:.2f} of `import docker` (limit {LIMIT})")


if __name__ == "__main__":
    main()

"""All benchmarks: `make bench`.  Ratios against a floor of the same run; nothing is asserted."""

from __future__ import annotations

from tests.bench import replicas, start

if __name__ == "__main__":
    start.main()
    replicas.main()

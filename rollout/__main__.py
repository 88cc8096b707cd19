"""`python -m rollout`."""

from __future__ import annotations

from rollout.cli.main import run

if __name__ == "__main__":
    run()

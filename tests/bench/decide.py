"""How long one decision takes on a large fleet: `python -m tests.bench.decide [SLOTS]`."""

from __future__ import annotations

import gc
import sys
from statistics import median
from time import perf_counter

from rollout.decide.decide import decide
from rollout.decide.world import World as Input
from rollout.model.spec import UpdateConfig
from tests.scenarios.world import STACK, World, spec


def fleet(slots: int) -> World:
    """In the middle of an update, a hundred slots at a time."""
    world = World(spec(slots, update=UpdateConfig(parallelism=100, delay_s=1.0)), guard=False)
    world.deploy()
    world.update(image="v2")
    world.run_for(1.0)
    return world


def measured(world: Input, rounds: int = 9) -> tuple[float, float]:
    """Best and median milliseconds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        began = perf_counter()
        decide(world)
        times.append((perf_counter() - began) * 1000)
    return min(times), median(times)


def main() -> None:
    slots = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    began = perf_counter()
    world = fleet(slots)
    print(f"fleet of {slots} slots made and updated for a second in {perf_counter() - began:.1f} s")
    seen = Input(
        revisions=world.revisions, tasks=world.engine.observe(STACK), now=world.clock.now()
    )
    best, usual = measured(seen)
    print(f"decide, mid-update: {best:.0f} ms best, {usual:.0f} ms median")


if __name__ == "__main__":
    main()

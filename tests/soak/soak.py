"""Many updates of one stack in a row: half of them in one process, half by a process each.

What is counted settles once the limits are reached (five tasks a slot, ten revisions), so the first
updates are not compared.  Whatever is more at the end than it was then is a leak.
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import docker
from msgspec import Struct

from rollout.cli.main import execute
from rollout.decide.clean import HISTORY
from rollout.model import labels
from tests.support.command import compose_file, rollout
from tests.support.engine import build_image, new_stack, sweep

SETTLED_AFTER = 12
REPLICAS = 3
MEMORY_MIB = 4.0
"""How much more memory is no leak: what an allocator keeps."""

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "0"}}
        configs: [greeting]
        deploy:
          replicas: {replicas}
          update_config: {{parallelism: 2, monitor: 1ms}}
    configs:
      greeting: {{content: hello}}
"""


class Count(Struct, frozen=True):
    """What there is of the stack on the engine, and what this process holds."""

    containers: int
    running: tuple[int, ...]
    """The slots in which a task runs, one entry a task."""
    volumes: int
    networks: int
    threads: int
    descriptors: int
    memory_mib: float


def soak(updates: int) -> int:
    """Prints a table; 1 where something grew, else 0."""
    assert updates > SETTLED_AFTER, f"more than {SETTLED_AFTER} updates are needed"
    client = docker.APIClient(version="1.41")
    stack = new_stack()
    try:
        return _judge(_run(client, stack, updates), updates)
    finally:
        sweep(stack)
        client.close()


def _run(client: docker.APIClient, stack: str, updates: int) -> tuple[Count, Count]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        text = FILE.format(image=build_image(), replicas=REPLICAS)
        _do("deploy", "-q", "-c", compose_file(Path(folder), text), stack)
    alone = SETTLED_AFTER + (updates - SETTLED_AFTER) // 2
    for number in range(1, SETTLED_AFTER + 1):
        _do(*_update(stack, number))
    first = count(client, stack)
    for number in range(SETTLED_AFTER + 1, alone + 1):
        _do(*_update(stack, number))
    for number in range(alone + 1, updates + 1):
        rollout(*_update(stack, number))
    last = count(client, stack)
    took = time.monotonic() - began
    print(
        f"{updates} updates of {REPLICAS} replicas in {took:.0f} s: "
        f"{alone} in one process, {updates - alone} by a process each"
    )
    return first, last


def _update(stack: str, number: int) -> tuple[str, ...]:
    return ("update", "-q", f"{stack}_web", "--env-add", f"VERSION={number}")


def _do(*arguments: str) -> None:
    """As the command line does, in this process."""
    code = execute(list(arguments))
    assert code == 0, f"{' '.join(arguments)}: exit {code}"


def count(client: docker.APIClient, stack: str) -> Count:
    gc.collect()
    ours: dict[str, Any] = {"label": f"{labels.COMPOSE_PROJECT}={stack}"}
    containers = client.containers(all=True, filters=ours)
    running = [each for each in containers if each["State"] == "running"]
    records = client.volumes(filters={"label": f"{labels.STACK}={stack}"})["Volumes"] or []
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Count(
        containers=len(containers),
        running=tuple(sorted(int(each["Labels"][labels.SLOT]) for each in running)),
        volumes=len(records),
        networks=len(client.networks(filters=ours)),
        threads=threading.active_count(),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        memory_mib=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
    )


def _judge(counts: tuple[Count, Count], updates: int) -> int:
    first, last = counts
    history = HISTORY * REPLICAS
    allowed = {"memory_mib": MEMORY_MIB, "containers": max(history - first.containers, 0)}
    grew = []
    print(f"{'':<12} {f'after {SETTLED_AFTER}':>10} {f'after {updates}':>10}")
    for name in Count.__struct_fields__:
        before, after = getattr(first, name), getattr(last, name)
        if name == "running":
            before, after = len(before), len(after)
        shown = ".1f" if isinstance(after, float) else "d"
        print(f"{name:<12} {before:>10{shown}} {after:>10{shown}}")
        if after > before + allowed.get(name, 0):
            grew.append(name)
    wanted = tuple(range(1, REPLICAS + 1))
    if last.running != wanted:
        print(f"slots that run: {last.running}, not {wanted}")
    print(f"grew: {', '.join(grew)}" if grew else "nothing grew")
    return int(bool(grew) or last.running != wanted)

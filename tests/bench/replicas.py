"""Ten replicas replaced one by one, beside the bare engine calls for the same: a ratio.

Floor: for each of ten running containers, create its replacement, stop it, start the replacement,
one call after the other through the SDK's low-level client, nothing else.  Both are measured in the
same run, in turn, by the engine's own events: from the first `create` to the last `start`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import docker

from rollout.model import labels
from tests.support.command import compose_file, rollout
from tests.support.engine import build_image, new_stack, sweep
from tests.support.witness import witness

REPLICAS = 10
LIMIT = 1.25

FILE = """
    services:
      web:
        image: {image}
        environment: {{VERSION: "{version}"}}
        deploy:
          replicas: {replicas}
          update_config: {{parallelism: 1, delay: 0s, monitor: 100ms}}
"""


def floor(image: str) -> float:
    """Seconds that the bare calls take."""
    stack = new_stack()
    client = docker.APIClient(version="1.41")
    client.create_network(f"{stack}_default", labels={labels.COMPOSE_PROJECT: stack})
    config = {
        "Image": image,
        "Labels": {labels.COMPOSE_PROJECT: stack},
        "HostConfig": {"NetworkMode": f"{stack}_default"},
    }
    try:
        old = [client.create_container_from_config(config)["Id"] for _ in range(REPLICAS)]
        for container in old:
            client.start(container)
        time.sleep(1)
        with witness(stack) as seen:
            for container in old:
                new = client.create_container_from_config(config)["Id"]
                client.stop(container, timeout=10)
                client.start(new)
        return seen.of("start")[-1].at - seen.of("create")[0].at
    finally:
        sweep(stack)
        client.close()


def ours(image: str) -> float:
    """Seconds that `rollout deploy` takes for the same."""
    stack = new_stack()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for version in (1, 2):
                text = FILE.format(image=image, version=version, replicas=REPLICAS)
                file = compose_file(Path(folder), text)
                with witness(stack) as seen:
                    rollout("deploy", "-c", file, stack)
        return seen.of("start")[-1].at - seen.of("create")[0].at
    finally:
        sweep(stack)


def main(runs: int = 3) -> None:
    image = build_image()
    pairs = [(floor(image), ours(image)) for _ in range(runs)]
    for bare, rolled in pairs:
        print(f"  bare calls {bare:5.2f} s   rollout {rolled:5.2f} s   ratio {rolled / bare:.2f}")
    ratio = statistics.median(rolled / bare for bare, rolled in pairs)
    print(f"{REPLICAS} replicas one by one: {ratio:.2f} of the bare calls (limit {LIMIT})")


if __name__ == "__main__":
    main()

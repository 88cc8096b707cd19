"""One line about the hashing speed of the last minute, from the JSON behind dockercoins' page.

Usage: speed.py URL [SAMPLES]    waits, half a minute at most, until there are so many samples
"""

import json
import sys
import time
import urllib.request

BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN = 60
"""Samples; one a second."""
PATIENCE = 30.0

# A proxy has no part in what is on this host.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def samples(url):
    """The newest samples, none where the page does not answer."""
    try:
        with direct.open(url, timeout=5) as answer:
            return json.load(answer)[-SHOWN:]
    except (OSError, ValueError):
        return []


def line(taken):
    """One block for two seconds, as high as the speed, and which workers made it."""
    pairs = [taken[at : at + 2] for at in range(0, len(taken), 2)]
    means = [sum(each["speed"] for each in pair) / len(pair) for pair in pairs]
    top = max(means) or 1
    graph = "".join(BLOCKS[min(int(mean / top * len(BLOCKS)), len(BLOCKS) - 1)] for mean in means)
    workers = ", ".join(f"{count} × {version}" for version, count in taken[-1]["workers"].items())
    return (
        f"  hashes a second, last {len(taken)} s: {graph} now {taken[-1]['speed']:.0f} ({workers})"
    )


def main(url, wanted=1):
    until = time.monotonic() + PATIENCE
    while len(taken := samples(url)) < wanted and time.monotonic() < until:
        time.sleep(0.5)
    print(line(taken) if taken else f"  no speed to be had from {url}")


main(sys.argv[1], *map(int, sys.argv[2:]))

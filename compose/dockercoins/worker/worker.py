"""worker: take random bytes, have them hashed, count.  Its sleep is what the demo changes."""

import http.client
import signal
import socket
import sys
import time
import urllib.request

from redis import Redis

VERSION = "v0.1"
SLEEP = 0.1
"""Seconds of rest after each unit of work."""


def work_once(redis):
    with urllib.request.urlopen("http://rng/32", timeout=5) as answer:
        data = answer.read()
    with urllib.request.urlopen("http://hasher/", data=data, timeout=5) as answer:
        digest = answer.read().decode()
    redis.call("INCR", "hashes")
    if digest.startswith("0"):
        redis.call("INCR", "coins")
    redis.call("HSET", "workers", socket.gethostname(), f"{VERSION} {time.time()}")
    time.sleep(SLEEP)


def main():
    print(f"worker {VERSION} rests {SLEEP} s after each unit of work")
    while True:
        try:
            redis = Redis()
            while True:
                work_once(redis)
        except (OSError, http.client.HTTPException) as error:
            print(f"trying again in a second: {error}")
            time.sleep(1)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
main()

"""worker: take random bytes, have them hashed, count.  Its sleep is what the demo changes."""

import http.client
import os
import signal
import socket
import sys
import time
import urllib.request

from redis import Redis

VERSION = "v0.1"
SLEEP = 0.1
"""Seconds of rest after each unit of work."""
SLOT = os.environ.get("SLOT", "")
NAME = SLOT if SLOT.isdecimal() else socket.gethostname()
"""A slot has one worker: whoever comes next takes the place of the one before, killed or not."""


class Roll:
    """Where workers say that they work."""

    said = ""

    def call(self, redis):
        self.said = f"{VERSION} {time.time()}"
        redis.call("HSET", "workers", NAME, self.said)

    def leave(self):
        """Unless another has taken the place by now."""
        try:
            redis = Redis()
            if self.said and redis.call("HGET", "workers", NAME) == self.said:
                redis.call("HDEL", "workers", NAME)
        except OSError as error:
            print(f"not taken off the roll: {error}")


def work_once(redis, roll):
    with urllib.request.urlopen("http://rng/32", timeout=5) as answer:
        data = answer.read()
    with urllib.request.urlopen("http://hasher/", data=data, timeout=5) as answer:
        digest = answer.read().decode()
    redis.call("INCR", "hashes")
    if digest.startswith("0"):
        redis.call("INCR", "coins")
    roll.call(redis)
    time.sleep(SLEEP)


def main(roll):
    print(f"worker {VERSION} rests {SLEEP} s after each unit of work")
    while True:
        try:
            redis = Redis()
            while True:
                work_once(redis, roll)
        except (OSError, http.client.HTTPException) as error:
            print(f"trying again in a second: {error}")
            time.sleep(1)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
the_roll = Roll()
try:
    main(the_roll)
finally:
    the_roll.leave()

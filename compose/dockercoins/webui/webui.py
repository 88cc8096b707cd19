"""webui: the hashing speed as a graph on /, as data on /json."""

import json
import signal
import sys
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from redis import Redis

PAGE = Path(__file__).with_name("index.html").read_bytes()
samples = deque(maxlen=300)
"""One a second: time, hashes a second, workers by version."""


def sample():
    """Looks at the counter once a second, for ever."""
    redis, before, at = None, None, 0.0
    while True:
        try:
            redis = redis or Redis()
            hashes, now = int(redis.call("GET", "hashes") or 0), time.time()
            if before is not None:
                speed = max(hashes - before, 0) / (now - at)
                samples.append({"at": now, "speed": round(speed, 1), "workers": workers(redis)})
            before, at = hashes, now
        except OSError as error:
            print(f"redis: {error}")
            redis, before = None, None
        time.sleep(1)


def workers(redis):
    """Version → workers that were heard of in the last three seconds; each slot has one."""
    found, fields = Counter(), redis.call("HGETALL", "workers") or []
    for name, value in zip(fields[::2], fields[1::2]):
        version, seen = value.rsplit(" ", 1)
        age = time.time() - float(seen)
        if age < 3:
            found[version] += 1
        elif age > 60:
            redis.call("HDEL", "workers", name)
    return dict(sorted(found.items()))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/json":
            self.answer("application/json", json.dumps(list(samples)).encode())
        elif self.path == "/":
            self.answer("text/html; charset=utf-8", PAGE)
        else:
            self.send_error(404)

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
threading.Thread(target=sample, daemon=True).start()
print("webui listens on port 80")
ThreadingHTTPServer(("", 80), Handler).serve_forever()

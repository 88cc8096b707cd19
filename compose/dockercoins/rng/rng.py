"""rng: random bytes over HTTP.  GET /32 answers 32 of them."""

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST = 1024


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        number = self.path.lstrip("/")
        if not number.isdigit() or int(number) > LARGEST:
            self.send_error(400, f"ask for a number of bytes up to {LARGEST}")
            return
        time.sleep(0.05)  # good randomness takes its time
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        self.wfile.write(os.urandom(int(number)))

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("rng listens on port 80")
ThreadingHTTPServer(("", 80), Handler).serve_forever()

"""hasher: SHA-256 over HTTP.  POST / answers the hex digest of the body."""

import hashlib
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST = 65536


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            self.send_error(400, f"send up to {LARGEST} bytes")
            return
        digest = hashlib.sha256(self.rfile.read(int(length))).hexdigest()
        time.sleep(0.05)  # as if hashing were hard
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(digest.encode())

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("hasher listens on port 80")
ThreadingHTTPServer(("", 80), Handler).serve_forever()

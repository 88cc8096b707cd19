"""As much of a Redis client as dockercoins needs: commands out, answers in."""

import socket


class Redis:
    """One connection.  Any call raises OSError where redis is not there (any more)."""

    def __init__(self, host="redis", port=6379):
        self._socket = socket.create_connection((host, port), timeout=5)
        self._answers = self._socket.makefile("rb")

    def call(self, *words):
        parts = [str(word).encode() for word in words]
        frame = b"*%d\r\n" % len(parts)
        frame += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(frame)
        return self._answer()

    def _answer(self):
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise OSError(f"redis: {rest.decode()}")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._answers.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        return rest.decode()

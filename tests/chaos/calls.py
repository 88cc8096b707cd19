"""A request to the engine → the class of call it is, with ids and names left out.

Calls made at the same time come in varying order, so a moment of a command is counted within a
class: the second `POST /containers/*/start`, the first `POST /volumes/create mark`.
"""

from __future__ import annotations

import contextlib
import json
import re

LOOKS = ("GET /containers/json", "GET /containers/*/json", "GET /volumes")
"""Reads made over and over, whenever anything has changed."""
LOOK = "look"
"""All of them as one class."""

_VERSION = re.compile(r"^/v1\.\d+")
_NAMED = re.compile(r"^/(containers|volumes|networks|images|exec)/([^/]+)(/[a-z]+)?$")
_VERBS = ("json", "create", "prune")
_RECORDS = (
    (re.compile(r"\.lease\.\d+$"), "lease"),
    (re.compile(r"\.r\d+\.m\d+$"), "mark"),
    (re.compile(r"\.r\d+$"), "revision"),
    (re.compile(r"\.file\.[0-9a-f]+$"), "file"),
)


def call_of(request: bytes) -> str:
    """`POST /containers/*/start`; of a ledger record also which kind it is."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.decode("latin-1").split(" ", 2)
    path = _VERSION.sub("", target.partition("?")[0])
    if path == "/volumes/create":
        return f"{method} {path}{_record(_name_in(body))}"
    found = _NAMED.match(path)
    if found is None or found[2] in _VERBS:
        return f"{method} {path}"
    record = _record(found[2]) if found[1] == "volumes" else ""
    return f"{method} /{found[1]}/*{found[3] or ''}{record}"


def _name_in(body: bytes) -> str:
    with contextlib.suppress(ValueError):  # cut short: whoever sent it was killed over it
        return str(json.loads(body).get("Name", ""))
    return ""


def _record(volume: str) -> str:
    return next((f" {kind}" for pattern, kind in _RECORDS if pattern.search(volume)), "")


def is_read(call: str) -> bool:
    """It changes nothing, so before and after are the same fault."""
    return call == LOOK or call.startswith("GET ")

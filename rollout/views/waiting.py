"""What a service waits for, and for how long still, as sentences."""

from __future__ import annotations

from rollout.model.status import ServiceStatus
from rollout.model.units import format_duration
from rollout.views.text import clean, truncate

_WAITS = {
    "delay": "done, next batch after the delay",
    "monitor": "watching that tasks stay up",
}
_MOST = 20


def wait_of(status: ServiceStatus, now: float, most: int = 500) -> str:
    """`batch 1, 2: ` before the sentence; empty at rest.  `most` columns are for the reason."""
    text = sentence_of(status, now, most)
    batch = ", ".join(str(slot) for slot in status.batch[:_MOST])
    return clean(f"batch {batch}: {text}") if text and batch else text


def sentence_of(status: ServiceStatus, now: float | None, most: int = 500) -> str:
    """`waiting for web.1 to become healthy (last probe: refused), fails in 4m10s`; without `now`
    the time is left out."""
    if status.at_rest or not status.waiting_for:
        return ""
    text = _WAITS.get(status.waiting_for, f"waiting for {status.waiting_for}")
    if status.because:
        text += f" ({truncate(clean(status.because), most)})"
    if now is not None and status.until is not None and status.until > now:
        left = left_until(status.until, now)
        text += f", {status.then} in {left}" if status.then else f", {left} left"
    return clean(text)


def seconds_left(until: float | None, now: float | None) -> float | None:
    """For machines."""
    return None if until is None or now is None else round(max(until - now, 0.0), 1)


def left_until(until: float, now: float) -> str:
    return format_duration(float(max(1, round(until - now))))

"""What a controller sees, in Prometheus' words; every value is derived when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from rollout.controller.supervise import Watched
from rollout.engine.protocol import Calls
from rollout.errors import RolloutError
from rollout.model.state import UpdateState
from rollout.model.status import ServiceStatus

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STACK = ("stack",)
_SERVICE = ("stack", "service")


class Watching(Protocol):
    """What of a `Supervisor` is told."""

    def watched(self) -> tuple[Watched, ...]: ...

    def ailments(self) -> tuple[str, ...]: ...


def exposition(supervisor: Watching, calls: Calls) -> bytes:
    """The text that Prometheus reads.  Raises RolloutError where its client is not installed."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest  # lazy: 87 ms
    except ImportError:
        raise RolloutError(
            "metrics need the Prometheus client", hint="pip install 'rollout[metrics]'"
        ) from None

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(supervisor, calls))
    text: bytes = generate_latest(registry)
    return text


class _Collector:
    def __init__(self, supervisor: Watching, calls: Calls) -> None:
        self._supervisor = supervisor
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        import rollout

        watched = self._supervisor.watched()
        yield _gauge(
            "build_info", "Version of rollout.", ("version",), [((rollout.__version__,), 1)]
        )
        yield _gauge("up", "1 where all is well, as /healthz says.", (), [
            ((), not self._supervisor.ailments())
        ])  # fmt: skip
        yield from _of_services(watched)
        yield from _of_stacks(watched)
        yield from _of_engine(self._calls)


def _of_services(watched: tuple[Watched, ...]) -> Iterator[Metric]:
    statuses = [status for each in watched if each.progress for status in each.progress.services]

    def gauge(name: str, help_: str, value: Callable[[ServiceStatus], float]) -> Metric:
        rows = [((status.stack, status.service), value(status)) for status in statuses]
        return _gauge(name, help_, _SERVICE, rows)

    yield gauge("service_replicas_desired", "Replicas asked for.", lambda each: each.desired)
    yield gauge("service_replicas_running", "Slots in which a task runs well.", lambda s: s.running)
    yield gauge("service_replicas_completed", "Slots of a job that is done.", lambda s: s.completed)
    yield gauge("service_replicas_updated", "Slots at the newest revision.", lambda s: s.updated)
    yield gauge("service_revision", "Number of the newest revision.", lambda s: s.revision.number)
    yield gauge("service_at_rest", "1 where nothing is left to do.", lambda each: each.at_rest)
    yield gauge("service_failures", "Failed slots of the update.", lambda s: len(s.failures))
    yield _gauge(
        "service_update_state",
        "1 for the state that the last update is in.",
        (*_SERVICE, "state"),
        [
            ((status.stack, status.service, state.value), status.state is state)
            for status in statuses
            for state in UpdateState
        ],
    )


def _of_stacks(watched: tuple[Watched, ...]) -> Iterator[Metric]:
    yield _gauge(
        "stack_lease",
        "1 for whoever drives the stack now: self, other or nobody.",
        ("stack", "holder"),
        [
            ((each.stack, holder), _holder(each) == holder)
            for each in watched
            for holder in ("self", "other", "nobody")
        ],
    )
    yield _gauge(
        "stack_last_look_age_seconds",
        "How long ago the stack was looked at.",
        _STACK,
        [((each.stack,), each.silent_s) for each in watched],
    )
    yield _counter(
        "stack_loop_errors",
        "How often a stack's loop had to be begun anew.",
        _STACK,
        [((each.stack,), each.errors) for each in watched],
    )
    yield _looks(watched)


def _looks(watched: tuple[Watched, ...]) -> Metric:
    from prometheus_client.core import SummaryMetricFamily

    found = SummaryMetricFamily(
        "rollout_stack_look_seconds",
        "Looks at a stack, each from observing to acting.",
        labels=_STACK,
    )
    for each in watched:
        found.add_metric((each.stack,), count_value=each.looks, sum_value=each.looking_s)
    return found


def _of_engine(calls: Calls) -> Iterator[Metric]:
    yield _counter("engine_calls", "Calls to the engine.", (), [((), calls.made)])
    yield _counter(
        "engine_errors", "Calls that the engine refused or lost.", (), [((), calls.failed)]
    )
    yield _counter("engine_retries", "Calls that were tried again.", (), [((), calls.retried)])


def _holder(watched: Watched) -> str:
    if watched.holds:
        return "self"
    return "other" if watched.progress is not None and watched.progress.holder else "nobody"


_Rows = Sequence[tuple[tuple[str, ...], float]]


def _gauge(name: str, help_: str, labels: tuple[str, ...], rows: _Rows) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    found = GaugeMetricFamily(f"rollout_{name}", help_, labels=labels)
    for values, number in rows:
        found.add_metric(values, float(number))
    return found


def _counter(name: str, help_: str, labels: tuple[str, ...], rows: _Rows) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    found = CounterMetricFamily(f"rollout_{name}", help_, labels=labels)
    for values, number in rows:
        found.add_metric(values, float(number))
    return found

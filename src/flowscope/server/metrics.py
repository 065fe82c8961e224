"""What Prometheus is told. Counting happens on every commit, so it is a few integers; names and texts come when asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from flowscope.execution.events import (
    ExecutionStarted,
    NodeCancelled,
    NodeFailed,
    NodeLost,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
)
from flowscope.execution.view import ENDED
from flowscope.orchestrator.ports import LogLine, Progress, Segment

BUCKETS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0)
"""Seconds."""

MOST_OPEN: Final = 100_000
"""Attempts whose start is remembered; of more than these the durations are not measured."""

_ENDS: Final[dict[Any, str]] = {
    NodeSucceeded: "success",
    NodeFailed: "error",
    NodeCancelled: "cancelled",
    NodeLost: "lost",
    NodeSkipped: "skipped",
}


class Durations:
    """A histogram."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets, and the sum."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets, self._sum


class Metrics(Collector):
    """A publisher that counts. `statistics` gives the engine's own figures, `viewers` how many look on."""

    def __init__(self, statistics: Callable[[], dict[str, Any]], viewers: Callable[[], int]) -> None:
        self._statistics = statistics
        self._viewers = viewers
        self._started = 0
        self._ended: Counter[str] = Counter()
        self._nodes: Counter[str] = Counter()
        self._runs = Durations()
        self._attempts = Durations()
        self._open: dict[tuple[str, str, str], float] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """All of it in Prometheus' format."""
        return generate_latest(self._registry)

    # --- the Publisher port ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        execution_id = segment.execution_id
        for event in events:
            kind = type(event)
            if kind is NodeStarted:
                if len(self._open) < MOST_OPEN:
                    self._open[execution_id, event.path, event.node_id] = event.at
            elif kind in _ENDS:
                self._nodes[_ENDS[kind]] += 1
                began = self._open.pop((execution_id, event.path, event.node_id), None)
                if began is not None:
                    self._attempts.add((event.at - began) / 1000)
            elif kind is ExecutionStarted:
                self._started += 1
        row = segment.row
        if row is not None and row.status in ENDED:
            self._ended[row.status] += 1
            self._runs.add((row.ended_at - row.started_at) / 1000)

    def murmur(self, word: Progress | LogLine) -> None:
        """Not counted."""

    # --- the Collector ---

    def collect(self) -> Iterator[Metric]:
        """One family after another."""
        statistics = self._statistics()
        store = statistics.get("store", {})
        yield CounterMetricFamily("flowscope_runs_started", "Executions started.", self._started)
        yield _by_status("flowscope_runs_ended", "Executions ended.", self._ended, ("success", "failed", "cancelled"))
        yield _by_status("flowscope_node_attempts_ended", "Attempts ended, nodes skipped.", self._nodes, _ENDS.values())
        buckets, total = self._runs.told()
        yield HistogramMetricFamily("flowscope_run_seconds", "From start to end of a run.", buckets, total)
        buckets, total = self._attempts.told()
        yield HistogramMetricFamily("flowscope_node_seconds", "From start to end of an attempt.", buckets, total)
        passive = statistics.get("passive", 0)
        gauges: dict[str, tuple[str, Any]] = {
            "flowscope_runs_live": ("Executions in memory.", statistics.get("executions", 0) - passive),
            "flowscope_runs_passive": ("Executions that only wait, out of memory.", passive),
            "flowscope_events_in_flight": ("Events on their way to the disk.", statistics.get("eventsInFlight", 0)),
            "flowscope_attempts_running": ("External attempts.", statistics.get("runner", {}).get("running", 0)),
            "flowscope_viewers": ("Viewers connected.", self._viewers()),
            "flowscope_journal_queue": ("Commits that wait for the writer.", store.get("queue", 0)),
            "flowscope_journal_commit_last_seconds": ("The last commit.", store.get("last_commit_ms", 0) / 1000),
            "flowscope_journal_commit_mean_seconds": ("Commits since start.", store.get("mean_commit_ms", 0) / 1000),
            "flowscope_journal_commit_max_seconds": ("The slowest commit.", store.get("max_commit_ms", 0) / 1000),
        }
        pool = statistics.get("runner", {}).get("pool", {})
        gauges["flowscope_workers"] = ("Worker processes.", pool.get("workers", 0))
        gauges["flowscope_workers_busy"] = ("Worker processes that have a task.", pool.get("activeWorkers", 0))
        gauges["flowscope_workers_queue"] = ("Attempts that wait for a place.", pool.get("queueLength", 0))
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(name, text, value)
        yield CounterMetricFamily("flowscope_workers_lost", "Worker processes that died.", pool.get("lostWorkers", 0))
        yield CounterMetricFamily("flowscope_journal_commits", "Commits.", store.get("commits", 0))
        yield CounterMetricFamily("flowscope_journal_failures", "Commits that were refused.", store.get("failures", 0))


def _by_status(name: str, text: str, counts: Counter[str], statuses: Any) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=["status"])
    for status in statuses:
        family.add_metric([status], counts[status])
    return family

"""What `/metrics` tells a Prometheus server: requests, batches, seconds, models in memory, and what the ledger knows.

Each application has a registry of its own, so that several in one process do not count for each other.
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger.census import FAMILIES, Census

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Meters:
    """Counters and histograms, which any thread may move."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Histogram(
            "ganymede_http_request_seconds",
            "Seconds from a request to the end of its answer, to the beginning of a stream of events.",
            ("method", "route", "status"),
            buckets=SECONDS[::3],
            registry=registry,
        )
        self.rows = Histogram("ganymede_batch_rows", "Rows of a forward's batch.", buckets=ROWS, registry=registry)
        self.queue = self._seconds("queue", "Seconds that a sampling request waited for its first batch.")
        self.forward = self._seconds("forward", "Seconds of a batch's forward.")
        self.encode = self._seconds("encode", "Seconds of drawing and encoding an answer.")
        self.load = self._seconds("load", "Seconds of loading a network from its file.")
        self.rejected = Counter(
            "ganymede_rejected", "Sampling requests refused because too many waited.", registry=registry
        )
        self.evicted = Counter(
            "ganymede_evicted_networks", "Networks that left memory to make room.", registry=registry
        )

        self.kept_hits = Counter("ganymede_kept_hits", "Pictures that were sent again.", registry=registry)
        self.kept_misses = Counter("ganymede_kept_misses", "Pictures that had to be drawn.", registry=registry)
        ProcessCollector(registry=registry)

    def _seconds(self, name: str, words: str) -> Histogram:
        return Histogram(f"ganymede_{name}_seconds", words, buckets=SECONDS, registry=self.registry)

    def watch(self, name: str, words: str, read: Callable[[], float]) -> None:
        """A gauge that is read whenever it is asked for."""
        Gauge(f"ganymede_{name}", words, registry=self.registry).set_function(read)

    def text(self, census: Census | None) -> bytes:
        """All of it in Prometheus' text format, without the ledger's part where the database is away (None)."""
        told = CollectorRegistry()
        told.register(Ledgered(census or {}))
        return generate_latest(self.registry) + generate_latest(told)


class Ledgered(Collector):
    """What the ledger said at this moment."""

    def __init__(self, census: Census) -> None:
        self._census = census

    def collect(self) -> Iterable[Metric]:
        """A family each, empty where nothing is known."""
        for family in FAMILIES:
            kind = CounterMetricFamily if family.counter else GaugeMetricFamily
            told = kind(f"ganymede_{family.name}", family.words, labels=family.labels)
            for labels, value in self._census.get(family.name, {}).items():
                told.add_metric(labels, value)
            yield told

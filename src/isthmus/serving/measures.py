"""What a server counts, for Prometheus."""

from __future__ import annotations

from isthmus.errors import require

EXTRA = "serve"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


class Measures:
    """Counters of one server; none of them is global."""

    def __init__(self) -> None:
        prometheus = require("prometheus_client", EXTRA)
        self._prometheus = prometheus
        self._registry = prometheus.CollectorRegistry()
        own = {"registry": self._registry, "namespace": "isthmus"}
        kinds = ("operation", "status")
        self._requests = prometheus.Counter("requests", "Requests that were answered.", kinds, **own)
        self._seconds = prometheus.Histogram(
            "request_seconds", "Time from the first byte to the answer.", ("operation",), buckets=_SECONDS, **own
        )
        self._rows = prometheus.Counter("rows", "Rows that were computed.", ("operation",), **own)
        self._batches = prometheus.Histogram(
            "batch_rows", "Rows that went through the network together.", buckets=_ROWS, **own
        )
        self._waiting = prometheus.Gauge("waiting_bytes", "Bodies of the requests that are being answered.", **own)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def computed(self, operation: str, rows: int) -> None:
        """Count a batch."""
        self._rows.labels(operation).inc(rows)
        self._batches.observe(rows)

    def waiting(self, size: int) -> None:
        """Add to, or take from, the bytes of the bodies at hand."""
        self._waiting.inc(size)

    @property
    def media_type(self) -> str:
        """The type of `text`."""
        return str(self._prometheus.CONTENT_TYPE_PLAIN_0_0_4)

    def text(self) -> bytes:
        """Give all counters in Prometheus's text format."""
        text: bytes = self._prometheus.generate_latest(self._registry)
        return text

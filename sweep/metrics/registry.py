"""The registry of metrics that the built-in trainer records."""

from __future__ import annotations

from sweep.metrics.metric import Direction, Metric

PEAK_MEMORY = Metric(
    name="peak_memory_bytes",
    title="peak memory",
    unit="bytes",
    direction=Direction.MINIMIZE,
)
PARAMETERS = Metric(
    name="parameters",
    title="parameters",
    unit="",
    direction=Direction.MINIMIZE,
    is_exact=True,
)
METRICS = {
    metric.name: metric
    for metric in [
        Metric(
            name="test_loss",
            title="test loss",
            unit="nats per token",
            direction=Direction.MINIMIZE,
        ),
        Metric(
            name="bits_per_byte",
            title="test loss",
            unit="bits per byte",
            direction=Direction.MINIMIZE,
        ),
        Metric(
            name="train_seconds",
            title="training time",
            unit="seconds",
            direction=Direction.MINIMIZE,
        ),
        Metric(
            name="tokens_per_second",
            title="training speed",
            unit="tokens per second",
            direction=Direction.MAXIMIZE,
        ),
        PEAK_MEMORY,
        PARAMETERS,
    ]
}
PRIMARY = METRICS["test_loss"]
"""The metric that verdicts are about, unless a study says otherwise."""

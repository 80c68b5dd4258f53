"""The registry of metrics that the built-in trainer records."""

from __future__ import annotations

from sweep.metrics.metric import Direction, Metric

METRICS = {
    metric.name: metric
    for metric in [
        Metric(
            name="test_loss",
            title="test loss",
            unit="nats per token",
            direction=Direction.MINIMIZE,
        )
    ]
}
PRIMARY = METRICS["test_loss"]
"""The metric that verdicts are about."""

"""The registry of metrics that runs of the built-in trainer can have."""

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
SCORES = {
    metric.name: metric
    for metric in [
        Metric(
            name="instructions",
            title="instruction score (chrF)",
            unit="points of 100",
            direction=Direction.MAXIMIZE,
        ),
        Metric(
            name="instructions_exact",
            title="exact answers to instructions",
            unit="percent",
            direction=Direction.MAXIMIZE,
        ),
        Metric(
            name="instructions_openai",
            title="instruction score of a judge model",
            unit="points of 100",
            direction=Direction.MAXIMIZE,
        ),
    ]
}
"""The metrics that `sweep judge` adds, one per judge."""
INSTRUCTION_LOSS = Metric(
    name="instruction_loss",
    title="loss on reference answers after the fine-tune",
    unit="nats per token",
    direction=Direction.MINIMIZE,
)
"""Also added by `sweep judge`."""
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
"""The metrics that the trainer records."""
KNOWN = {**METRICS, **SCORES, INSTRUCTION_LOSS.name: INSTRUCTION_LOSS}
"""All of them."""
PRIMARY = METRICS["test_loss"]
"""The metric that verdicts are about, unless a study says otherwise."""

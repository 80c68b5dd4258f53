"""Settings that change the speed and the rounding of a run, and nothing else.

Light to import: no torch here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from model.config import Config, Count


def _count_or_auto(value: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """Refuse other words here: the message of a union would list each of its types."""
    if isinstance(value, str) and value != "auto":
        raise ValueError('micro_batch is a number of sequences, or "auto" for as many as fit')
    return value


MicroBatch = Annotated[Literal["auto"] | Count, BeforeValidator(_count_or_auto)]


class RunSettings(Config):
    """Settings of one run that a study file writes under `[jobs]`."""

    micro_batch: MicroBatch = "auto"
    """Sequences per forward pass on each GPU; `auto` for as many as fit in memory."""
    compile: Literal["auto", "always", "never"] = "auto"
    """Use torch.compile; `auto`: on a GPU, for runs that are long enough to gain time."""
    deterministic: bool = False
    """Use only algorithms that give the same bits each time; slower on a GPU."""
    checkpoint_seconds: float = Field(default=300.0, ge=0)
    """Seconds between two checkpoints; longer if writing one takes more than 1% of that."""
    keep: Literal["weights", "nothing"] = "weights"
    """Files to keep of a finished run beside its result: `weights.safetensors`, or `nothing`."""


class Execution(RunSettings):
    """Settings of one run that are not part of its recipe."""

    processes: Count = 1
    """Data-parallel processes, each on its own device."""

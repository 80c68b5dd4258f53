"""How a run is carried out: all that may change its speed, and nothing else but rounding.

Light to import: no torch here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from model.config import Config, Count


def _count_or_auto(value: Any) -> Any:  # noqa: ANN401  (whatever a study file may hold)
    """Refuse other words here: a union's own message would speak of each of its members."""
    if isinstance(value, str) and value != "auto":
        raise ValueError('micro_batch is a number of sequences, or "auto" for as many as fit')
    return value


MicroBatch = Annotated[Literal["auto"] | Count, BeforeValidator(_count_or_auto)]


class RunSettings(Config):
    """Settings of one run that a study file writes under `[jobs]`."""

    micro_batch: MicroBatch = "auto"
    """Sequences that are worked on at once on each GPU; `auto` for as many as fit."""
    compile: Literal["auto", "always", "never"] = "auto"
    """Whether torch.compile is used; `auto`: on a GPU, for runs that are long enough to gain."""
    deterministic: bool = False
    """Whether torch keeps to algorithms that give the same bits each time: slower, on a GPU."""
    checkpoint_seconds: float = Field(default=300.0, ge=0)
    """Seconds from one checkpoint to the next; longer where writing takes over 1% of that."""
    keep: Literal["weights", "nothing"] = "weights"
    """What stays of a finished run beside its result: `weights.safetensors`, or nothing."""


class Execution(RunSettings):
    """Settings of one run that are not part of its recipe."""

    processes: Count = 1
    """Data-parallel processes, each on its own device."""

"""How much each effect of a study depends on the chunks of its test text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from sweep.store.schema import arms, chunk_losses, members, planned_runs, runs
from sweep.store.states import RunState
from sweep.store.store import Store

if TYPE_CHECKING:
    from analysis.chunks import ChunkEffect
    from analysis.verdict import ArmVerdict

MAX_RUNS = 2_000
"""Chunk losses of larger studies are not read: it would take too long."""


@dataclass(frozen=True, kw_only=True)
class TextDependence:
    """How much one arm's verdict depends on the test text. None if chunk losses are unknown."""

    n_chunks: int | None = None
    se_chunks: float | None = None
    """Standard error of the effect over chunks, nats per token."""
    carried_by: int | None = None
    """Fewest chunks without which the effect would be zero or change its sign."""
    rests_on_few_chunks: bool | None = None
    """True if other text might give another verdict."""


@dataclass(frozen=True)
class ChunkEffects:
    """Effects with their uncertainty from the test text."""

    by_arm: Mapping[str, ChunkEffect] = field(default_factory=dict)
    """Arms without chunk losses are left out."""

    def text_dependence(self, arm: ArmVerdict, smallest_effect: float) -> TextDependence:
        """How much an arm's verdict depends on the text; `smallest_effect` in nats per token."""
        found = self.by_arm.get(arm.arm)
        if found is None:
            return TextDependence()
        return TextDependence(
            n_chunks=found.n_chunks,
            se_chunks=found.se_chunks,
            carried_by=found.carried_by,
            rests_on_few_chunks=_rests_on_few_chunks(found, arm, smallest_effect),
        )


def _rests_on_few_chunks(found: ChunkEffect, arm: ArmVerdict, smallest_effect: float) -> bool:
    if arm.verdict in {"better", "worse"}:
        return found.rests_on_few_chunks
    return arm.verdict == "negligible" and found.outside(smallest_effect)


def read_chunk_effects(store: Store, study: str, baseline: str, alpha: float) -> ChunkEffects:
    """Estimate effects from the chunk losses of the runs that are done."""
    import pandas as pd

    from analysis.chunks import chunk_effects

    query = (
        select(arms.c.name, members.c.seed, chunk_losses.c.chunk, chunk_losses.c.loss)
        .select_from(planned_runs.join(chunk_losses))
        .where(arms.c.study == study, runs.c.state == RunState.DONE)
        .order_by(arms.c.position)
    )
    with store.begin() as connection:
        rows = connection.execute(query).all()
    frame = pd.DataFrame(rows, columns=["arm", "seed", "chunk", "loss"])
    if baseline not in set(frame.arm):
        return ChunkEffects()
    return ChunkEffects(chunk_effects(frame, baseline, alpha))

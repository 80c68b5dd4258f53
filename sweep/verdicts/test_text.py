"""How much each effect of a study hangs on the text that it was tested on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from sweep.store.schema import arms, chunk_losses, members, planned_runs, runs
from sweep.store.store import Store

if TYPE_CHECKING:
    from analysis.chunks import ChunkEffect

MOST_RUNS = 2_000
"""Of a larger study the losses chunk by chunk are too many to be read for a report."""


@dataclass(frozen=True)
class TestedText:
    """What the chunks of the test text say, by arm; nothing of arms that are not known by chunk."""

    effects: Mapping[str, ChunkEffect] = field(default_factory=dict)

    def of_arm(self, verdict: Mapping[str, Any], delta: float) -> dict[str, Any]:
        """What a report says of an arm, by its verdict; `delta` is the smallest effect, nats."""
        found = self.effects.get(verdict["arm"])
        if found is None:
            return dict.fromkeys(("n_chunks", "se_chunks", "carried_by", "rests_on_few_chunks"))
        return {
            "n_chunks": found.n_chunks,
            "se_chunks": found.se_chunks,
            "carried_by": found.carried_by,
            "rests_on_few_chunks": _rests(found, verdict["verdict"], delta),
        }

    def sentences(self) -> list[str]:
        """Its size beside that of the seeds' noise."""
        errors = sorted((found.se_chunks, arm) for arm, found in self.effects.items())
        if not errors:
            return []
        (least, steady), (most, shaky) = errors[0], errors[-1]
        chunks = max(found.n_chunks for found in self.effects.values())
        return [
            (
                f"Test text: over {chunks} chunks of it an effect has a standard error of "
                f"{least:.4f} ({steady}) to {most:.4f} ({shaky})."
            )
        ]


def _rests(found: ChunkEffect, verdict: str | None, delta: float) -> bool:
    if verdict in {"better", "worse"}:
        return found.rests_on_few_chunks
    return verdict == "negligible" and found.outside(delta)


def read_tested_text(store: Store, study: str, baseline: str, alpha: float) -> TestedText:
    """From the losses chunk by chunk of the runs that are done."""
    import pandas as pd

    from analysis.chunks import chunk_effects

    query = (
        select(arms.c.name, members.c.seed, chunk_losses.c.chunk, chunk_losses.c.loss)
        .select_from(planned_runs.join(chunk_losses))
        .where(arms.c.study == study, runs.c.state == "done")
        .order_by(arms.c.position)
    )
    with store.begin() as connection:
        rows = connection.execute(query).all()
    frame = pd.DataFrame(rows, columns=["arm", "seed", "chunk", "loss"])
    if baseline not in set(frame["arm"]):
        return TestedText()
    return TestedText(chunk_effects(frame, baseline, alpha))

"""How much of a disk a study will take, before it is run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.forecast.outline import Outline
from sweep.machine.disk import free_bytes
from sweep.terminal.units import shown_size
from sweep.trainers.base import Cost
from sweep.trainers.inputs import Supply

FLOAT = 4
"""Bytes of a parameter, whatever the precision of its training."""
CHECKPOINT = 3 * FLOAT
"""Bytes of it in a checkpoint, with the two moments of the optimiser."""
CHECKPOINTS = 3
"""Of a run at once: two are kept while a third is written."""
RUN = 8_000
"""Bytes of what a run records whatever its length: recipe, result, log; in files and database."""
POINT = 380
"""Bytes of a point of its curve, in both."""
CHUNK = 220
"""Bytes of the loss of a chunk of test text, in both."""
TOKEN = 2
"""Bytes of a token."""


@dataclass(frozen=True)
class Room:
    """Bytes that the runs a study still lacks will take at most, as a rough guess."""

    weights: int
    """Of the runs when they have ended."""
    checkpoints: int
    """Of those that are trained at once."""
    tokens: int
    """Of corpora that are still to be prepared, where their size is known."""
    records: int
    """Curves, results and the database."""
    free: int
    """On the disk of the folder of runs."""

    @property
    def needed(self) -> int:
        return self.weights + self.checkpoints + self.tokens + self.records

    def content(self) -> dict[str, Any]:
        """What `--format json` prints of it."""
        return {**asdict(self), "needed": self.needed}

    def warning(self, folder: Path) -> str | None:
        """Both numbers and what to do; None for a study that fits."""
        if self.needed <= self.free:
            return None
        parts = {
            "weights": self.weights,
            "checkpoints": self.checkpoints,
            "token files": self.tokens,
            "records": self.records,
        }
        words = ", ".join(f"{name} {shown_size(size)}" for name, size in parts.items() if size)
        return (
            f"The disk may be too small: the study takes up to {shown_size(self.needed)} in {folder} "
            f"({words}), where {shown_size(self.free)} are free; free "
            f"{shown_size(self.needed - self.free)} (`sweep gc --dry-run` lists what can go), choose "
            'another folder with --runs DIR, or set jobs.keep = "nothing" to keep no weights.'
        )


def room_for(outline: Outline, slots: int, folder: Path) -> Room:
    """What the runs of a plan that are missing will take with `slots` of them at a time."""
    missing = outline.missing
    sizes = sorted((cost.parameters for cost in missing), reverse=True)
    keep = outline.plan.study.jobs.keep == "weights"
    supplies = outline.workload.inputs.supplies.values() if outline.workload and missing else ()
    return Room(
        weights=sum(sizes) * FLOAT if keep else 0,
        checkpoints=sum(sizes[:slots]) * CHECKPOINT * CHECKPOINTS,
        tokens=sum(_token_files(supply) for supply in supplies),
        records=sum(_records(cost) for cost in missing),
        free=free_bytes(folder),
    )


def _records(cost: Cost) -> int:
    return RUN + POINT * cost.curve_points + CHUNK * cost.chunks


def _token_files(supply: Supply) -> int:
    """Those that are not there yet; 0 where nobody knows how large they will be."""
    corpus, data, size = supply.corpus, supply.data, supply.source.size
    if supply.saved:
        return 0
    if corpus is not None:
        return TOKEN * (corpus.info.train_tokens + corpus.info.test_tokens)
    most = data.max_tokens
    by_text = None if size is None else size if data.tokenizer == "bytes" else size // 2
    known = [tokens for tokens in (most, by_text) if tokens is not None]
    return TOKEN * min(known, default=0)

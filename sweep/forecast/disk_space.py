"""Estimate the disk space that a study needs, before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep.machine.disk import free_bytes
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import Cost
from sweep.trainers.supply import Supply
from sweep.workload.workload import Workload

WEIGHT_BYTES = 4
"""Bytes per parameter in `weights.safetensors`; the precision of training does not matter."""
CHECKPOINT_BYTES = 3 * WEIGHT_BYTES
"""Bytes per parameter in a checkpoint: the weight and the optimizer's two moments."""
CHECKPOINTS_AT_ONCE = 3
"""Checkpoints of a run on disk at one time: two are kept while a third is written."""
RUN_BYTES = 8_000
"""Bytes of recipe, result and log of one run, in files and database; its length does not matter."""
POINT_BYTES = 380
"""Bytes per point of the loss curve, in files and database."""
CHUNK_BYTES = 220
"""Bytes per chunk of test text for its loss, in files and database."""
TOKEN_BYTES = 2
"""Bytes per token in a token file."""


@dataclass(frozen=True, kw_only=True)
class DiskSpace:
    """A rough upper bound of the bytes that the missing runs of a study will need."""

    weights: int
    """Weights of the finished runs, bytes."""
    checkpoints: int
    """Checkpoints of the runs that are trained at the same time, bytes."""
    tokens: int
    """Token files of corpora that are not prepared yet, bytes; 0 for a corpus of unknown size."""
    records: int
    """Curves, results and the database, bytes."""
    free: int
    """Free bytes on the disk of the folder of runs."""

    @property
    def needed(self) -> int:
        """Sum of all parts, bytes."""
        return self.weights + self.checkpoints + self.tokens + self.records

    def to_json(self) -> dict[str, Any]:
        """Plain values for `sweep plan --format json`."""
        return {**asdict(self), "needed": self.needed}


def disk_space_for(
    missing: Sequence[Cost], workload: Workload | None, jobs: Jobs, slots: int, folder: Path
) -> DiskSpace:
    """The space that runs will need in `folder`, with `slots` of them at a time."""
    sizes = sorted((run.parameters for run in missing), reverse=True)
    keeps_weights = jobs.keep == "weights"
    supplies = workload.inputs.supplies if workload and missing else ()
    return DiskSpace(
        weights=sum(sizes) * WEIGHT_BYTES if keeps_weights else 0,
        checkpoints=sum(sizes[:slots]) * CHECKPOINT_BYTES * CHECKPOINTS_AT_ONCE,
        tokens=sum(_token_files(supply) for supply in supplies),
        records=sum(_records(run) for run in missing),
        free=free_bytes(folder),
    )


def _records(run: Cost) -> int:
    return RUN_BYTES + POINT_BYTES * run.curve_points + CHUNK_BYTES * run.chunks


def _token_files(supply: Supply) -> int:
    """Bytes of the token files that have to be written; 0 if their size is unknown."""
    corpus, data, size = supply.corpus, supply.data, supply.source.size
    if supply.saved:
        return 0
    if corpus is not None:
        return TOKEN_BYTES * (corpus.info.train_tokens + corpus.info.test_tokens)
    by_text = None if size is None else size if data.tokenizer == "bytes" else size // 2
    known = [tokens for tokens in (data.max_tokens, by_text) if tokens is not None]
    return TOKEN_BYTES * min(known, default=0)

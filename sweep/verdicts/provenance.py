"""The provenance of a run: machine, code and packages that it was trained with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Machine, code and packages of a run. Fields are None if they were not recorded."""

    device_type: str | None = None
    """`cpu` or `cuda`."""
    device: str | None = None
    """Name of the processor or GPU."""
    commit: str | None = None
    dirty: bool = False
    """True if files had changes that were not committed."""
    precision: str | None = None
    deterministic: bool = False
    """True if only deterministic kernels were allowed (`jobs.deterministic`)."""
    last_step: str | None = None
    """The step that the loss of an imported run is from."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version of each package that matters, by name."""
    split: str | None = None
    """The rule by which the test text was chosen, for people."""
    processes: int | None = None
    threads: int | None = None
    """Threads of each process."""
    micro_batch: int | None = None
    """Sequences per process and pass."""
    gpu_share: float | None = None
    """The share of a GPU that it had; None if it had one alone."""
    mps: bool = False
    """True if the runs on its GPU computed at the same time, through CUDA MPS."""
    earlier: Sequence[Provenance] = ()
    """Attempts that trained the first part of the run in other circumstances."""


def parse_provenance(text: str | None) -> Provenance:
    """Read the JSON of the column `runs.provenance`; None and a JSON null give no fields."""
    found = json.loads(text) if text else None
    return _parse(found) if isinstance(found, dict) else Provenance()


def tested_on(provenance: Mapping[str, Any] | None) -> str | None:
    """The hash of the corpus that a run on a mixture was tested on; None for other runs."""
    corpus = (provenance or {}).get("corpus")
    return _text(corpus.get("tested_on")) if isinstance(corpus, Mapping) else None


def _parse(found: Mapping[str, Any]) -> Provenance:
    versions = found.get("versions") or {}
    corpus = found.get("corpus")
    return Provenance(
        device_type=_text(found.get("device_type")),
        device=_text(found.get("device")),
        commit=_text(found.get("commit")),
        dirty=bool(found.get("dirty")),
        precision=_text(found.get("precision")),
        deterministic=bool(found.get("deterministic")),
        last_step=_text(found.get("last_step")),
        versions={name: str(version) for name, version in versions.items() if version is not None},
        split=_text(corpus.get("split")) if isinstance(corpus, dict) else None,
        processes=found.get("processes"),
        threads=found.get("threads"),
        micro_batch=found.get("micro_batch"),
        gpu_share=found.get("gpu_share"),
        mps=bool(found.get("mps")),
        earlier=[_parse(each) for each in found.get("earlier_attempts") or ()],
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)

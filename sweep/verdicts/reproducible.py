"""Count the results that another training would reproduce to the last bit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sweep.verdicts.evidence import Evidence
from sweep.verdicts.provenance import Provenance


@dataclass(frozen=True, kw_only=True)
class Reproducible:
    """Numbers of runs with a result and a known device."""

    exactly: int
    """Runs that give the same bits again, on a device of `on` with as many threads or GPUs."""
    on: tuple[str, ...]
    """Devices of these runs, each with its version of torch."""
    roughly: int
    """Runs on a GPU that may sum in any order: they differ by rounding."""


def count_reproducible(evidence: Evidence) -> Reproducible:
    """Count the runs of a study that are reproducible, by their provenance.

    A CPU always gives the same bits; a GPU does if `jobs.deterministic` was set. Runs of a script are
    not counted, because nothing is known of it, and neither are runs whose attempts differ.
    """
    ended = evidence.frame.status.isin(["done", "diverged"])
    counts = Counter(evidence.frame.provenance[ended].tolist())
    exactly, roughly = Counter[str](), 0
    for number, count in counts.items():
        provenance = evidence.provenances[number]
        is_script = not provenance.versions  # what it does with its seed is unknown
        if provenance.device_type is None or provenance.earlier or is_script:
            continue
        if provenance.device_type == "cpu" or provenance.deterministic:
            exactly[_device_words(provenance)] += count
        else:
            roughly += count
    return Reproducible(exactly=exactly.total(), on=tuple(exactly), roughly=roughly)


def _device_words(provenance: Provenance) -> str:
    torch = provenance.versions.get("torch", "unknown")
    return f"{provenance.device or 'an unknown device'} with torch {torch}"

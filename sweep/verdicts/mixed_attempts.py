"""Runs that were trained in parts, by attempts in different circumstances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.verdicts.confounders import attempt_differences
from sweep.verdicts.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class MixedRun:
    """A run whose attempts differ. Another training does not give the same bits."""

    arm: str
    seed: int
    differences: Mapping[str, str]
    """By aspect or package: the values of the attempts in order, such as `2, then 1`."""


def find_mixed(evidence: Evidence) -> list[MixedRun]:
    """The runs with a result whose attempts differ in what they were trained with."""
    differences = {
        number: attempt_differences(provenance)
        for number, provenance in enumerate(evidence.provenances)
        if provenance.earlier
    }
    frame = evidence.frame
    rows = frame[frame.status.isin(["done", "diverged"]) & frame.provenance.isin(list(differences))]
    return [
        MixedRun(arm=str(arm), seed=int(seed), differences=differences[number])
        for arm, seed, number in zip(rows.arm, rows.seed, rows.provenance, strict=True)
    ]

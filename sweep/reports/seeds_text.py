"""Sentences on runs that share seeds: how many independent seeds they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.errors import listed
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.noise import Noise
    from analysis.verdict import Judgement


def seeds_of(noise: Noise, *, imported: bool = False) -> str:
    """`7 seeds`, or `16 runs with 4 independent seeds` if runs share seeds.

    Imported runs may have no seeds: then `7 runs`.
    """
    if noise.n_independent == noise.n:
        return f"{noise.n} {'runs' if imported else 'seeds'}"
    return f"{noise.n} runs with {noise.n_independent} independent seeds"


def sd_interval(noise: Noise) -> str:
    """`0.0048 to 0.0228`; if a few runs share seeds, with the interval that counts each seed once."""
    interval = f"{noise.ci_low:.4f} to {noise.ci_high:.4f}"
    shared = noise.shared
    if shared is None:
        return interval
    if (shared.ci_low, shared.ci_high) == (noise.ci_low, noise.ci_high):
        return f"{interval}, from the layout of the {stream_names(shared.streams)} seeds"
    return (
        f"{interval} if all runs were independent, {shared.ci_low:.4f} to {shared.ci_high:.4f} from "
        f"the {stream_names(shared.streams)} seeds that they share"
    )


def shared_seed_lines(judgement: Judgement) -> list[str]:
    """How many independent seeds the runs are; empty if no runs of an arm share seeds."""
    if not judgement.shared_streams:
        return []
    arm = max(judgement.arms, key=lambda row: row.n_done - (row.n_independent or 0))
    line = (
        f"Runs share {stream_names(judgement.shared_streams)} seeds: {arm.n_done} runs are "
        f"{counted(arm.n_independent or 0, 'independent seed')}. Tests, intervals and (+n) count "
        "independent seeds."
    )
    return [line]


def stream_names(columns: Sequence[str]) -> str:
    """`init and order` for the columns of their seeds."""
    return listed(column.removesuffix("_seed") for column in columns)

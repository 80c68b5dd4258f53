"""Sentences on runs that share seeds: how many independent seeds they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.tables.table import number
from sweep.errors import listed
from sweep.terminal.units import shown_decimals
from sweep.verdicts.decimals import mean_decimals, sd_decimals
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.noise import Noise, SharedSeeds
    from analysis.verdict import Judgement


def seeds_of(noise: Noise, *, imported: bool = False) -> str:
    """`7 seeds`, or `16 runs with 4 independent seeds` if runs share seeds.

    Imported runs may have no seeds: then `7 runs`.
    """
    if noise.n_independent == noise.n:
        return f"{noise.n} {'runs' if imported else 'seeds'}"
    return f"{noise.n} runs with {noise.n_independent} independent seeds"


def mean_words(noise: Noise) -> str:
    """`2.3454`: the mean of the runs."""
    digits = shown_decimals(noise.mean)
    return number(noise.mean, mean_decimals(noise.mean, noise.sd, noise.n_independent, digits))


def sd_words(noise: Noise) -> str:
    """`0.0079`: the standard deviation of the runs."""
    return number(noise.sd, sd_decimals(noise.ci_low, noise.ci_high))


def sd_interval(noise: Noise) -> str:
    """`0.0048 to 0.0228`; if a few runs share seeds, with the interval that counts each seed once."""
    interval = _sd_interval(noise)
    shared = noise.shared
    if shared is None:
        return interval
    if (shared.ci_low, shared.ci_high) == (noise.ci_low, noise.ci_high):
        return f"{interval}, from the layout of the {stream_names(shared.streams)} seeds"
    return (
        f"{interval} if all runs were independent, {_sd_interval(shared)} from the "
        f"{stream_names(shared.streams)} seeds that they share"
    )


def _sd_interval(found: Noise | SharedSeeds) -> str:
    digits = sd_decimals(found.ci_low, found.ci_high)
    return f"{number(found.ci_low, digits)} to {number(found.ci_high, digits)}"


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

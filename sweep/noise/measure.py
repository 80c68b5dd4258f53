"""Measure the noise of a baseline: its spread over seeds, and the effects visible through it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.errors import StudyError
from sweep.noise.results import (
    ArmDifferences,
    NoiseStudy,
    PairedDifferences,
    PlacedArm,
    VisibleEffect,
)
from sweep.noise.runs import NoiseRuns, shared_seeds

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.noise import Noise

FEWEST_SEEDS = 2
MOST_SEEDS_SHOWN = 20
"""The smallest visible effect is computed for 1 seed up to this many."""


def measure_noise(runs: NoiseRuns) -> NoiseStudy:
    """Everything but the rerun and the decomposition.

    Raises StudyError with fewer than two finished seeds.
    """
    from analysis.duplicates import equal_losses
    from analysis.normality import normality
    from analysis.variance.shared import noise_of_runs

    _check_enough(runs, len(runs.losses))
    summary = noise_of_runs(runs.losses, runs.clusters)
    paired, losses = paired_differences(runs), _like_single_runs(runs, summary)
    return NoiseStudy(
        study=runs.study,
        noise=summary,
        n_diverged=runs.n_diverged,
        n_equal=sum(len(group) for group in equal_losses(runs.losses)),
        alpha=runs.alpha,
        normality=normality(losses),
        paired_differences=paired,
        visible_effects=visible_effects(summary.sd, paired.sd, runs.alpha),
        one_run_sees=_one_run(summary.sd, summary.counted, runs.alpha),
        arms=placed_arms(runs, losses),
    )


def _like_single_runs(runs: NoiseRuns, summary: Noise) -> list[float]:
    """The baseline's losses; of a layout, one value per independent seed, spread as runs are."""
    import numpy as np

    from analysis.independent import values_like_runs

    if not summary.is_of_layout or runs.clusters is None:
        return runs.losses
    return [float(each) for each in values_like_runs(np.array(runs.losses), runs.clusters)]


def _check_enough(runs: NoiseRuns, found: int) -> None:
    if found < FEWEST_SEEDS:
        remedy = "its file has no more" if runs.imported else "ask for more with --seeds"
        raise StudyError(
            f"{runs.study}: noise needs two finished baseline seeds, and there are {found}; "
            f"{remedy}"
        )


def paired_differences(runs: NoiseRuns) -> PairedDifferences:
    """The spread of differences to the baseline: of every arm, and of the median arm.

    Arms without two seeds in common with the baseline, or without spread, are left out.
    """
    arms = sorted(_arm_differences(runs), key=lambda each: each.sd) if runs.pairs else []
    if not arms:
        reason = "no arm has run with two of the baseline's seeds yet"
        if not runs.pairs:
            setting = "--no-pairs" if runs.imported else "trainer.pairs = false"
            reason = f"the plan says that equal seeds do not pair ({setting})"
        elif _shared_seeds(runs) >= FEWEST_SEEDS:
            reason = "every arm that has run differs from the baseline by the same in all seeds"
        return PairedDifferences(arm=None, sd=None, reason=reason, arms=[], pairs=runs.pairs)
    median = arms[len(arms) // 2]
    return PairedDifferences(arm=median.arm, sd=median.sd, reason=None, arms=arms)


def _shared_seeds(runs: NoiseRuns) -> int:
    """How many of the baseline's seeds some arm has."""
    baseline = {run.seed for run in runs.arms if run.arm == runs.baseline_arm}
    found = Counter(run.arm for run in runs.arms if run.seed in baseline)
    return max((found[arm] for arm in runs.family), default=0)


def _arm_differences(runs: NoiseRuns) -> list[ArmDifferences]:
    import pandas as pd

    if not runs.arms:
        return []
    losses = pd.DataFrame(runs.arms).pivot_table(
        index="seed", columns="arm", values="loss", sort=False
    )
    if runs.baseline_arm not in losses:
        return []
    differences = losses.drop(columns=runs.baseline_arm)
    differences = differences.sub(losses[runs.baseline_arm], axis=0)
    streams = {run.seed: run.streams for run in runs.arms if run.arm == runs.baseline_arm}
    values = {arm: _independent(column.dropna(), streams) for arm, column in differences.items()}
    return [
        ArmDifferences(arm=str(arm), n=each.size, sd=float(each.std(ddof=1)))
        for arm, each in values.items()
        if each.size >= FEWEST_SEEDS and each.std(ddof=1) > 0
    ]


def _independent(
    differences: pd.Series[Any], streams: Mapping[int, tuple[int, ...]]
) -> NDArray[np.float64]:
    """An arm's differences by seed, with one value for runs that share seeds."""
    clusters = shared_seeds([streams[seed] for seed in differences.index])
    values = differences.to_numpy(float)
    return values if clusters is None else clusters.independent(values)


def visible_effects(sd: float, paired_sd: float | None, alpha: float) -> list[VisibleEffect]:
    """The smallest effects (nats) that 1, 2, ... seeds per arm detect with 80% power.

    A t test needs two seeds, so one seed detects nothing.
    """
    from analysis.power import (
        smallest_visible_effect,
        smallest_visible_effect_unpaired,
    )

    effects = []
    for seeds in range(1, MOST_SEEDS_SHOWN + 1):
        paired = math.inf if paired_sd is None else smallest_visible_effect(seeds, paired_sd, alpha)
        unpaired = smallest_visible_effect_unpaired(seeds, sd, alpha)
        effects.append(VisibleEffect(seeds=seeds, paired=finite(paired), unpaired=finite(unpaired)))
    return effects


def _one_run(sd: float, n: int, alpha: float) -> float:
    """The smallest effect (nats) that one run shows beside `n` runs of the baseline."""
    from analysis.power import visible_shift

    return sd * math.sqrt(1 + 1 / n) * visible_shift(n - 1, alpha)


def placed_arms(runs: NoiseRuns, losses: Sequence[float]) -> list[PlacedArm]:
    """Compare the first run of each arm with the baseline's losses, by a prediction t test.

    Empty if the baseline's losses are all equal: they have no standard deviation to compare with.
    """
    from analysis.effects import prediction_t
    from analysis.multiplicity import adjust

    first = runs.first_runs()
    arms = [arm for arm in runs.family if arm in first] if max(losses) > min(losses) else []
    estimates = [prediction_t(first[arm].loss, losses) for arm in arms]
    adjusted = adjust([each.p for each in estimates], runs.correction, len(runs.family)).tolist()
    return [
        PlacedArm(
            arm=arm,
            seed=first[arm].seed,
            loss=first[arm].loss,
            difference=estimate.effect,
            deviations=estimate.t,
            p=estimate.p,
            p_adjusted=p,
        )
        for arm, estimate, p in zip(arms, estimates, adjusted, strict=True)
    ]


def finite(value: float) -> float | None:
    """None for a value that JSON cannot hold."""
    return value if math.isfinite(value) else None

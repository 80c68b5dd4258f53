"""What `sweep noise` says, as data: the spread of the baseline, and what can be seen through it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from sweep.errors import StudyError
from sweep.noise.runs import NoiseRuns

FEWEST_SEEDS = 2
MOST_SEEDS_SHOWN = 20
"""The smallest visible effect is told for 1 seed up to this many."""


def noise_content(runs: NoiseRuns) -> dict[str, Any]:
    """Everything but the rerun and the decomposition.

    Raises StudyError with fewer than two finished seeds.
    """
    from analysis.noise import noise
    from analysis.normality import normality

    losses = runs.losses
    if len(losses) < FEWEST_SEEDS:
        remedy = "its file has no more" if runs.imported else "ask for more with --seeds"
        raise StudyError(
            f"{runs.study}: noise needs two finished baseline seeds, and there are {len(losses)}; "
            f"{remedy}"
        )
    summary, shape = noise(losses), normality(losses)
    paired = paired_differences(runs)
    return {
        "study": runs.study,
        **asdict(summary),
        "n_diverged": int((runs.baseline["status"] == "diverged").sum()),
        "alpha": runs.alpha,
        "normality": None if shape is None else asdict(shape),
        "paired_differences": paired,
        "smallest_visible_effect": visible_effects(summary.sd, paired["sd"], runs.alpha),
        "one_run_sees": _one_run(summary.sd, len(losses), runs.alpha),
        "arms": placed_arms(runs),
    }


def paired_differences(runs: NoiseRuns) -> dict[str, Any]:
    """How noisy the differences to the baseline are: of every arm, and of the middle one.

    `sd` (nats) is that of `arm`, the middle one of the arms that have two seeds in common with
    the baseline (the noisier of two in the middle); both are None, with a `reason`, without any.
    """
    known: list[dict[str, Any]] = []
    if not runs.arms.empty:
        losses = runs.arms.pivot_table(index="seed", columns="arm", values="loss", sort=False)
        if runs.baseline_arm in losses:
            differences = losses.drop(columns=runs.baseline_arm)
            differences = differences.sub(losses[runs.baseline_arm], axis=0)
            known = [
                {"arm": arm, "n": int(column.count()), "sd": float(column.std(ddof=1))}
                for arm, column in differences.items()
                if column.count() >= FEWEST_SEEDS and column.std(ddof=1) > 0
            ]
    known.sort(key=lambda arm: arm["sd"])
    if not known:
        reason = "no arm has run with two of the baseline's seeds yet"
        return {"arm": None, "sd": None, "reason": reason, "arms": []}
    middle = known[len(known) // 2]
    return {"arm": middle["arm"], "sd": middle["sd"], "reason": None, "arms": known}


def visible_effects(sd: float, paired_sd: float | None, alpha: float) -> list[dict[str, Any]]:
    """The smallest effects (nats) that 1, 2, ... seeds per arm see at 80% power, or None.

    A single seed has no spread of its own, so it sees nothing by a t test.
    """
    from analysis.power import (
        smallest_visible_effect,
        smallest_visible_effect_unpaired,
    )

    rows = []
    for seeds in range(1, MOST_SEEDS_SHOWN + 1):
        paired = math.inf if paired_sd is None else smallest_visible_effect(seeds, paired_sd, alpha)
        unpaired = smallest_visible_effect_unpaired(seeds, sd, alpha)
        rows.append({"seeds": seeds, "paired": finite(paired), "unpaired": finite(unpaired)})
    return rows


def _one_run(sd: float, n: int, alpha: float) -> float:
    """The smallest effect (nats) that one run sees beside `n` runs of the baseline."""
    from analysis.power import visible_shift

    return sd * math.sqrt(1 + 1 / n) * visible_shift(n - 1, alpha)


def placed_arms(runs: NoiseRuns) -> list[dict[str, Any]]:
    """The first run of each arm as if it were all there is: is one run enough to tell?

    Nothing where the baseline's losses are all equal: then no difference can be put in sds.
    """
    from analysis.effects import prediction_t
    from analysis.multiplicity import adjust

    losses = runs.losses
    first = {row["arm"]: row for row in runs.arms[::-1].to_dict("records")}
    rows: list[dict[str, Any]] = []
    for arm in runs.family if max(losses) > min(losses) else ():
        if arm not in first:
            continue
        seed, loss = first[arm]["seed"], first[arm]["loss"]
        estimate = prediction_t(loss, losses)
        rows.append(
            {
                "arm": arm,
                "seed": seed,
                "loss": loss,
                "difference": estimate.effect,
                "deviations": estimate.t,
                "p": estimate.p,
            }
        )
    adjusted = adjust([row["p"] for row in rows], runs.correction, len(runs.family)).tolist()
    return [{**row, "p_adjusted": p} for row, p in zip(rows, adjusted, strict=True)]


def finite(value: float) -> float | None:
    """As JSON has it."""
    return value if math.isfinite(value) else None

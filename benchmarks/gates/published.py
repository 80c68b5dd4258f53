"""Gates on numbers in print. The tests of `analysis` have more of them, with their sources."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.dunnett import dunnett
from analysis.effects import paired_t, prediction_t, welch_t
from analysis.multiplicity import adjust
from analysis.noise import noise
from analysis.variance.estimate import variance_components
from analysis.variance.factorial import factorial_effects
from benchmarks.gates.gate import NotTried, Settings
from benchmarks.gates.line import Line, equal, is_true
from benchmarks.published import BLOOD, DYESTUFF, FILTRATION, SLEEP_1, SLEEP_2
from benchmarks.simulation import ALPHA

PLACED = {
    "gradient-clipping": 0.78,
    "float32": 0.72,
    "qkv-bias": 0.71,
    "weight-decay-0.01": 0.056,
    "no-dropout": 0.047,
    "lr-schedule": 0.0016,
}
REMAIN = {"lr-schedule", "weight-tying", "weight-decay-0.337"}


def published(_: Settings) -> list[Line]:
    """Tests of means, Dunnett, variance components, a factorial, and corrections."""
    paired, welch = paired_t(np.subtract(SLEEP_1, SLEEP_2)), welch_t(SLEEP_1, SLEEP_2)
    blood = dunnett(
        pd.DataFrame(
            [(arm, i, loss) for arm, losses in BLOOD.items() for i, loss in enumerate(losses)],
            columns=["arm", "seed", "loss"],
        ).assign(status="done")
    )
    batches = pd.DataFrame({"batch": np.repeat(range(6), 5), "loss": DYESTUFF})
    dye = variance_components(batches, ["batch"])
    runs = pd.DataFrame([[i >> k & 1 for k in range(4)] for i in range(16)], columns=list("ABCD"))
    filtration = factorial_effects(runs.assign(loss=FILTRATION), list("ABCD"))
    adjusted = {
        method: float(adjust([0.01, 0.02, 0.03, 0.04, 0.05], method)[1])
        for method in ("holm", "bh", "bonferroni")
    }
    return [
        equal("sleep, paired t (R)", paired.t, -4.0621, 5e-5),
        equal("sleep, its p (R)", paired.p, 0.002833, 5e-7),
        equal("sleep, Welch t (R)", welch.t, -1.8608, 5e-5),
        equal("sleep, its p (R)", welch.p, 0.07939, 5e-6),
        equal("blood counts, drug A (Dunnett 1955, by scipy)", blood["drug A"].p, 0.6201, 1e-4),
        equal("blood counts, drug B", blood["drug B"].p, 0.0058, 5e-5),
        equal("Dyestuff, batch variance (lme4)", dye["batch"].variance, 1764.05, 5e-3),
        equal("Dyestuff, residual sd (lme4)", dye["residual"].sd, 49.510, 5e-4),
        equal("filtration rate, A (Montgomery)", filtration["A"], 21.625, 5e-4),
        equal("filtration rate, AC", filtration["A:C"], -18.125, 5e-4),
        equal("p.adjust, holm (R)", adjusted["holm"], 0.08, 1e-12),
        equal("p.adjust, BH (R)", adjusted["bh"], 0.05, 1e-12),
        equal("p.adjust, bonferroni (R)", adjusted["bonferroni"], 0.10, 1e-12),
    ]


def reference(settings: Settings) -> list[Line] | NotTried:
    """The published single runs, from a file outside the repository."""
    if not settings.reference.exists():
        return NotTried(f"{settings.reference} is absent")
    rows = pd.read_csv(settings.reference)
    losses = {str(arm): of_arm for arm, of_arm in rows.groupby("arm", sort=False)["loss"]}
    baseline = losses.pop("baseline")
    sigma = noise(baseline)
    placed = {arm: prediction_t(float(runs.iloc[0]), baseline).p for arm, runs in losses.items()}
    holm = dict(zip(placed, adjust(list(placed.values()), "holm").tolist(), strict=True))
    remain = {arm for arm, p in holm.items() if p < ALPHA}
    return [
        equal("noise sd", sigma.sd, 0.01234, 5e-6),
        equal("its interval from", sigma.ci_low, 0.00795, 5e-6),
        equal("to", sigma.ci_high, 0.02717, 5e-6),
        *(
            equal(f"prediction t, {arm}", placed[arm], p, 5e-3 if p > 0.1 else 6e-4)
            for arm, p in PLACED.items()
        ),
        equal("after Holm, lr-schedule", holm["lr-schedule"], 0.0094, 6e-5),
        is_true("after Holm remain", ", ".join(sorted(remain)), kept=remain == REMAIN),
    ]

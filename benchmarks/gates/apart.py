"""Gates on arms that share no seed with the baseline: error, power beside Welch's t, single runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from analysis.moderation import Prior, fit_prior
from analysis.multiplicity import adjust
from analysis.unpaired import (
    MIN_RUNS,
    Precision,
    Side,
    moderated_precision,
    smaller_side_precision,
)
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most
from benchmarks.gates.noises import Draw, normal, spikes, t25
from benchmarks.simulation import ALPHA, FAMILYWISE

Floats = NDArray[np.float64]

RUNS = (
    (4, 4),
    (5, 7),
    (4, 7),
    (4, 20),
    (7, 4),
    (20, 4),
    (12, 12),
    (2, 7),
    (3, 7),
    (2, 20),
    (3, 20),
)
"""Runs of each arm, and of the baseline."""
ARMS = (2, 8, 40)
SPREADS = ("equal", "threefold spread", "arms x3", "arms x1/3", "one arm x3")
SHIFT = 4.0
"""True effect in the simulations of power, in standard errors for variances of one."""
EDGE = 0.02
"""Power that may be missing where the numbers of runs differ: there Welch's t has more errors."""
PLACED = {"normal": normal, "t(2.5)": t25, "spikes": spikes}
LOOKS_ARE_NO_VERDICTS = "one run has the baseline's spread only if the noise is normal"


@dataclass(frozen=True)
class Study:
    """Null studies: the arms' sides, shape (studies, arms), and the baseline's, (studies, 1)."""

    arms: Side
    baseline: Side

    @classmethod
    def draw(cls, runs: tuple[int, int], arms: int, spread: str, studies: int) -> Study:
        """Draw studies without effects; the same ones at every call."""
        generator = np.random.default_rng([*runs, arms, SPREADS.index(spread)])
        scales = _scales(generator, spread, (studies, arms + 1))
        sides = [
            _side(generator, n, scales[:, where])
            for n, where in zip(runs, (slice(1, None), slice(1)), strict=True)
        ]
        return cls(*sides)

    def prior(self) -> Prior:
        """The prior of all variances, the baseline's included."""
        n_arm, n_baseline = int(np.asarray(self.arms.n)), int(np.asarray(self.baseline.n))
        variances = np.hstack([np.asarray(self.baseline.variance), np.asarray(self.arms.variance)])
        arms = variances.shape[1] - 1
        runs = np.array([n_baseline, *[n_arm] * arms])
        return fit_prior(variances, np.where(runs >= MIN_RUNS, runs - 1, 0))

    def precision(self) -> Precision:
        """The precision that decides."""
        if min(int(np.asarray(side.n)) for side in (self.arms, self.baseline)) < MIN_RUNS:
            return smaller_side_precision(self.arms, self.baseline)
        return moderated_precision(self.arms, self.baseline, self.prior())

    def welch(self) -> Precision:
        """Welch's t."""
        arm, baseline = self.arms, self.baseline
        own, other = (
            np.asarray(side.variance) / np.asarray(side.n, float) for side in (arm, baseline)
        )
        total = own + other
        share = own / total
        df = 1 / (share**2 / arm.df + (1 - share) ** 2 / baseline.df)
        return Precision(squared_error=total, df=df)

    def decided(self, found: Precision, effect: float = 0.0) -> NDArray[np.bool_]:
        """True where an arm with this effect is better or worse after Holm."""
        return self._p_adjusted(self._differences + effect, found) < ALPHA

    def shown_above(self, found: Precision, alpha: float) -> NDArray[np.bool_]:
        """True where an arm is above the baseline after Holm, two-sided at this level."""
        differences = self._differences
        return (self._p_adjusted(differences, found) < alpha) & (differences > 0)

    @property
    def _differences(self) -> Floats:
        return np.asarray(self.arms.mean) - np.asarray(self.baseline.mean)

    @staticmethod
    def _p_adjusted(differences: Floats, found: Precision) -> Floats:
        p = 2 * stdtr(found.df, -np.abs(differences) / np.sqrt(found.squared_error))
        return np.asarray(adjust(p, "holm"), float)


def apart(settings: Settings) -> list[Line]:
    """Error of each cell, and power where Welch's t keeps the error whatever the variances."""
    lines = []
    for runs, arms in product(RUNS, ARMS):
        studies = {each: Study.draw(runs, arms, each, settings.studies) for each in SPREADS}
        errors = [study.decided(study.welch()).any(axis=1).mean() for study in studies.values()]
        for spread, study in studies.items():
            cell = f"{runs[0]} runs beside {runs[1]}, {arms} arms, {spread}"
            error = Rate.of(study.decided(study.precision()).any(axis=1))
            lines.append(at_most(f"error: {cell}", error, FAMILYWISE))
            if min(runs) >= MIN_RUNS and max(errors) <= FAMILYWISE:
                lines.append(_power(cell, study, SHIFT * float(np.sqrt(1 / runs[0] + 1 / runs[1]))))
    return lines


def _power(cell: str, study: Study, effect: float) -> Line:
    """The power for the last arm, beside Welch's."""
    seen, theirs = (
        study.decided(each, effect)[:, -1] for each in (study.precision(), study.welch())
    )
    least = max(float(theirs.mean()) - EDGE, 0.0)
    return at_least(f"power: {cell}; Welch's has {theirs.mean():.3f}", Rate.of(seen), least)


def single_runs(settings: Settings) -> list[Line]:
    """One run of eight arms each beside seven of the baseline: how often any looks better or worse."""
    lines = []
    for name, draw in PLACED.items():
        generator = np.random.default_rng([7, list(PLACED).index(name)])
        baseline = draw(generator, (settings.studies, 7))
        run = draw(generator, (settings.studies, 8))
        error = baseline.std(axis=1, ddof=1) * np.sqrt(1 + 1 / 7)
        t = (run - baseline.mean(axis=1)[:, None]) / error[:, None]
        looks = adjust(2 * stdtr(6, -np.abs(t)), "holm") < ALPHA
        what = (
            f"eight single runs beside seven, {name}: any looks better or worse, none is a verdict"
        )
        lines.append(at_most(what, Rate.of(looks.any(axis=1)), FAMILYWISE, LOOKS_ARE_NO_VERDICTS))
    return lines


def _scales(generator: np.random.Generator, spread: str, shape: tuple[int, int]) -> Floats:
    """Standard deviations of the baseline (first) and the arms."""
    scales = np.ones(shape)
    if spread == "threefold spread":
        return np.asarray(3.0 ** generator.uniform(-1, 1, shape), float)
    factors = {"arms x3": 3.0, "arms x1/3": 1 / 3}
    scales[:, 1:] = factors.get(spread, 1.0)
    if spread == "one arm x3":
        scales[:, 1] = 3.0
    return scales


def _side(generator: np.random.Generator, n: int, scales: Floats, draw: Draw = normal) -> Side:
    """Means and variances of `n` runs."""
    losses = scales[:, None] * draw(generator, (scales.shape[0], n, scales.shape[1]))
    return Side(n=n, mean=losses.mean(axis=1), variance=losses.var(axis=1, ddof=1))

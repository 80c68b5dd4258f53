"""Gates on plans that are extended after their look, and on copies of studies that were seen.

Every study is looked at after each further seed, up to `MOST`, and an error at any look counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from analysis.anytime import log_e
from analysis.multiplicity import adjust
from analysis.sequential import SHARE
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_most
from benchmarks.simulation import ALPHA, FAMILYWISE, SCENARIOS, SEEDS, Decisions, normal, t4
from trainer.words import counted

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST = 20
"""Seeds of the last look."""
LATER = (4, 6, 8, 12, 20)
"""Runs of each arm at the looks of studies without pairs."""
ARMS = (1, 2, 4, 8)
LARGE = 0.3
"""An effect that every look sees, nats: of the first half of the arms in mixed studies."""


def looking(settings: Settings) -> list[Line]:
    """Familywise error of a fixed look and all later ones, and of e-values alone."""
    lines = []
    for name, arms in [(n, a) for n in SCENARIOS for a in ARMS]:
        generator = np.random.default_rng([77, list(SCENARIOS).index(name), arms])
        null = SCENARIOS[name].differences(generator, (settings.studies, MOST, arms))
        anytime = p_values(null)
        cell = f"{name}, {counted(arms, 'arm')}"
        lines.append(at_most(f"copy: {cell}", Rate.of(decided_ever(anytime, null, None)), ALPHA))
        for seeds in SEEDS:
            wrong = decided_ever(anytime, null, seeds)
            lines.append(at_most(f"look at {seeds}: {cell}", Rate.of(wrong), FAMILYWISE))
    return lines + _mixed(settings) + _unpaired(settings)


def _mixed(settings: Settings) -> list[Line]:
    """Half of eight arms have a large effect: fewer questions are left to the e-values."""
    lines, real = [], np.arange(8) < 4
    for name in SCENARIOS:
        generator = np.random.default_rng([78, list(SCENARIOS).index(name)])
        found = SCENARIOS[name].differences(generator, (settings.studies, MOST, 8)) + LARGE * real
        for seeds in SEEDS:
            wrong = decided_ever(p_values(found), found, seeds, ~real)
            lines.append(at_most(f"mixed, look at {seeds}: {name}", Rate.of(wrong), FAMILYWISE))
    return lines


def _unpaired(settings: Settings) -> list[Line]:
    """Without pairs: Welch's t on four runs of each, and later plans with parts of alpha."""
    lines = []
    for name, arms in [(n, a) for n in ("normal", "t(4)") for a in ARMS]:
        draw = {"normal": normal, "t(4)": t4}[name]
        generator = np.random.default_rng([79, arms, len(name)])
        runs = draw(generator, (settings.studies, MOST, arms + 1))
        parts = [1.0, *(SHARE / 2**j for j in range(1, len(LATER)))]
        wrong = np.zeros(settings.studies, bool)
        for seeds, part in zip(LATER, parts, strict=True):
            p = np.minimum(1.0, _welch(runs[:, :seeds]) / part)
            wrong |= (adjust(p, "holm", arms) < ALPHA).any(axis=1)
        cell = f"{name}, {counted(arms, 'arm')}"
        lines.append(at_most(f"no pairs, looks at {LATER}: {cell}", Rate.of(wrong), FAMILYWISE))
    return lines


def _welch(runs: Floats) -> Floats:
    """Welch's p of the first arm against each other; runs of shape (studies, seeds, arms)."""
    n, mean, squared = runs.shape[1], runs.mean(axis=1), runs.var(axis=1, ddof=1) / runs.shape[1]
    error = squared[:, :1] + squared[:, 1:]
    df = error**2 / ((squared[:, :1] ** 2 + squared[:, 1:] ** 2) / (n - 1))
    return np.asarray(2 * stdtr(df, -np.abs(mean[:, 1:] - mean[:, :1]) / np.sqrt(error)), float)


def p_values(differences: Floats) -> Floats:
    """The p of every look from two seeds on, shape (studies, looks, arms), as `Sequential.p`."""
    n = np.arange(1, differences.shape[1] + 1)[:, None]
    mean = differences.cumsum(axis=1) / n
    squares = (differences**2).cumsum(axis=1) - n * mean**2
    variance = np.maximum(squares / np.maximum(n - 1, 1), 0.0)
    return np.minimum(1.0, np.exp(-log_e(n, mean, variance)[:, 1:]) / SHARE)


def decided_ever(
    anytime: Floats, differences: Floats, first: int | None, among: Flags | None = None
) -> Flags:
    """True for each study in which an arm is better or worse at any look, shape (studies,).

    `first`: seeds of the fixed look; None if there was none. `among`: the arms that count, all by
    default; shape (arms,).
    """
    studies, _, arms = differences.shape
    fixed = np.zeros((studies, arms), bool)
    if first is not None:
        fixed = Decisions.on(differences[:, :first]).decided
    later = anytime[:, (first or 1) - 1 :]
    # The questions that the look answered take the first steps of Holm's procedure.
    rejected = adjust(np.where(fixed[:, None], 0.0, later), "holm", arms) < ALPHA
    decided = rejected.any(axis=1) | fixed
    return np.asarray(decided[:, slice(None) if among is None else among].any(axis=1), bool)

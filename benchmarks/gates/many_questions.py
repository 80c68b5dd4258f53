"""Gates on the claims about many arms: negligible, better and worse, each held at alpha."""

from __future__ import annotations

import numpy as np

from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_most
from benchmarks.many_questions import DELTA, intervals_missed, studies_at
from benchmarks.simulation import FAMILYWISE, SEEDS

ARMS = 8
SCALES = (0.1, 0.3, 1.0)
"""Times the measured spreads; with small ones, "negligible" is within reach."""
HOLM = (
    "Holm's intervals hold arm by arm: where all eight arms are decided, one of them misses in a "
    "tenth of studies; Bonferroni's hold for all at once"
)


def wrong_claims(settings: Settings) -> list[Line]:
    """Eight arms at the smallest effect; four of them at it and four at zero."""
    lines = []
    half = np.where(np.arange(ARMS) % 2 == 0, 0.0, DELTA)
    for seeds, scale in [(n, s) for n in SEEDS for s in SCALES]:
        cell = f"{seeds} seeds, spreads x{scale:g}"
        _, at_delta = studies_at(np.full(ARMS, DELTA), seeds, settings.studies, scale)
        rate = Rate.of(at_delta.called_negligible.any(axis=1))
        lines.append(at_most(f"any negligible of eight at delta: {cell}", rate, FAMILYWISE))
        _, mixed = studies_at(half, seeds, settings.studies, scale)
        wrong = (mixed.called_negligible & (half == DELTA)) | (mixed.called_real & (half == 0))
        rate = Rate.of(wrong.any(axis=1))
        lines.append(at_most(f"any wrong of either kind, half at delta: {cell}", rate, FAMILYWISE))
    return lines


def missed_intervals(settings: Settings) -> list[Line]:
    """Studies in which any of eight printed intervals misses the true effect."""
    none, large = np.zeros(ARMS), np.full(ARMS, 0.5)
    return [
        at_most(
            f"any of eight intervals misses, {name}: {seeds} seeds",
            Rate.of(intervals_missed(effects, seeds, settings.studies, correction).any(axis=1)),
            FAMILYWISE,
            known,
        )
        for seeds in SEEDS
        for name, effects, correction, known in (
            ("Holm, no effects", none, "holm", ""),
            ("Holm, large effects", large, "holm", HOLM),
            ("Bonferroni, large effects", large, "bonferroni", ""),
        )
    ]

"""Gates on arms that share seeds with the baseline: error, coverage and power."""

from __future__ import annotations

from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most, between
from benchmarks.simulation import (
    ARMS,
    COVERAGE,
    EFFECTS,
    FAMILYWISE,
    POWER,
    SCENARIOS,
    SDS,
    SEEDS,
    Decisions,
    null_studies,
    power,
)

WORST_COVERAGE = 0.93
"""Of the arm whose intervals cover least."""


def worst_coverage(found: Decisions) -> Rate:
    """Coverage of the arm that is covered least; by chance a little less than that arm's own."""
    return Rate.of(found.covered[:, found.covered.mean(axis=0).argmin()])


def error_and_coverage(settings: Settings) -> list[Line]:
    """Each cell of scenario, seeds and arms: error, and coverage of all arms and of the worst one."""
    lines = []
    for name, seeds, arms in [(n, s, a) for n in SCENARIOS for s in SEEDS for a in ARMS]:
        found = null_studies(name, seeds, arms, settings.studies)
        cell = f"{name}, {seeds} seeds, {arms} arms"
        lines += [
            at_most(f"error: {cell}", Rate.of(found.decided.any(axis=1)), FAMILYWISE),
            between(f"coverage: {cell}", Rate.of(found.covered), COVERAGE),
            at_least(f"worst arm's coverage: {cell}", worst_coverage(found), WORST_COVERAGE),
        ]
    return lines


def powers(settings: Settings) -> list[Line]:
    """The unequal study with its effects, at three seeds."""
    seen = power(settings.studies)
    return [
        at_least(f"effect {effect:+.4f}, sd {sd:.4f}", Rate.of(hits), POWER)
        for effect, sd, hits in zip(EFFECTS, SDS, seen.T, strict=True)
        if effect != 0
    ]

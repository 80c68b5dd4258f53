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
    null_studies,
    power,
)


def error_and_coverage(settings: Settings) -> list[Line]:
    """Each cell of scenario, seeds and arms; coverage is averaged over the arms of a study."""
    lines = []
    for name, seeds, arms in [(n, s, a) for n in SCENARIOS for s in SEEDS for a in ARMS]:
        found = null_studies(name, seeds, arms, settings.studies)
        cell = f"{name}, {seeds} seeds, {arms} arms"
        lines += [
            at_most(f"error: {cell}", Rate.of(found.decided.any(axis=1)), FAMILYWISE),
            between(f"coverage: {cell}", Rate.of(found.covered), COVERAGE),
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

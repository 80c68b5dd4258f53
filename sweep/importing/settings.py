"""Settings of an imported study: given with the import, kept from an earlier one, or the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sweep.errors import ResultsError
from sweep.metrics.bounds import parse_bound
from sweep.metrics.metric import Direction
from sweep.store.plan_content import AnalysisSettings, PlanContent
from sweep.study.judged_metrics import find_metric


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that an import is given; None keeps the study's own, or takes the default."""

    baseline: str | None = None
    """The arm that the others are compared with."""
    alpha: float | None = None
    correction: str | None = None
    """A name in the registry of corrections."""
    smallest_effect: float | None = None
    """In the unit of the metric."""
    margin: float | None = None
    """In the unit of the metric: arms are tested for an improvement by at least this much."""
    target: float | None = None
    """In the unit of the metric: the mean of every arm is tested against it."""
    direction: Direction | None = None
    """The direction in which the metric improves."""
    pairs: bool | None = None
    """True if runs with equal seeds pair, False if they do not."""
    guards: Mapping[str, str] | None = None
    """By metric: how much worse it may be."""

    def analysis(self) -> dict[str, Any]:
        """Return the settings of the analysis that are given, by name."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        for other in ("baseline", "direction", "pairs"):
            given.pop(other, None)
        return given


def asked_direction(*, higher: bool | None) -> Direction | None:
    """Return the direction that `--higher-is-better` or `--lower-is-better` asks for, if any."""
    if higher is None:
        return None
    return Direction.MAXIMIZE if higher else Direction.MINIMIZE


DEFAULT_ANALYSIS = AnalysisSettings(alpha=0.05, correction="holm", smallest_effect=0.0)


def chosen_pairs(settings: Settings, earlier: PlanContent | None) -> bool:
    """True if runs with equal seeds pair: as given, else as at the import before, else they do."""
    if settings.pairs is not None:
        return settings.pairs
    return earlier.pairs if earlier else True


def chosen_analysis(settings: Settings, earlier: PlanContent | None) -> AnalysisSettings:
    """Return the analysis: as given, else as at the import before, else the default."""
    before = earlier.analysis if earlier else DEFAULT_ANALYSIS
    return replace(before, **settings.analysis())


def check_guards(plan: PlanContent) -> None:
    """Raise ResultsError for a guard of a metric that the study does not have, or without a bound."""
    for name, text in plan.analysis.guards.items():
        try:
            parse_bound(text, find_metric(plan.known_metrics, name, "--guard names"))
        except ValueError as error:
            raise ResultsError(str(error)) from error

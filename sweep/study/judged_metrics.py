"""The metrics that a study can be judged by: the one that verdicts are about, and its guards."""

from __future__ import annotations

from collections.abc import Mapping

from sweep.errors import did_you_mean, listed
from sweep.metrics.bounds import parse_bound
from sweep.metrics.metric import Metric
from sweep.metrics.registry import KNOWN, PEAK_MEMORY, PRIMARY
from sweep.study.analysis_section import Analysis
from sweep.study.metrics_section import MetricSettings, metric_named


def known_metrics(declared: Mapping[str, MetricSettings]) -> dict[str, Metric]:
    """The metrics of a study, by name: those that a script declares, or those of our trainer."""
    if not declared:
        return KNOWN
    return {
        PEAK_MEMORY.name: PEAK_MEMORY,
        **{name: metric_named(name, settings) for name, settings in declared.items()},
    }


def primary_name(declared: Mapping[str, MetricSettings], analysis: Analysis) -> str:
    """The metric that verdicts are about: as [analysis] says, else the one marked, else the first."""
    marked = [name for name, each in declared.items() if each.primary]
    first = [*marked, *declared, PRIMARY.name]
    return analysis.primary or first[0]


def check_declared(declared: Mapping[str, MetricSettings], analysis: Analysis) -> None:
    """Raise ValueError if a script's metrics cannot be judged."""
    if not declared:
        raise ValueError("there is no metric; add a table such as [metrics.val_loss]")
    marked = [name for name, each in declared.items() if each.primary]
    if len(marked) > 1:
        raise ValueError(f"the metrics {listed(marked)} are all primary; choose one")
    if analysis.primary and marked and marked[0] != analysis.primary:
        raise ValueError(
            f"two metrics are primary: {analysis.primary} by analysis.primary, and {marked[0]} by "
            f"its own table; choose one"
        )
    for name, each in declared.items():
        if each.way(name) is None:
            raise ValueError(
                f"nothing tells whether a higher {name} is better; add to [metrics.{name}]: "
                'direction = "minimize", or "maximize"'
            )


def check_judged(declared: Mapping[str, MetricSettings], analysis: Analysis) -> None:
    """Raise ValueError for an unknown metric, and for a bound that is none."""
    known = known_metrics(declared)
    if analysis.primary is not None:
        find_metric(known, analysis.primary, "analysis.primary names")
        if analysis.exchange and analysis.primary != PRIMARY.name:
            raise ValueError("analysis.exchange is about the test loss; leave out analysis.primary")
    for name, text in analysis.guards.items():
        metric = find_metric(known, name, "analysis.guards names")
        try:
            parse_bound(text, metric)
        except ValueError as error:
            raise ValueError(f"analysis.guards.{name}: {error}") from error


def find_metric(known: Mapping[str, Metric], name: str, where: str) -> Metric:
    """The metric of this name. Raises ValueError, which begins with `where`, for an unknown one."""
    if name not in known:
        advice = did_you_mean(name, known)
        raise ValueError(
            f"{where} {name!r}, which is no metric of the study{advice} (it has: {', '.join(known)})"
        )
    return known[name]

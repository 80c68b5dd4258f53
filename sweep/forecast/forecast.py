"""Everything that `sweep plan` computes, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sweep.forecast.designs import DesignMatrix, DesignOption, matrix_of
from sweep.forecast.disk_space import DiskSpace
from sweep.forecast.outline import Outline
from sweep.forecast.price import Price, TrainingTime, WantedEffect
from sweep.noise.measure import finite


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The cost of running a study, and the effects that it can detect."""

    outline: Outline
    price: Price
    time: TrainingTime
    trials: TrainingTime | None
    """Time of the runs of a search that are still to be trained; None without a search."""
    effect: float | None
    """The effect that the design should detect, nats per token; None if not given."""
    wanted: WantedEffect | None
    """The seeds that detect it; None without an effect, or if the noise is unknown."""
    disk: DiskSpace
    designs: Sequence[DesignOption]
    """Designs of the same interventions and seeds."""
    problems: Sequence[str]
    """Reasons why this machine cannot run the study now."""

    @property
    def matrix(self) -> DesignMatrix | None:
        """The design, if it combines interventions."""
        return matrix_of(self.outline.plan)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `sweep plan --format json`."""
        outline, time, power = self.outline, self.time, self.outline.power
        return {
            "study": outline.plan.study.name,
            "plan_hash": outline.plan.hash,
            "arms": [asdict(arm) for arm in outline.arms()],
            "runs": outline.runs,
            "done": len(outline.done),
            "tokens": outline.tokens,
            "flops": outline.flops,
            "hours": finite(time.hours),
            "hours_here": finite(time.elapsed_hours),
            "hours_here_range": [
                finite(time.elapsed_hours / time.pace.spread),
                finite(time.elapsed_hours * time.pace.spread),
            ],
            "pace": time.pace.source,
            "cost": time.cost,
            "search": _search_json(self.trials),
            "power": power.visible.to_json() if power else None,
            "wanted": asdict(self.wanted) if self.wanted else None,
            "designs": [asdict(each) for each in self.designs],
            "disk": self.disk.to_json(),
            "problems": list(self.problems),
        }


def _search_json(time: TrainingTime | None) -> dict[str, Any] | None:
    """Runs, hours and cost of the trials, which are not part of the other figures."""
    if time is None:
        return None
    return {
        "runs": time.runs,
        "hours": finite(time.hours),
        "hours_here": finite(time.elapsed_hours),
        "cost": time.cost,
    }

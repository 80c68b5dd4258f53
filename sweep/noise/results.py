"""The results of `sweep noise` as dataclasses, and their JSON.

The same JSON is printed by `sweep noise --format json` and stored in the table `noises`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.noise import Noise
    from analysis.normality import Normality
    from analysis.variance.streams import Stream

SUMMARY_KEYS = ("n", "mean", "sd", "ci_low", "ci_high")
"""Fields of `analysis.noise.Noise`; they are at the top level of the JSON, beside `shared`."""
COMPONENT_KEYS = ("sd", "ci_low", "ci_high", "share")
"""The fields of a stream that are under `components` in the JSON; others are in `decomposition`."""


@dataclass(frozen=True, kw_only=True)
class ArmDifferences:
    """The standard deviation of an arm's paired differences to the baseline."""

    arm: str
    n: int
    """Seeds that the arm and the baseline have in common."""
    sd: float
    """Standard deviation of the differences, nats."""


@dataclass(frozen=True, kw_only=True)
class PairedDifferences:
    """The noise of paired differences to the baseline."""

    arm: str | None
    """The arm with the median sd, the upper median if their number is even; None without arms."""
    sd: float | None
    """The sd of that arm's differences, nats."""
    reason: str | None
    """Why there is no sd; None if there is one."""
    arms: Sequence[ArmDifferences]
    """Every arm with at least two seeds in common with the baseline, by ascending sd."""
    pairs: bool = True
    """False if the plan says that equal seeds do not pair."""


@dataclass(frozen=True, kw_only=True)
class VisibleEffect:
    """The smallest effects that a number of seeds detects with 80% power."""

    seeds: int
    """Seeds per arm."""
    paired: float | None
    """The effect with the same seeds in both arms, nats; None if it is unknown or infinite."""
    unpaired: float | None
    """The effect with different seeds in both arms, nats; None if it is infinite."""


@dataclass(frozen=True, kw_only=True)
class PlacedArm:
    """One run of an arm, compared with the distribution of the baseline's losses."""

    arm: str
    seed: int
    loss: float
    """Test loss of the run, nats per token."""
    difference: float
    """Loss minus the mean of the baseline, nats per token."""
    deviations: float
    """The difference in units of the prediction's standard error: the prediction t statistic."""
    p: float
    p_adjusted: float
    """p after the correction for the number of arms."""


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A second run of the same recipe and seed."""

    difference: float
    """Its test loss minus that of the first run, nats per token."""

    @property
    def identical(self) -> bool:
        """True if both runs have the same loss to the last bit."""
        return self.difference == 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"identical": self.identical, "difference": self.difference}


@dataclass(frozen=True, kw_only=True)
class NotDecomposed:
    """A decomposition that failed: the effects of the streams cannot be separated."""

    n: int
    """Number of runs."""
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The keys `components` and `decomposition` of a noise study."""
        return {"components": None, "decomposition": asdict(self)}


@dataclass(frozen=True, kw_only=True)
class StreamDecomposition:
    """The variance of baseline runs, split by random stream."""

    n: int
    """Number of runs."""
    method: str
    """`moments`, `REML` or `ML`."""
    rest_sd: float | None
    """Standard deviation that no single stream explains, nats; None if a stream changes with every
    run, whose row has it."""
    streams: Mapping[str, Stream]
    """The streams that were asked for, by name."""
    reason: str | None
    """Why streams have no share; None if all of them have one."""
    inside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By stream whose seeds differ between those of other streams: these others."""
    single: Sequence[str] = ()
    """Streams that change with every run."""

    def as_json(self) -> dict[str, Any]:
        """The keys `components` and `decomposition` of a noise study."""
        parts = {name: asdict(stream) for name, stream in self.streams.items()}
        return {
            "components": {
                name: {key: part[key] for key in COMPONENT_KEYS} for name, part in parts.items()
            },
            "decomposition": {
                "n": self.n,
                "method": self.method,
                "rest_sd": self.rest_sd,
                "streams": {
                    name: {key: value for key, value in part.items() if key not in COMPONENT_KEYS}
                    for name, part in parts.items()
                },
                "reason": self.reason,
                "inside": {name: list(outer) for name, outer in self.inside.items()},
                "single": list(self.single),
            },
        }


Decomposition = StreamDecomposition | NotDecomposed


@dataclass(frozen=True, kw_only=True)
class NoiseStudy:
    """The noise of a baseline over seeds, and the effects that can be detected despite it."""

    study: str
    noise: Noise
    """Mean and standard deviation of the baseline's test losses, nats per token."""
    n_diverged: int
    """Baseline seeds that diverged; they are not part of `noise`."""
    alpha: float
    """Significance level of the study."""
    normality: Normality | None
    """None with fewer than three losses, or if all are equal."""
    paired_differences: PairedDifferences
    visible_effects: Sequence[VisibleEffect]
    """For 1, 2, ... seeds per arm."""
    one_run_sees: float
    """The smallest effect that a single run detects, against the baseline's runs; nats."""
    arms: Sequence[PlacedArm]
    """One run of every arm; empty if all baseline losses are equal."""
    n_equal: int = 0
    """Baseline runs with distinct seeds whose loss another one has, bit for bit."""
    rerun: Rerun | None = None
    """None if no run was repeated."""
    decomposition: Decomposition | None = None
    """None if no decomposition was asked for."""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, as printed and stored."""
        found = self.decomposition
        return {
            "study": self.study,
            **asdict(self.noise),
            "n_independent": self.noise.n_independent,
            "n_diverged": self.n_diverged,
            "n_equal": self.n_equal,
            "alpha": self.alpha,
            "normality": asdict(self.normality) if self.normality else None,
            "paired_differences": asdict(self.paired_differences),
            "smallest_visible_effect": [asdict(each) for each in self.visible_effects],
            "one_run_sees": self.one_run_sees,
            "arms": [asdict(each) for each in self.arms],
            "rerun": self.rerun.as_json() if self.rerun else None,
            **(found.as_json() if found else {"components": None, "decomposition": None}),
        }


def stored_noise(json: Mapping[str, Any]) -> Noise:
    """The summary in a stored noise study. Raises KeyError if it is not one."""
    from analysis.noise import Noise, SharedSeeds

    shared = json.get("shared")  # absent in older records
    found = SharedSeeds(**{**shared, "streams": tuple(shared["streams"])}) if shared else None
    return Noise(**{key: json[key] for key in SUMMARY_KEYS}, shared=found)


def stored_differences(json: Mapping[str, Any]) -> list[ArmDifferences]:
    """The arms of `paired_differences` in a stored noise study, by ascending sd."""
    arms = json.get("paired_differences", {}).get("arms", [])
    return [ArmDifferences(arm=each["arm"], n=each["n"], sd=each["sd"]) for each in arms]


def stored_decomposition(json: Mapping[str, Any]) -> Decomposition | None:
    """The decomposition in a stored noise study; None if it has none."""
    components, about = json.get("components"), json.get("decomposition")
    if about is None:
        return None
    if components is None:
        return NotDecomposed(**about)
    from analysis.variance.streams import Stream

    streams = {name: Stream(**part, **about["streams"][name]) for name, part in components.items()}
    return StreamDecomposition(**{**about, "streams": streams})

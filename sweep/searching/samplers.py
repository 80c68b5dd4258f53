"""Optuna's samplers and pruners by the names that a study file has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.design.search import Domain
from sweep.study.search_section import PrunerName, SamplerName

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

PERCENTILE = 25.0
"""Percent of the trials that the pruner `percentile` keeps: Optuna's example."""
PATIENCE = 3
"""Points without improvement that the pruner `patient` allows."""

Space = Sequence[Domain]


def _tpe(_space: Space, _seed: int, own: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=own, constant_liar=True)


def _random(_space: Space, _seed: int, own: int) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=own)


def _grid(space: Space, seed: int, _own: int) -> BaseSampler:
    from optuna.samplers import GridSampler

    return GridSampler({domain.field: domain.grid() for domain in space}, seed=seed)


def _qmc(_space: Space, seed: int, _own: int) -> BaseSampler:
    from optuna.samplers import QMCSampler

    return QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)


def _cmaes(_space: Space, _seed: int, own: int) -> BaseSampler:
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=own, warn_independent_sampling=False)


def _gp(_space: Space, _seed: int, own: int) -> BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(seed=own)


SAMPLERS: Mapping[SamplerName, Callable[[Space, int, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": _random,
    "grid": _grid,
    "qmc": _qmc,
    "cmaes": _cmaes,
    "gp": _gp,
}
"""By name: make a sampler from the fields, the seed of the search, and a seed of the trial's own.

Each trial has a sampler of its own, so that a search that was interrupted goes on as if it had not
been: Optuna's samplers keep everything but the state of their generator in the trials.
"""


def _none() -> BasePruner:
    from optuna.pruners import NopPruner

    return NopPruner()


def _median() -> BasePruner:
    from optuna.pruners import MedianPruner

    return MedianPruner()


def _percentile() -> BasePruner:
    from optuna.pruners import PercentilePruner

    return PercentilePruner(PERCENTILE)


def _successive_halving() -> BasePruner:
    from optuna.pruners import SuccessiveHalvingPruner

    return SuccessiveHalvingPruner()


def _hyperband() -> BasePruner:
    from optuna.pruners import HyperbandPruner

    return HyperbandPruner()


def _patient() -> BasePruner:
    from optuna.pruners import MedianPruner, PatientPruner

    return PatientPruner(MedianPruner(), PATIENCE)


PRUNERS: Mapping[PrunerName, Callable[[], BasePruner]] = {
    "none": _none,
    "median": _median,
    "percentile": _percentile,
    "successive-halving": _successive_halving,
    "hyperband": _hyperband,
    "patient": _patient,
}
"""By name: make a pruner with Optuna's own settings."""


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Optuna's distributions of some fields."""
    return {domain.field: _distribution(domain) for domain in space}


def _distribution(domain: Domain) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if domain.kind == "choice":
        return CategoricalDistribution(domain.choices)
    if domain.kind == "whole":
        low, last, step = int(domain.low), int(domain.last), int(domain.step or 1)
        return IntDistribution(low, last, log=domain.log, step=step)
    return FloatDistribution(domain.low, domain.last, log=domain.log, step=domain.step)


def plain(value: Any) -> Any:  # noqa: ANN401  (a value of any field)
    """A value as JSON: numpy's numbers become Python's."""
    return value.item() if hasattr(value, "item") else value

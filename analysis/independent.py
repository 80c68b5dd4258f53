"""An arm and the baseline as independent values: runs that share seeds are counted once.

The result has the form of the runs, with one value per cluster (see `clusters`), so that every
test is the one for runs that share nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .clusters import Clusters, find_clusters
from .digits import difference
from .runs import ArmRuns, Seed
from .variance.shared import noise_of_runs

Floats = NDArray[np.float64]


def held_streams(arms: Iterable[ArmRuns]) -> tuple[str, ...]:
    """The seed columns with one seed in all runs of the study: such a seed is part of the recipe."""
    found: dict[str, set[object]] = {}
    for arm in arms:
        if len(arm.seed_columns) > 1:
            for i, column in enumerate(arm.seed_columns):
                found.setdefault(column, set()).update(seed[i] for seed in arm.losses)
    return tuple(column for column, seeds in found.items() if len(seeds) == 1)


def clusters_of(arm: ArmRuns, held: Sequence[str] = ()) -> Clusters | None:
    """The clusters of an arm's done runs; None if no two of them share a seed that varies."""
    return find_clusters(arm.seed_columns, list(arm.losses), held)


def independent_losses(arm: ArmRuns, held: Sequence[str] = ()) -> Floats:
    """An arm's losses with one value for runs that share seeds, shape (independent seeds,)."""
    clusters = clusters_of(arm, held)
    return arm.observed if clusters is None else clusters.independent(arm.observed)


def independent_sides(
    arm: ArmRuns, baseline: ArmRuns, held: Sequence[str] = (), *, pairs: bool = True
) -> tuple[ArmRuns, ArmRuns]:
    """Both arms with one loss per independent seed; unchanged if no runs of either share seeds.

    Their differences over shared seeds are those of `Clusters.independent` on the differences of
    the runs that both have. Runs without a partner are left out where others with the same seed
    have one, and are averaged by themselves where none has. Without `pairs`, no seed is shared.
    """
    if len(arm.losses) == 1:
        return _single(arm, baseline, held)
    if clusters_of(arm, held) is None and clusters_of(baseline, held) is None:
        return arm, baseline
    shared = [seed for seed in arm.losses if seed in baseline.losses] if pairs else []
    own, others = _paired(arm, baseline, shared, held)
    sides = (arm, own, "arm"), (baseline, others, "baseline")
    first, second = (
        replace(side, losses={**paired, **_unpaired(side, shared, held, name)}, whole=side)
        for side, paired, name in sides
    )
    return first, second


def _single(arm: ArmRuns, baseline: ArmRuns, held: Sequence[str]) -> tuple[ArmRuns, ArmRuns]:
    """A single run: the baseline's independent values get the spread of single runs.

    Means of clusters vary less than one run does, which is what the run is compared with.
    """
    clusters = clusters_of(baseline, held)
    if clusters is None or not clusters.is_layout or clusters.count < 2:
        return arm, baseline
    spread = values_like_runs(baseline.observed, clusters)
    losses = _by_level(baseline, list(baseline.losses), clusters, spread)
    (seed,) = arm.losses
    key = _level(arm, seed, clusters)
    alone = replace(arm, losses={key: arm.losses[seed]}, whole=arm)
    return alone, replace(baseline, losses=losses, whole=baseline)


def values_like_runs(losses: Floats, clusters: Clusters) -> Floats:
    """The means of a layout's clusters, spread out as single runs are; shape (clusters.count,)."""
    means = clusters.means(losses)
    sd, own = noise_of_runs(losses, clusters).sd, float(means.std(ddof=1))
    centre = float(means.mean())
    return np.asarray(centre + (means - centre) * (max(sd / own, 1.0) if own > 0 else 1.0), float)


def _paired(
    arm: ArmRuns, baseline: ArmRuns, shared: Sequence[Seed], held: Sequence[str]
) -> tuple[Mapping[Seed, float], Mapping[Seed, float]]:
    """The losses of both at their shared seeds, one per independent seed."""
    x, y = arm.at(shared), baseline.at(shared)
    clusters = find_clusters(arm.seed_columns, shared, held)
    if clusters is None:
        return dict(zip(shared, x.tolist(), strict=True)), dict(
            zip(shared, y.tolist(), strict=True)
        )
    base = clusters.independent(y)
    moved = base + clusters.independent(difference(x, y))
    return (
        _by_level(arm, shared, clusters, moved),
        _by_level(baseline, shared, clusters, base),
    )


def _unpaired(
    side: ArmRuns, shared: Sequence[Seed], held: Sequence[str], name: str
) -> Mapping[Seed, float]:
    """The losses of one side whose seeds no shared run has, one per independent seed."""
    partnered = set(shared)
    own, rest = clusters_of(side, held), [seed for seed in side.losses if seed not in partnered]
    if own is not None:
        taken = {_level(side, seed, own) for seed in shared}
        rest = [seed for seed in rest if _level(side, seed, own) not in taken]
    clusters = find_clusters(side.seed_columns, rest, held)
    if clusters is None:
        return {seed: side.losses[seed] for seed in rest}
    values = clusters.independent(side.at(rest))
    levels = _by_level(side, rest, clusters, values)
    # Never equal to a seed of the other side: these are no pairs.
    return {(name, *level): loss for level, loss in levels.items()}


def _by_level(
    side: ArmRuns, seeds: Sequence[Seed], clusters: Clusters, values: Floats
) -> dict[Seed, float]:
    """Values by the seed of the clusters' stream."""
    levels = dict.fromkeys(sorted(_level(side, seed, clusters) for seed in seeds))
    return dict(zip(levels, values.tolist(), strict=True))


def _level(side: ArmRuns, seed: Seed, clusters: Clusters) -> Seed:
    return (seed[side.seed_columns.index(clusters.streams[0])],)


def n_independent(arm: ArmRuns, held: Sequence[str]) -> int:
    """Number of independent seeds among an arm's done runs."""
    clusters = clusters_of(arm, held)
    return len(arm.losses) if clusters is None else clusters.count

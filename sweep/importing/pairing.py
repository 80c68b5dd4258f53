"""Equal seeds of an imported file: how arm and baseline correlate over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.fields import STREAM_FIELDS, Field
from sweep.importing.run_table import RUN_LABEL, RunTable
from sweep.importing.settings import Settings
from sweep.store.plan_content import PlanContent
from sweep.store.states import RunState

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.correlation import SeedCorrelation


@dataclass(frozen=True, kw_only=True)
class EqualSeeds:
    """The done runs of a file: those with a seed, and those that share it with the baseline."""

    with_seed: int
    """Runs with a seed."""
    without_seed: int
    others: int
    """Runs of arms other than the baseline."""
    baseline: int
    """Runs of the baseline."""
    matched: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], int]]
    """By arm: its losses and the baseline's at the same seeds, shape (n_shared,) each, and how many
    of these seeds are independent."""

    @property
    def shared(self) -> int:
        """Runs of other arms with the seed of a baseline's run."""
        return sum(losses.size for losses, _, _ in self.matched.values())

    def correlations(self, alpha: float) -> list[SeedCorrelation]:
        """Correlations, with their 1 - alpha intervals, of the arms with three such runs or more."""
        from analysis.correlation import seed_correlation

        found = [seed_correlation(arm, *seeds, alpha) for arm, seeds in self.matched.items()]
        return [each for each in found if each is not None]


def find_equal_seeds(table: RunTable, baseline: str, fields: Sequence[Field]) -> EqualSeeds:
    """Match the done runs of every arm with the baseline's runs of the same seeds.

    `fields` are the seeds that the file has.
    """
    done = table.state == RunState.DONE
    seeded = done & table.label.notna() & ~table.label.astype("str").str.startswith(RUN_LABEL)
    is_base = table.arm == baseline
    base = table.loss[seeded & is_base]
    base.index = table.label[base.index]
    partner = table.label[seeded & ~is_base].map(base).dropna()
    arms = table.arm[partner.index]
    return EqualSeeds(
        with_seed=int(seeded.sum()),
        without_seed=int((done & ~seeded).sum()),
        others=int((done & ~is_base).sum()),
        baseline=int((done & is_base).sum()),
        matched={
            str(arm): (
                table.loss[places].to_numpy(float),
                partner[places].to_numpy(float),
                _independent(table, places, fields),
            )
            for arm, places in arms.groupby(arms, sort=False).groups.items()
        },
    )


def _independent(table: RunTable, places: pd.Index[Any], fields: Sequence[Field]) -> int:
    """How many independent seeds the runs at `places` have: those that share a stream count once."""
    from analysis.clusters import find_clusters

    streams = {field: getattr(table, field) for field in fields if field in STREAM_FIELDS}
    varied = {field: seeds for field, seeds in streams.items() if (seeds != seeds.iloc[0]).any()}
    if len(varied) < 2:
        return len(places)
    rows = zip(*(seeds[places].tolist() for seeds in varied.values()), strict=True)
    clusters = find_clusters(list(varied), list(rows))
    return len(places) if clusters is None else clusters.count


def check_pairs(
    found: EqualSeeds, settings: Settings, earlier: PlanContent | None, source: str
) -> None:
    """Raise ResultsError if `--pairs` is given for a new study in which nothing can pair."""
    if settings.pairs and earlier is None and not found.shared:
        lack = "no other arm has a seed of the baseline" if found.with_seed else "it has no seeds"
        raise ResultsError(
            f"{source}: --pairs, and {lack}, so no runs can pair; leave --pairs out, or name the "
            "column of the seeds: --column seed=COLUMN"
        )

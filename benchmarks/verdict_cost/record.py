"""The recorded study: the test loss of every arm and seed as a CSV, and its recipe beside it as JSON."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import sweep
from analysis.verdict import Judgement, Plan, judge
from sweep.errors import NotFoundError
from trainer.files import write_json, write_whole
from trainer.recipe_forms import to_dotted

Floats = NDArray[np.float64]

FEWEST = 3
"""Fewest seeds that every arm of a record must have."""


@dataclass(frozen=True)
class Record:
    """Losses of a paired study, and what its interventions set."""

    arms: tuple[str, ...]
    """The interventions."""
    losses: Floats
    """Shape (seeds, 1 + interventions), nats; the baseline comes first."""
    changes: Mapping[str, Mapping[str, Any]]
    """By intervention: the recipe fields that it sets."""

    @property
    def differences(self) -> Floats:
        """Arm minus baseline, shape (seeds, interventions)."""
        return self.losses[:, 1:] - self.losses[:, :1]

    @property
    def effects(self) -> Floats:
        """Mean differences, shape (interventions,), nats."""
        return np.asarray(self.differences.mean(axis=0), float)

    def judgement(self) -> Judgement:
        """The verdicts on all recorded seeds, for which every effect matters."""
        names = ["baseline", *self.arms]
        table = pd.DataFrame(self.losses, columns=names).rename_axis("seed").reset_index()
        runs = table.melt("seed", var_name="arm", value_name="loss").assign(status="done")
        return judge(runs, Plan(arms=self.arms, smallest_effect=0.0))

    def alternatives(self) -> list[str]:
        """Interventions that set a field which an earlier one sets: both cannot be in one run."""
        seen: set[str] = set()
        later = []
        for arm in self.arms:
            if seen & set(self.changes[arm]):
                later.append(arm)
            seen |= set(self.changes[arm])
        return later


def read(path: Path) -> Record:
    """Read a record; the JSON lies beside the CSV. Raises sweep.errors.NotFoundError."""
    for file in (path, path.with_suffix(".json")):
        if not file.is_file():
            raise NotFoundError(f"{file} is missing; record a study with --record RUNS")
    table = pd.read_csv(path)
    about = json.loads(path.with_suffix(".json").read_text())
    losses = table.pivot_table(index="seed", columns="arm", values="test_loss")
    baseline, *arms = dict.fromkeys(table["arm"])
    return Record(tuple(arms), losses[[baseline, *arms]].to_numpy(float), about["arms"])


def write(runs: Path, path: Path) -> int:
    """Record the study last run in the folder `runs`; returns the number of seeds.

    The database may be in use: a copy of it is read. Seeds that an arm has not finished are left
    out. Raises sweep.errors.NotFoundError if fewer than `FEWEST` are left.
    """
    frame = _runs(runs)
    done = frame[frame["status"] == "done"]
    arms = list(dict.fromkeys(frame["arm"]))
    counts = done.groupby("seed")["arm"].nunique()
    seeds = sorted(int(seed) for seed in counts[counts == len(arms)].index)
    if len(seeds) < FEWEST:
        raise NotFoundError(
            f"{runs}: {len(seeds)} seeds have a result in all {len(arms)} arms; train at least {FEWEST}"
        )
    kept = done[done["seed"].isin(seeds)]
    places = kept["arm"].map(arms.index)
    kept = kept.assign(place=places).sort_values(["place", "seed"], kind="stable")
    table = kept[["arm", "seed", "loss"]].rename(columns={"loss": "test_loss"})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, table.to_csv(index=False).encode())
    write_json(path.with_suffix(".json"), _about(kept, arms, seeds))
    return len(seeds)


def _runs(folder: Path) -> pd.DataFrame:
    """The runs of a copy of the database in `folder`."""
    database = folder / "sweep.db"
    if not database.is_file():
        raise NotFoundError(f"{database} is missing; name a folder of runs, as `--runs` does")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "sweep.db"
        with (
            closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        return sweep.load(runs=name)


def _about(runs: pd.DataFrame, arms: Iterable[str], seeds: list[int]) -> dict[str, Any]:
    """The recipe and the origin of recorded runs, for the JSON."""
    baseline, *others = (_seedless(runs[runs["arm"] == arm]["recipe"].iloc[0]) for arm in arms)
    provenances = list(runs["provenance"])
    return {
        "made_by": f"sweep run studies/interventions.toml, with design.seeds = {len(seeds)}; "
        "python benchmarks/cost_of_a_verdict.py --record RUNS",
        "metric": "test_loss, nats per token",
        "seeds": seeds,
        "devices": sorted({each["device"] for each in provenances}),
        "versions": [
            json.loads(each) for each in sorted({json.dumps(p["versions"]) for p in provenances})
        ],
        "corpus": sorted(set(runs["corpus_hash"])),
        "baseline": baseline,
        "arms": {
            arm: {field: value for field, value in recipe.items() if baseline[field] != value}
            for arm, recipe in zip(list(arms)[1:], others, strict=True)
        },
    }


def _seedless(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The dotted fields of a recipe without its seeds."""
    return to_dotted({section: fields for section, fields in recipe.items() if section != "seeds"})

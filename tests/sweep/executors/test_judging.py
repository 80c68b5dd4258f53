"""`sweep judge` on a cluster: fine-tunes are jobs that find the weights and the data."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.monkey import small_study
from tests.conftest import Run

pytestmark = [pytest.mark.slow, pytest.mark.nightly]
SETTINGS = ("max_epochs=2", "answer_tokens=8", "prompt=short", "long_items=cut")
JUDGE = ("judge", "s.toml", "--data", "d.json", *(w for s in SETTINGS for w in ("--set", s)))
ITEMS = [{"instruction": f"Say {n}", "input": "", "output": f"{n} again"} for n in range(24)]


@pytest.mark.parametrize("engine", ["slurm", "ray"])
def test_fine_tunes_run_on_the_cluster_with_the_scores_of_those_made_here(
    tmp_path: Path,
    sweep: Run,
    environment: dict[str, str],
    engine: str,
    request: pytest.FixtureRequest,
) -> None:
    corpus = '[baseline.data]\ncorpus = "text.txt"\n'
    (tmp_path / "text.txt").write_text("".join(f"{n} is {n * n} times one.\n" for n in range(8000)))
    (tmp_path / "d.json").write_text(json.dumps(ITEMS))
    study, scores = tmp_path / "s.toml", []
    study.write_text(small_study(5, 1, "") + corpus)
    assert sweep(tmp_path, "run", "s.toml").returncode == 0
    settings, own, left_behind = CLUSTERS[engine](request)
    variables = {**environment, **own, "PYTHONPATH": os.environ["PYTHONPATH"]}
    for jobs, changes in ((f'executor = "{engine}"', settings), ("", "")):
        study.write_text(small_study(5, 1, jobs) + changes + corpus)
        said = sweep(tmp_path, *JUDGE, variables=variables)
        assert said.returncode == 0, said.stdout + said.stderr
        assert "3/3" in said.stderr
        assert list((tmp_path / "runs").glob(left_behind))
        scores.append(stored(tmp_path))
        forget_fine_tunes(tmp_path, sweep)
    assert scores[0] == scores[1]
    assert len(scores[0]) == 9  # two of each run, and the loss of each fine-tune


def on_slurm(request: pytest.FixtureRequest) -> tuple[str, dict[str, str], str]:
    """Settings of a study, variables of its commands, and a file that jobs leave in the folder of runs."""
    slurm = request.getfixturevalue("slurm")
    own = {name: slurm.environment[name] for name in ("PATH", "SLURM_CONF")}
    return '\n[jobs.slurm]\npoll_seconds = 0.5\ngres = "none"\n', own, "slurm/probe.json"


def on_ray(request: pytest.FixtureRequest) -> tuple[str, dict[str, str], str]:
    """The same of Ray."""
    address = request.getfixturevalue("ray_session").address
    return f'\n[jobs.ray]\naddress = "{address}"\n', {}, "ray.log"


CLUSTERS = {"slurm": on_slurm, "ray": on_ray}


def stored(folder: Path) -> list[tuple[float]]:
    query = "SELECT name, value FROM metrics WHERE name LIKE 'instruction%' ORDER BY name, run_id"
    with closing(sqlite3.connect(folder / "runs" / "sweep.db")) as database:
        return database.execute(query).fetchall()


def forget_fine_tunes(folder: Path, sweep: Run) -> None:
    """Remove their results, and have the database read what is left."""
    for path in folder.glob("runs/*/instructions.json"):
        for file in list(path.parent.iterdir()):
            file.unlink() if file.is_file() else None
    (folder / "runs" / "sweep.db").unlink()
    assert sweep(folder, "rebuild").returncode == 0

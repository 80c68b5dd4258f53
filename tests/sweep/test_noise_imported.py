"""The noise of imported studies, and records of noise that went stale."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.noise.measure import paired_differences
from sweep.noise.records import Record
from sweep.noise.runs import ArmLoss, NoiseRuns
from sweep.noise.setting import DEFAULT, Setting
from sweep.store.rows import NoiseRow
from tests.sweep.said import content

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


RESULTS = """\
arm,init_seed,dropout_seed,loss
baseline,42,42,3.691526
baseline,22,22,3.673453
baseline,67,67,3.653593
baseline,42,23,3.681356
baseline,42,67,3.680505
baseline,23,23,3.673943
baseline,67,23,3.664345
weight-tying,42,42,3.874
weight-decay-0.337,42,42,3.867
float32,42,42,3.679
gradient-clipping,42,42,3.678
qkv-bias,42,42,3.669
weight-decay-0.01,42,42,3.643
no-dropout,42,42,3.641282
lr-schedule,42,42,3.602
"""
"""../shared/data/reference_interventions.csv: single runs of a GPT-2 small, and its noise."""


@pytest.fixture
def imported(tmp_path: Path, sweep: Run) -> Path:
    """A folder with an imported study."""
    (tmp_path / "results.csv").write_text(RESULTS)
    assert sweep(tmp_path, "import", "results.csv", "--study", "reference").returncode == 0
    return tmp_path


@pytest.mark.slow
def test_imported_arms_are_compared_with_the_noise_of_the_imported_baseline(
    imported: Path, sweep: Run
) -> None:
    noise = content(sweep(imported, "noise", "reference", "--format", "json"))
    assert (noise["n"], round(noise["sd"], 5)) == (7, 0.01234)
    assert (round(noise["ci_low"], 5), round(noise["ci_high"], 5)) == (0.00795, 0.02717)
    arms = {arm["arm"]: arm for arm in noise["arms"]}
    known = {"gradient-clipping": 0.78, "float32": 0.72, "qkv-bias": 0.71}
    assert {arm: round(arms[arm]["p"], 2) for arm in known} == known
    known = {"weight-decay-0.01": 0.056, "no-dropout": 0.047}
    assert {arm: round(arms[arm]["p"], 3) for arm in known} == known
    assert round(arms["lr-schedule"]["p"], 4) == 0.0016
    assert round(arms["lr-schedule"]["p_adjusted"], 4) == 0.0094
    remain = {name for name, arm in arms.items() if arm["p_adjusted"] < 0.05}
    assert remain == {"weight-tying", "weight-decay-0.337", "lr-schedule"}
    assert noise["rerun"] is None


@pytest.mark.slow
def test_imported_runs_are_decomposed_by_the_seed_columns_of_their_file(
    imported: Path, sweep: Run
) -> None:
    words = ("--decompose", "init,dropout", "--seeds", 9, "--format", "json")
    done = sweep(imported, "noise", "reference", *words)
    noise = content(done)
    assert done.stderr == "reference was imported: it has no more than 7 baseline runs.\n"
    assert noise["components"].keys() == {"init", "dropout"}
    assert noise["decomposition"]["method"] == "REML"
    assert noise["decomposition"]["streams"]["init"]["separable"] == 3
    said = sweep(imported, "noise", "reference", "--decompose", "init,dropout").stdout
    assert "and there are 3 of 4 of init and 3 of 4 of dropout." in said
    assert "compares seed by seed" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--decompose", "init,order"],
            (
                "--decompose order: the imported file has no column order_seed; it has init_seed "
                "and dropout_seed"
            ),
        ),
        (
            ["--override", "model.width=32"],
            "--override: reference was imported from RESULTS and has no recipe to change",
        ),
    ],
)
def test_requests_that_an_imported_study_cannot_answer_are_refused(
    imported: Path, sweep: Run, words: list[str], sentence: str
) -> None:
    done = sweep(imported, "noise", "reference", *words)
    where = str((imported / "results.csv").resolve())
    assert (done.returncode, done.stderr.replace(where, "RESULTS")) == (2, f"sweep: {sentence}\n")


def test_a_field_set_to_none_differs_from_its_default() -> None:
    default, unclipped = (
        Setting(recipe={"optimizer": fields}, corpus_hash="", device="cpu")
        for fields in ({}, {"clip_norm": None})
    )
    (change,) = default.changes(unclipped).fields
    assert (change.field, change.after) == ("optimizer.clip_norm", None)
    assert change.before is DEFAULT


@pytest.mark.slow
def test_more_imported_baseline_runs_make_the_noise_on_record_stale(
    imported: Path, sweep: Run
) -> None:
    content(sweep(imported, "noise", "reference", "--format", "json"))
    (imported / "results.csv").write_text(f"{RESULTS}baseline,1,1,3.68\n")
    assert sweep(imported, "import", "results.csv", "--study", "reference").returncode == 0
    assert (
        "The noise on record is stale: the recipe (imported.baseline_runs 7 then, 8 now) has "
        "changed since; `sweep noise reference` measures it again.\n"
    ) in sweep(imported, "report").stdout


def test_noise_on_record_is_cited_without_its_decomposition_being_read() -> None:
    summary = {"n": 3, "mean": 2.0, "sd": 0.1, "ci_low": 0.05, "ci_high": 0.6}
    row = NoiseRow(
        study="tiny",
        fingerprint="",
        recipe={},
        corpus_hash="",
        device="cpu",
        measured=0.0,
        content={**summary, "components": {"init": {}}, "decomposition": {"streams": {}}},
    )
    record = Record.from_row(row)
    assert (record.noise.sd, record.source[:27]) == (0.1, "`sweep noise tiny`, 3 seeds")
    with pytest.raises(KeyError):
        _ = record.decomposition


@pytest.mark.parametrize(
    ("shared", "reason"), [(4, "by the same in all seeds"), (1, "baseline's seeds yet")]
)
def test_arms_without_a_spread_of_differences_are_told_from_those_without_common_seeds(
    shared: int, reason: str
) -> None:
    losses = [ArmLoss("baseline", seed, float(seed)) for seed in range(4)]
    losses += [ArmLoss("fast", 3 - seed, 1.0 - seed) for seed in range(shared)]
    runs = NoiseRuns(
        study="s", baseline=[], arms=losses, family=["fast"], alpha=0.05, correction="holm"
    )
    assert (paired_differences(runs).reason or "").endswith(reason)

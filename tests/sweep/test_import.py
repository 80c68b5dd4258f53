"""Import of results from elsewhere: the files that are understood, and the reports on them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sweep.errors import ResultsError
from tests.sweep.importer import PAIRED, Importer, csv

Run = Callable[..., subprocess.CompletedProcess[str]]
REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference_interventions.csv"
"""Outside the repository."""
GATE = {
    "gradient-clipping": (0.78, 2, None),
    "float32": (0.72, 2, None),
    "qkv-bias": (0.71, 2, None),
    "weight-decay-0.01": (0.056, 3, None),
    "no-dropout": (0.047, 3, None),
    "lr-schedule": (0.0016, 4, "better"),
    "weight-decay-0.337": (0.0, 4, "worse"),
    "weight-tying": (0.0, 4, "worse"),
}
"""By arm: the p-value of prediction t, its number of digits, and how it looks after Holm."""


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference results are absent")
def test_the_reference_results_get_the_known_p_values_and_verdicts(
    tmp_path: Path, sweep: Run
) -> None:
    done = sweep(tmp_path, "import", REFERENCE, "--study", "reference")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(sweep(tmp_path, "report", "reference", "--format", "json").stdout)
    assert report["noise"]["n"] == 7
    assert round(report["noise"]["sd"], 5) == 0.01234
    assert (round(report["noise"]["ci_low"], 5), round(report["noise"]["ci_high"], 5)) == (
        0.00795,
        0.02717,
    )
    arms = {row["arm"]: row for row in report["arms"][1:]}
    assert arms.keys() == GATE.keys()
    for name, (p, digits, looks) in GATE.items():
        assert (arms[name]["method"], arms[name]["verdict"]) == ("prediction t", "undecided")
        assert (round(arms[name]["p"], digits), arms[name]["looks"]) == (p, looks)
    assert round(arms["lr-schedule"]["p_adjusted"], 4) == 0.0094
    table = " ".join(sweep(tmp_path, "report", "reference").stdout.split())  # cells may be wrapped
    assert "looks better (1/4)" in table
    assert "A single run may look better or worse, which is no verdict." in table


def test_runs_of_two_arms_pair_by_their_seed(importer: Importer) -> None:
    importer(csv(PAIRED))
    assert importer.arms()["clip"]["method"] == "paired t"
    assert importer.arms()["clip"]["n_shared"] == 4


def test_the_time_of_further_seeds_is_not_predicted_without_timed_runs(
    importer: Importer,
) -> None:
    importer(csv([(arm, seed, (len(arm) * seed) % 7) for arm, seed, _ in PAIRED]))
    clip = importer.arms()["clip"]
    assert (clip["verdict"], clip["seconds"], clip["seconds_to_settle"]) == (
        "undecided",
        None,
        None,
    )
    assert clip["seeds_to_settle"] > 0
    chance = f"{clip['seeds_to_settle']} has a{'n' if clip['chance_to_settle'] >= 0.8 else ''}"
    assert f"may settle it. {chance} " in importer.table()
    assert "% chance to settle clip. Import their losses too.\n" in importer.table()


def test_equal_rows_without_a_seed_are_separate_runs_that_never_pair(importer: Importer) -> None:
    importer(csv([("baseline", 1440), ("baseline", 1440), ("a", 1500), ("a", 1500)], "arm,loss"))
    assert {name: row["n_done"] for name, row in importer.arms().items()} == {"baseline": 2, "a": 2}
    assert importer.arms()["a"]["n_shared"] == 0
    again = importer(csv([("baseline", 1440), ("baseline", 1440), ("a", 1500)], "arm,loss"))
    assert again.startswith("x: nothing new; all 3 runs of ")


def test_runs_pair_when_all_their_stream_seeds_agree(importer: Importer) -> None:
    rows = [("baseline", 1, 1, 2.5), ("baseline", 1, 2, 2.6), ("a", 1, 2, 2.4), ("a", 2, 2, 2.3)]
    said = importer(csv(rows, "arm,init_seed,dropout_seed,loss"))
    assert "Runs pair by init_seed and dropout_seed." in said
    assert importer.arms()["a"]["n_shared"] == 1
    streams = [(r["init_seed"], r["order_seed"], r["dropout_seed"]) for r in importer.runs()]
    assert streams == [(1, 0, 1), (1, 0, 2), (1, 0, 2), (2, 0, 2)]


def test_a_seed_may_be_any_text_and_keeps_it(importer: Importer) -> None:
    rows = [("b", "Ann", 1.0), ("b", "Bo", 2.0), ("a", "Bo", 1.5), ("a", "Ann", 0.25)]
    importer(
        csv(rows, "group,subject,loss"),
        columns={"arm": "group", "seed": "subject"},
        baseline="b",
    )
    assert importer.arms()["a"]["effect"] == -0.625
    assert {run["further"]["subject"] for run in importer.runs()} == {"Ann", "Bo"}


def test_importing_twice_adds_nothing_and_a_longer_file_adds_its_new_runs(
    importer: Importer,
) -> None:
    first = importer(csv(PAIRED))
    assert first.startswith("x: 8 runs imported from ")
    before = importer.runs()
    assert importer(csv(PAIRED)).startswith("x: nothing new; all 8 runs of ")
    assert importer(csv(list(reversed(PAIRED)))).startswith("x: nothing new; all 8 runs of ")
    assert importer.runs() == before
    grown = importer(csv([*PAIRED, ("late", 2, 2.5), ("baseline", 5, 2.5)]))
    assert grown.startswith("x: 2 runs imported from ")
    assert "8 more were there already; the study has 3 arms" in grown
    assert list(importer.arms()) == ["baseline", "clip", "late"]


def test_a_run_with_a_changed_loss_is_refused_and_both_losses_are_shown(
    importer: Importer,
) -> None:
    importer(csv(PAIRED))
    changed = [("extra", 1, 2.0), *PAIRED[:-1], ("clip", 4, 2.75)]
    with pytest.raises(ResultsError) as error:
        importer(csv(changed))
    assert str(error.value).endswith(
        "row 9 gives arm 'clip', seed 4 loss 2.75, and the study has it with loss 2.456. Correct the "
        "file, replace them with --replace, or choose another name with --study"
    )
    assert len(importer.runs()) == 8


def test_later_imports_keep_the_settings_of_the_first(importer: Importer) -> None:
    importer(csv(PAIRED), alpha=0.1, correction="bh", baseline="clip")
    importer(csv([*PAIRED, ("late", 2, 2.5)]))
    report = importer.report()
    assert (report["alpha"], report["correction"]) == (0.1, "bh")
    assert report["arms"][0]["arm"] == "clip"


def test_the_last_step_with_a_loss_counts(importer: Importer) -> None:
    rows = [
        ("baseline", 1, 10, 3.0),
        ("baseline", 1, 30, 2.5),
        ("baseline", 1, 20, 2.75),
        ("baseline", 1, 40, ""),
        ("a", 1, 10, 3.5),
        ("a", 1, 20, "nan"),
    ]
    said = importer(csv(rows, "arm,seed,step,loss"))
    assert {run["arm"]: run["test_loss"] for run in importer.runs()} == {"baseline": 2.5, "a": None}
    assert "1 run with a loss that is not finite, counted as diverged: row 6." in said


def test_runs_without_a_finite_loss_are_reported_as_diverged(importer: Importer) -> None:
    rows = [
        ("baseline", 1, 2.5),
        ("baseline", 2, "inf"),
        ("a", 1, ""),
        ("a", 2, "NaN"),
        ("a", 3, 2.5),
        ("a", 4, "-1e300"),
    ]
    said = importer(csv(rows))
    assert "3 runs with a loss that is not finite, counted as diverged: rows 2, 4, 6." in said
    assert "1 run without a loss, counted as failed: row 3." in said
    arm = importer.arms()["a"]
    assert (arm["n_diverged"], arm["n_failed"], arm["verdict"]) == (2, 1, "undecided")
    assert (arm["divergence_rate"], arm["p_divergence"]) == (2 / 3, 1)


def test_repeated_rows_count_once_and_are_reported(importer: Importer) -> None:
    said = importer(csv([*PAIRED, PAIRED[0], PAIRED[0], PAIRED[3]]))
    assert "3 rows repeat others and count once." in said
    assert importer.arms()["baseline"]["n_done"] == 4


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_study(importer: Importer, ending: str) -> None:
    frame = pd.DataFrame(PAIRED, columns=["arm", "seed", "loss"]).assign(note=["", *"bcdefgh"])
    frame["loss"] = frame["loss"].round(4)
    file = importer.folder / f"r.{ending}"
    if ending == "parquet":
        frame.to_parquet(file)
    elif ending == "jsonl":
        frame.to_json(file, orient="records", lines=True, double_precision=15)
    else:
        frame.to_csv(file, index=False, sep="\t" if ending == "tsv" else ",")
    importer.file(file)
    found = {(run["arm"], run["seed"]): run["test_loss"] for run in importer.runs()}
    assert found == {(arm, seed): round(loss, 4) for arm, seed, loss in PAIRED}
    assert importer.runs()[1]["further"] == {"note": "b"}


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e12])
def test_losses_of_any_size_keep_their_differences(importer: Importer, offset: float) -> None:
    importer(csv([(arm, seed, offset + round(loss * 1024) / 1024) for arm, seed, loss in PAIRED]))
    assert importer.arms()["clip"]["effect"] == pytest.approx(-0.0925, abs=1e-3)


@pytest.mark.slow
def test_an_imported_study_can_be_inspected_but_not_run(tmp_path: Path, sweep: Run) -> None:
    (tmp_path / "r.csv").write_text(csv(PAIRED))
    assert sweep(tmp_path, "import", "r.csv", "--study", "x").returncode == 0
    for words in (["status"], ["list"], ["show", "clip/2"], ["log", "clip/2"], ["report", "x"]):
        done = sweep(tmp_path, *words)
        assert (done.returncode, done.stderr) == (0, ""), words
    steering = [["pause"], ["resume", "x"], ["retry"], ["cancel", "clip"]]
    for words in (["run", "x"], ["plan", "x"], *steering):
        done = sweep(tmp_path, *words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr.startswith(
            f"sweep: study 'x' was imported from {tmp_path / 'r.csv'} and cannot be trained"
        )
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_an_imported_study_does_not_count_as_the_last_run_one(
    finished: tuple[Path, object], tmp_path: Path, sweep: Run
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    (folder / "r.csv").write_text(csv(PAIRED))
    assert sweep(folder, "import", "r.csv", "--study", "x").returncode == 0
    assert sweep(folder, "status").stdout.startswith("tiny (")
    assert sweep(folder, "pause").stdout.startswith("tiny is paused")


SIZE = 100_000


def test_a_hundred_thousand_runs_are_imported_in_seconds(tmp_path: Path) -> None:
    arms = ["baseline", *"abcd"]
    lines = [
        f"{arm},{seed},{2.5 + hash((arm, seed)) % 1009 / 1e5}"
        for arm in arms
        for seed in range(SIZE // 5)
    ]
    (tmp_path / "r.csv").write_text("\n".join(["arm,seed,loss", *lines]))
    code = (
        "import time; from pathlib import Path; from rich.console import Console;"
        "from sweep.commands.import_ import ImportRequest, import_results;"
        "from sweep.workspace import Workspace; began = time.process_time();"
        "import_results(Workspace(Path('runs')), ImportRequest(files=[Path('r.csv')], study='x'), Console());"
        # Not ru_maxrss: before its exec the process was a copy of this one, and that counts.
        "status = Path('/proc/self/status').read_text().split();"
        "print(time.process_time() - began, status[status.index('VmHWM:') + 1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "100,000 runs imported" in done.stdout
    seconds, kibibytes = done.stdout.split()[-2:]
    assert float(seconds) < 12  # 3 to 5 where nothing else runs, and a million may take 60
    assert int(kibibytes) < 1e6 / 2

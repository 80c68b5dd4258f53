"""The command line: real processes, and real training of a very small study."""

from __future__ import annotations

import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sweep.workload.workload import make_workload
from sweep.workspace import read_plan
from tests.sweep.said import loads

Done = subprocess.CompletedProcess[str]


Run = Callable[..., Done]


def trained(done: Done) -> int:
    """How many runs a command has trained, by the lines that it prints."""
    return sum("tokens/s" in line for line in done.stdout.splitlines())


def states(status: Done) -> dict[str, list[str]]:
    """The table of `sweep status`: by arm, how many runs are in each state."""
    rows = [line.split() for line in status.stdout.splitlines() if line.strip()]
    return {row[0]: row[1:] for row in rows}


def test_run_trains_every_arm_and_seed_and_ends_with_the_verdicts(
    finished: tuple[Path, Done],
) -> None:
    folder, done = finished
    assert (done.returncode, done.stderr) == (0, "")
    assert trained(done) == 6
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tiny: 3 arms × 2 seeds = 6 runs, 0 done already, 6 to train")
    table = "\n".join(lines[lines.index(next(line for line in lines if "verdict" in line)) :])
    for arm in ("baseline", "no-dropout", "clip"):
        assert f" {arm} " in table
    assert sorted(path.name for path in folder.iterdir()) == ["runs", "s.toml"]


IMPORTS = "import pandas, sqlalchemy, scipy.special, pydantic, rich.live, typer"
"""The packages without which no report can be made; they take most of its time."""


@pytest.mark.slow
def test_the_same_command_again_trains_nothing_and_takes_at_most_twice_as_long_as_its_imports(
    folder: Path,
) -> None:
    best = imports = float("inf")
    again = [sys.executable, "-m", "sweep", "run", "s.toml"]  # a process whose time is counted here
    for _ in range(4):  # CPU time, since other tests run beside this one
        began = children_seconds()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)
        imports = min(imports, children_seconds() - began)
        began = children_seconds()
        done = subprocess.run(again, cwd=folder, capture_output=True, text=True, check=True)
        best = min(best, children_seconds() - began)
        assert trained(done) == 0
        assert done.stdout.startswith("All 6 runs of tiny are done: nothing to train.\n")
        assert "verdict" in done.stdout
        if best < 2 * imports:
            return
    pytest.fail(f"{best:.2f} s, and {imports:.2f} s for its imports")


def children_seconds() -> float:
    """CPU time of the processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_renaming_or_reordering_arms_spelling_and_comments_train_nothing(
    copy: Path, sweep: Run, study_text: str
) -> None:
    first, *others = study_text.split("\n\n")
    text = "# Changed.\n" + "\n\n".join([first, *reversed(others)])
    text = text.replace("[interventions.clip]", "[interventions.clipped]")
    text = text.replace("layers = 1", "layers = 1.0").replace("{ model", '{ "model')
    (copy / "s.toml").write_text(text)
    done = sweep(copy, "run", "s.toml")
    assert (done.returncode, trained(done)) == (0, 0), done.stderr
    assert "All 6 runs of tiny are done: nothing to train." in done.stdout
    assert " clipped " in done.stdout


@pytest.mark.slow
def test_a_new_seed_and_a_changed_field_train_only_the_affected_runs(
    copy: Path, sweep: Run, study_text: str
) -> None:
    text = study_text.replace("seeds = 2", "seeds = 3").replace(
        'clip_norm" = 0.5', 'clip_norm" = 0.25'
    )
    (copy / "s.toml").write_text(text)
    planned = sweep(copy, "plan", "s.toml")
    assert "9 runs, 4 done already, 5 to train" in planned.stdout
    done = sweep(copy, "run", "s.toml")
    assert (done.returncode, trained(done)) == (0, 5), done.stderr
    labels = {line.split()[1] for line in done.stdout.splitlines() if "tokens/s" in line}
    assert labels == {"baseline/3", "no-dropout/3", "clip/1", "clip/2", "clip/3"}
    assert "has changed since" not in done.stdout
    (copy / "s.toml").write_text(study_text)
    stale = sweep(copy, "report").stdout
    assert f"{copy / 's.toml'} has changed since: this is the plan last run" in stale


def test_status_list_show_and_log_describe_a_finished_study(folder: Path, sweep: Run) -> None:
    status = sweep(folder, "status")
    assert status.returncode == 0
    rows = states(status)
    assert rows["all"] == ["6", "·", "·", "·", "·"]
    assert rows["clip"] == ["2", "·", "·", "·", "·"]
    listed = sweep(folder, "list")
    assert listed.returncode == 0
    [line] = [line for line in listed.stdout.splitlines() if line.startswith(" tiny ")]
    assert line.split()[1:4] == ["3", "6", "6"]
    assert " ago " in line
    assert line.split()[-1] == "s.toml"
    shown = sweep(folder, "show", "clip/2", "--format", "json")
    run = loads(shown.stdout)
    assert (run["arm"], run["seed"], run["state"]) == ("clip", 2, "done")
    assert run["recipe"]["optimizer"]["clip_norm"] == 0.5
    assert (folder / run["directory"] / "result.json").exists()
    assert (
        loads(sweep(folder, "show", run["id"][:10], "--format", "json").stdout)["id"] == run["id"]
    )
    log = sweep(folder, "log", "clip/2")
    assert log.returncode == 0
    heading, attempt, *_ = log.stdout.splitlines()
    assert heading == f"clip/2 of tiny, run {run['id'][:12]}"
    assert attempt.startswith("attempt 1, ")
    assert ": done after " in attempt


def test_the_list_shows_a_running_study_and_the_report_an_arm_without_runs(
    copy: Path, sweep: Run
) -> None:
    with closing(sqlite3.connect(copy / "runs" / "sweep.db")) as db, db:
        db.execute("UPDATE studies SET last_run = 0")
    assert re.search(r"\n tiny +3 +6 +6 +[^hd]* ago ", sweep(copy, "list").stdout)  # no years
    with closing(sqlite3.connect(copy / "runs" / "sweep.db")) as db, db:
        db.execute(
            "UPDATE runs SET state = 'running', test_loss = NULL WHERE id IN (SELECT run_id FROM "
            "members JOIN arms ON arms.id = arm_id WHERE arms.name = 'clip')"
        )
    assert re.search(r"\n *tiny +3 +6 +4 +running ", sweep(copy, "list").stdout)
    said = sweep(copy, "report").stdout
    assert re.search(r"\n *clip +0 of 2 .*undecided \(no run yet\) *\n", said)
    assert "no noise to reckon with" not in said


def test_cancel_needs_a_run_an_arm_or_a_study(copy: Path, sweep: Run) -> None:
    done = sweep(copy, "cancel")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sweep: name what to cancel: `sweep cancel RUN`, `sweep cancel ARM`, or `sweep "
        "cancel --study STUDY` for all runs of a study (`sweep list`)\n"
    )
    whole = sweep(copy, "cancel", "--study", "tiny").stdout
    assert whole == "Nothing to cancel: each of the 6 runs of tiny is done or cancelled already.\n"


def test_results_can_be_read_with_plain_sqlite(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "runs" / "sweep.db")) as connection:
        rows = connection.execute(
            "SELECT runs.test_loss, AVG(chunk_losses.loss), COUNT(*) FROM runs "
            "JOIN chunk_losses ON chunk_losses.run_id = runs.id GROUP BY runs.id"
        ).fetchall()
    assert len(rows) == 6
    for loss, mean, chunks in rows:
        assert loss == pytest.approx(mean)
        assert chunks == 2


def test_a_plan_trains_and_writes_nothing(empty: Path, sweep: Run) -> None:
    done = sweep(empty, "plan", "s.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiny: 3 arms × 2 seeds = 6 runs, 0 done already, 6 to train" in done.stdout
    assert "optimizer.clip_norm = 0.5" in done.stdout
    assert "11,744" in done.stdout
    assert [path.name for path in empty.iterdir()] == ["s.toml"]


def test_init_writes_a_valid_study_and_overwrites_no_file(empty: Path, sweep: Run) -> None:
    done = sweep(empty, "init", "my.toml")
    assert (done.returncode, done.stdout) == (0, "my.toml written. Next: sweep plan my.toml\n")
    planned = sweep(empty, "plan", "my.toml")
    assert planned.returncode == 0
    assert "my: " in planned.stdout
    written = (empty / "my.toml").read_bytes()
    again = sweep(empty, "init", "my.toml")
    assert again.returncode == 2
    assert again.stderr == (
        "sweep: my.toml exists already and was not changed; name another file\n"
    )
    assert (empty / "my.toml").read_bytes() == written


@pytest.mark.nightly
def test_doctor_finds_no_problem_here_and_writes_nothing(empty: Path, sweep: Run) -> None:
    done = sweep(empty, "doctor")
    assert done.returncode == 0, done.stdout
    for word in ("python", "torch", "trainer", "devices", "memory", "disk", "network", "corpus"):
        assert f"  {word} " in done.stdout
    assert "Ready" in done.stdout
    assert [path.name for path in empty.iterdir()] == ["s.toml"]


@pytest.mark.slow
def test_noise_is_measured_once_and_the_exact_rerun_is_identical(copy: Path, sweep: Run) -> None:
    done = sweep(copy, "noise", "--seeds", "3", "--format", "json")
    assert done.returncode == 0, done.stderr
    noise = loads(done.stdout)
    assert noise.keys() >= {"study", "n", "mean", "sd", "ci_low", "ci_high", "rerun", "arms"}
    assert (noise["study"], noise["n"]) == ("tiny", 3)
    assert noise["rerun"] == {"identical": True, "difference": 0.0}
    assert noise["ci_low"] < noise["sd"] < noise["ci_high"]
    assert [arm["arm"] for arm in noise["arms"]] == ["no-dropout", "clip"]
    assert done.stderr.count("tokens/s") == 2  # a third seed, and the first one again
    again = sweep(copy, "noise", "tiny", "--seeds", "3", "--format", "json")
    assert (again.returncode, again.stderr) == (0, "")
    assert loads(again.stdout) == noise
    # The rerun is never evidence: the study's own noise is that of its two seeds.
    assert loads(sweep(copy, "report", "--format", "json").stdout)["noise"]["n"] == 2


@pytest.mark.slow
def test_a_run_that_cannot_be_trained_is_retried_reported_and_kept_for_the_next_command(
    copy: Path, sweep: Run, study_text: str
) -> None:
    text = study_text.replace("seeds = 2", "seeds = [3]") + "[jobs]\nretries = 1\n"
    (copy / "s.toml").write_text(text)
    run_id = id_of(copy, "clip/3")
    obstacle = copy / "runs" / run_id[:16]
    obstacle.write_text("in the way")
    done = sweep(copy, "run", "s.toml")
    assert done.returncode == 1
    assert done.stdout.count("failed and will be tried again") == 1
    assert done.stdout.count("FAILED") == 1
    assert trained(done) == 2
    assert f"1 of 3 runs failed: clip/3. `sweep log {run_id[:12]}` says why" in done.stdout
    assert sweep(copy, "log", "clip/3").stdout.count(": failed after ") == 2
    assert "failed" in sweep(copy, "status").stdout
    obstacle.unlink()
    again = sweep(copy, "run", "s.toml")
    assert (again.returncode, trained(again)) == (0, 1), again.stderr


def id_of(folder: Path, label: str) -> str:
    """The id that a run of the folder's study has or will have."""
    arm, _, seed = label.partition("/")
    workload = make_workload(read_plan(folder / "s.toml"), folder / "runs" / "cache")
    return workload.jobs()[arm, int(seed)].run_id

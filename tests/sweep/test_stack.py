"""`sweep stack`, with real processes that train large improvements."""

from __future__ import annotations

import csv
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.forked_command import ForkedCommand
from tests.patience import PATIENCE
from tests.sweep.said import content

Done = subprocess.CompletedProcess[str]


Run = Callable[..., Done]


INTERVENTIONS = """
[interventions.fast]
because = "The baseline crawls."
set = { "optimizer.learning_rate" = 3e-3 }

[interventions.faster]
because = "An alternative to that."
set = { "optimizer.learning_rate" = 1e-3 }

[interventions.small-batches]
because = "More steps."
set = { "train.batch_size" = 4 }

[interventions.decay]
because = "It does next to nothing."
set = { "optimizer.weight_decay" = 0.3 }

[stacks.both]
combine = ["fast", "small-batches"]
"""


def trained(said: str) -> int:
    """Count the runs that a command trained, by the lines that it printed."""
    return sum("tokens/s" in line for line in said.splitlines())


pytestmark = pytest.mark.slow  # its study and the stack of it are trained first


@pytest.fixture(scope="module")
def improved(
    study_text: str, sweep: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Done]:
    """A finished study with improvements, for reading only, and the result of `sweep stack`."""
    folder = tmp_path_factory.mktemp("improved")
    baseline, _, rest = study_text.partition("[interventions.no-dropout]")
    text = baseline.replace("learning_rate = 3e-3", "learning_rate = 3e-4")
    text += INTERVENTIONS + rest[rest.index("[design]") :]
    (folder / "s.toml").write_text(text.replace("seeds = 2", "seeds = 3"))
    assert sweep(folder, "run", "s.toml").returncode == 0
    before = shutil.copytree(folder, tmp_path_factory.mktemp("before") / "copy")
    done = sweep(folder, "stack", "--format", "json")
    (folder / "before").symlink_to(before)
    return folder, done


@pytest.fixture
def fresh(improved: tuple[Path, Done], tmp_path: Path) -> Path:
    """A copy of the study before it was stacked."""
    return Path(shutil.copytree(improved[0] / "before", tmp_path / "fresh"))


@pytest.fixture
def stacked(improved: tuple[Path, Done], tmp_path: Path) -> Path:
    """A copy of the study after it was stacked."""
    ignore = shutil.ignore_patterns("before")
    return Path(shutil.copytree(improved[0], tmp_path / "stacked", ignore=ignore))


def test_real_improvements_are_stacked_without_alternatives_among_them(
    improved: tuple[Path, Done],
) -> None:
    found = content(improved[1])
    assert [member["arm"] for member in found["members"]] == ["fast", "small-batches"]
    assert found["left_out"] == {
        "faster": "an alternative to fast, which promises more",
        "decay": "negligible",
        "both": "a stack itself",
    }


def test_a_stack_is_trained_on_fresh_seeds_beside_the_baseline_and_without_each_member(
    improved: tuple[Path, Done], sweep: Run
) -> None:
    found = content(improved[1])
    assert found["seeds"] == [4, 5, 6]
    assert trained(improved[1].stderr) == 4 * 3
    report = content(sweep(improved[0], "report", "tiny-stack", "--format", "json"))
    arms = {arm["arm"]: arm["interventions"] for arm in report["arms"]}
    assert arms == {
        "baseline": [],
        "stack": ["fast", "small-batches"],
        "without-fast": ["small-batches"],
        "without-small-batches": ["fast"],
    }
    assert report["plan_hash"] == found["stack_plan_hash"]


def test_prediction_confirmation_and_gap_are_consistent(improved: tuple[Path, Done]) -> None:
    found = content(improved[1])
    predicted, confirmed, gap = found["predicted"], found["confirmed"], found["gap"]
    members = found["members"]
    assert predicted["effect"] == pytest.approx(sum(member["predicted"] for member in members))
    assert predicted["unshrunk"] < predicted["effect"] < 0
    assert predicted["ci_low"] < predicted["effect"] < predicted["ci_high"]
    assert confirmed["verdict"] == "better"
    assert gap["effect"] == pytest.approx(confirmed["effect"] - predicted["effect"])
    assert [member["needed"] for member in members] == ["yes", "yes"]
    assert found["best"]["members"] == ["fast", "small-batches"]
    assert found["best"]["effect"] == confirmed["effect"]
    assert found["reason"] is None


def test_a_second_call_trains_nothing_and_with_more_seeds_only_the_new_ones(
    stacked: Path, improved: tuple[Path, Done], sweep: Run
) -> None:
    again = sweep(stacked, "stack", "tiny", "--format", "json")
    assert again.stderr == "All 12 runs of tiny-stack are done: nothing to train.\n"
    assert content(again) == content(improved[1])
    more = sweep(stacked, "stack", "tiny-stack", "--seeds", 4, "--format", "json")
    assert content(more)["seeds"] == [4, 5, 6, 7]
    assert trained(more.stderr) == 4


def test_seeds_used_by_sweep_noise_are_not_fresh(fresh: Path, sweep: Run) -> None:
    assert sweep(fresh, "noise", "tiny", "--seeds", 5).returncode == 0
    assert content(sweep(fresh, "stack", "--dry-run", "--format", "json"))["seeds"] == [6, 7, 8]


def test_a_dry_run_shows_the_choice_and_its_cost_and_trains_nothing(
    fresh: Path, improved: tuple[Path, Done], sweep: Run
) -> None:
    done = sweep(fresh, "stack", "--dry-run")
    assert done.returncode == 0
    assert trained(done.stdout) == 0
    assert "The stack of tiny (plan " in done.stdout
    assert "Nothing was trained: this was a dry run. Seeds that it would use: 4 to 6.\n" in (
        done.stdout
    )
    assert "tiny-stack: 4 arms × 3 seeds = 12 runs, 0 done already, 12 to train" in done.stdout
    dry = content(sweep(fresh, "stack", "--dry-run", "--format", "json"))
    assert (dry["confirmed"], dry["gap"], dry["best"]) == (None, None, None)
    assert dry["predicted"] == content(improved[1])["predicted"]
    assert [study["name"] for study in studies(fresh)] == ["tiny"]


def studies(folder: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "runs" / "sweep.db")) as db:
        rows = db.execute("SELECT name, plan_hash FROM studies ORDER BY name").fetchall()
    return [{"name": name, "plan_hash": plan} for name, plan in rows]


def test_an_interrupted_stack_continues_with_the_same_plan(
    fresh: Path, sweep: Run, start: Callable[..., ForkedCommand]
) -> None:
    process = start(fresh, "stack", "--slots", "1", merged=True)
    said = ""
    for line in process.stdout:
        said += line
        if "tokens/s" in line:
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "To continue: sweep stack --slots 1\n" in rest
    planned = studies(fresh)
    done = sweep(fresh, "stack")
    assert trained(said + rest) + trained(done.stdout) == 12
    assert studies(fresh) == planned


def test_the_table_fits_80_columns_and_says_what_the_best_stack_is_worth(
    stacked: Path, sweep: Run
) -> None:
    done = sweep(stacked, "stack")
    worth = content(sweep(stacked, "stack", "--format", "json"))["best"]["effect"]
    assert f"Best: fast + small-batches, worth {worth:+.4f}.\n" in done.stdout
    table = [line for line in done.stdout.splitlines() if line.startswith(" ")]
    assert max(len(line) for line in table) <= 80
    assert not any("…" in line for line in table)


@pytest.mark.parametrize("form", ["md", "csv", "latex"])
def test_other_formats_have_a_row_for_every_member_and_one_for_all_together(
    stacked: Path, sweep: Run, form: str
) -> None:
    done = sweep(stacked, "stack", "--format", form, "-o", f"stack.{form}")
    assert f"Written to stack.{form}.\n" in done.stdout
    text = (stacked / f"stack.{form}").read_text()
    if form == "csv":
        names = [row["arm"] for row in csv.DictReader(text.splitlines())]
    else:
        row = r"^\| ([a-z][a-z-]+) \| [-+]\d" if form == "md" else r"^([a-z-]+) & [$+]"
        names = re.findall(row, text, re.MULTILINE)
    assert names == ["fast", "small-batches", "together"]


def test_a_rebuilt_database_has_the_stack(stacked: Path, sweep: Run) -> None:
    before = sweep(stacked, "stack", "--format", "json").stdout
    for path in (stacked / "runs").glob("sweep.db*"):
        path.unlink()
    assert sweep(stacked, "rebuild").returncode == 0
    assert sweep(stacked, "stack", "tiny", "--format", "json").stdout == before


def test_the_report_of_a_stack_names_its_study_and_promise(stacked: Path, sweep: Run) -> None:
    done = sweep(stacked, "report", "tiny-stack")
    assert "The stack of tiny, which promised -0." in done.stdout
    assert "has changed since" not in done.stdout


def test_a_study_with_a_changed_file_must_be_run_first(fresh: Path, sweep: Run) -> None:
    text = (fresh / "s.toml").read_text()
    (fresh / "s.toml").write_text(text.replace("seeds = 3", "seeds = 4"))
    done = sweep(fresh, "stack", "s.toml")
    assert (done.returncode, done.stderr) == (
        2,
        (
            "sweep: s.toml has changed since its verdicts were reached; `sweep run s.toml` reaches "
            "those that a stack can be made of\n"
        ),
    )


def test_a_study_with_untrained_runs_must_be_run_first(fresh: Path, sweep: Run) -> None:
    with closing(sqlite3.connect(fresh / "runs" / "sweep.db")) as db, db:
        db.execute("UPDATE runs SET state = 'queued' WHERE init_seed = 3")
    done = sweep(fresh, "stack")
    assert done.returncode == 2
    assert "sweep: tiny: 6 of its 18 runs are still to be trained, and a stack is chosen by " in (
        done.stderr
    )


def test_without_a_real_improvement_there_is_nothing_to_stack(
    finished: tuple[Path, Done], sweep: Run
) -> None:
    done = sweep(finished[0], "stack")
    assert (done.returncode, trained(done.stdout)) == (0, 0)
    assert done.stdout.endswith(
        "Nothing to stack: no intervention is shown to be better than the baseline.\n"
    )


def test_a_study_cannot_have_the_name_of_a_stack(stacked: Path, sweep: Run) -> None:
    text = (stacked / "s.toml").read_text()
    (stacked / "x.toml").write_text(text.replace('name = "tiny"', 'name = "tiny-stack"'))
    done = sweep(stacked, "run", "x.toml")
    assert (done.returncode, done.stderr) == (
        2,
        (
            "sweep: 'tiny-stack' is the name of a stack that `sweep stack tiny` made; give the "
            f"study in {(stacked / 'x.toml').resolve()} another name\n"
        ),
    )

"""A study of a Python function, from its file to the verdict."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.commands.show import ShowRequest, show
from sweep.errors import NotFoundError, StudyError
from sweep.models.find import model_folder
from sweep.noise.measure import paired_differences
from sweep.noise.runs import trained_runs
from sweep.terminal.console import SafeConsole
from sweep.verdicts.references import require_setup, study_references
from sweep.workload.workload import make_workload
from sweep.workspace import Workspace, read_plan
from tests.sweep.said import content
from tests.sweep.script_study import script_study

Run = Callable[..., subprocess.CompletedProcess[str]]
STUDY = script_study('function = "fit:train"')
FIT = """\
import analysis, model, sweep, trainer

def train(parameters, seed, run_dir, report):
    assert [each.WHO for each in (analysis, model, sweep, trainer)] == ["user"] * 4
    for step in (1, 2):
        report(step, val_loss=10 / step)
    if parameters["lr"] > 2 and seed == 2:
        raise ValueError("the learning rate is too high")
    return {"val_loss": parameters["lr"] + seed}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study whose folder has modules with the names of our packages."""
    (tmp_path / "s.toml").write_text(STUDY)
    (tmp_path / "fit.py").write_text(FIT)
    (tmp_path / "trainer").mkdir()
    for name in ("analysis.py", "model.py", "sweep.py", "trainer/__init__.py"):
        (tmp_path / name).write_text("WHO = 'user'\n")
    return tmp_path


def test_a_function_trains_and_what_it_raises_is_shown_without_its_traceback(
    folder: Path, sweep: Run
) -> None:
    (folder / "s.toml").write_text(STUDY + "[jobs]\nretries = 0\n")
    done = sweep(folder, "run", "s.toml")
    assert done.returncode == 1, done.stderr
    assert "ValueError: the learning rate is too high" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "Traceback" in sweep(folder, "log", "big/2").stdout
    arms = content(sweep(folder, "report", "--format", "json"))["arms"]
    assert [(each["arm"], each["n_done"], each["mean"]) for each in arms] == [
        ("baseline", 2, 2.0),
        ("big", 1, 3.5),
    ]
    commands_speak_of_what_it_has(folder)


def commands_speak_of_what_it_has(folder: Path) -> None:
    """Its runs have metrics and curves, and neither a recipe, a GPT nor a test text."""
    workspace, console = Workspace(folder / "runs"), SafeConsole(file=io.StringIO())
    store = workspace.open_to_read()
    with console.capture() as captured:
        show(workspace, ShowRequest("baseline/1", form="json"), console)
    known = json.loads(captured.get())
    assert known["metrics"]["val_loss"] == 1.5
    assert known["metric_points"] == "2 points in the table metric_points"
    of_script = "run 'baseline/1' is one of a script, whose models `sweep` cannot read; what it"
    with pytest.raises(NotFoundError, match=of_script):
        model_folder(workspace, "baseline/1", "fn")
    with pytest.raises(StudyError, match="'fn' trains a script, and has no test text"):
        require_setup(store, store.study("fn"))
    assert study_references(store, store.study("fn")) == []  # as a report on it asks
    workload = make_workload(read_plan(folder / "s.toml"), folder / "cache")
    reason = paired_differences(trained_runs(store, workload)).reason
    assert "equal seeds do not pair (trainer.pairs = false)" in (reason or "")


def test_another_file_that_the_function_uses_makes_other_runs(folder: Path, sweep: Run) -> None:
    before = content(sweep(folder, "plan", "s.toml", "--format", "json"))
    (folder / "trainer" / "__init__.py").write_text("WHO = 'user'\nVERSION = 2\n")
    after = content(sweep(folder, "plan", "s.toml", "--format", "json"))
    assert before["plan_hash"] != after["plan_hash"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fit:train", "fit:trian", "fit.py has no function 'trian'; did you mean 'train'?"),
        ("fit:train", "fti:train", "there is no module 'fti' in"),
        ("fit:train", "fit", "trainer.function: 'fit' must name a module and a function"),
    ],
)
def test_a_function_that_does_not_exist_is_refused_before_anything_runs(
    folder: Path, sweep: Run, old: str, new: str, said: str
) -> None:
    (folder / "s.toml").write_text(STUDY.replace(old, new))
    done = sweep(folder, "run", "s.toml")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (folder / "runs").exists()


def test_a_plan_says_that_the_runs_of_a_script_are_compared_as_unpaired(
    folder: Path, sweep: Run
) -> None:
    planned = " ".join(
        sweep(folder, "plan", "s.toml", "--sd", "0.1", "--effect", "0.1").stdout.split()
    )
    assert "unpaired; the verdicts compare runs as unpaired (trainer.pairs = false)." in planned
    assert "80% power unpaired" in planned
    assert "80% power paired" not in planned

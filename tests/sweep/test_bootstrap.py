"""Names of a user's modules: ours win in our processes, theirs in every other one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sweep.bootstrap import command
from tests.sources import ROOT
from tests.sweep.collisions import CHECK, write_modules, write_shadows

NOTEBOOK = f"""
import sys, sweep
from sweep.analysis.verdict import Plan, judge
from sweep.errors import NotFoundError, StoreError, UserError
frame = sweep.load("tiny")
plan = Plan(arms=("no-dropout", "clip"), smallest_effect=0.01)
print(len(frame), judge(frame, plan)["clip"].n_done)
for arguments in ({{"study": "gone"}}, {{"db": "gone"}}):
    try:
        sweep.load(**arguments)
    except UserError as error:
        print(type(error).__name__, error)
print({{name.partition(".")[0] for name in sys.modules}} & {{"model", "trainer", "analysis"}})
{CHECK}
"""

Python = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def python(environment: dict[str, str], tmp_path: Path) -> Python:
    """Runs Python with folders on PYTHONPATH, the last of which has `sweep` alone."""
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "sweep").symlink_to(ROOT / "sweep")

    def run(cwd: Path, *words: str, path: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=cwd,
            env={
                **environment,
                "PYTHONPATH": os.pathsep.join(map(str, [*path, tmp_path / "installed"])),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
def test_a_study_is_trained_whatever_modules_a_user_has(
    empty: Path, tmp_path: Path, python: Python
) -> None:
    theirs = write_modules(tmp_path / "theirs")
    write_shadows(theirs)
    shutil.copy(empty / "s.toml", theirs)  # `python -m` puts the working directory on the path, too

    def sweep(*words: str) -> str:
        done = python(theirs, "-m", "sweep", *words, path=[theirs])
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    sweep("run", "s.toml")
    run = next((theirs / "runs").glob("*/result.json")).parent
    assert "has a result already" in sweep("train", str(run))


@pytest.mark.slow
def test_a_module_that_python_imported_at_its_start_is_replaced_in_our_process_alone(
    folder: Path, tmp_path: Path, python: Python
) -> None:
    theirs = write_modules(tmp_path / "theirs")
    (theirs / "sitecustomize.py").write_text("import model, trainer.sub, analysis\n")
    done = python(folder, "-m", "sweep", "report", path=[theirs])
    assert (done.returncode, done.stderr) == (0, "")
    assert python(folder, "-c", CHECK, path=[theirs]).stdout == "user user user\n"


@pytest.mark.slow
def test_a_notebook_keeps_its_own_modules(folder: Path, tmp_path: Path, python: Python) -> None:
    done = python(folder, "-c", NOTEBOOK, path=[write_modules(tmp_path / "theirs")])
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "6 2",
        "NotFoundError runs/sweep.db has no study 'gone' (it has: tiny)",
        "StoreError --db 'gone' is not a database URL; write sqlite:///path/to/sweep.db",
        "set()",
        "user user user",
    ]


def test_a_program_of_ours_runs_our_code_though_another_sweep_is_first_on_the_path(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "sweep.py").write_text("raise RuntimeError('the sweep of the user')\n")
    done = subprocess.run(
        command("sweep.notebook.worker"),
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(tmp_path)},
        input='["load", {"study": null, "runs": "gone", "db": null}]',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith('["StoreError", "')


def test_a_folder_that_packages_are_installed_in_keeps_its_place(
    tmp_path: Path, python: Python
) -> None:
    sources, packages = tmp_path / "sources", tmp_path / "packages"
    (packages / "thing-1.0.dist-info").mkdir(parents=True)
    sources.mkdir()
    code = (
        "from sweep.bootstrap import claim_names; claim_names(); import os, sys\n"
        "library = sys.path.index(os.path.dirname(os.__file__))\n"
        f"print(sys.path.index({str(packages)!r}) < library < sys.path.index({str(sources)!r}))"
    )
    done = python(tmp_path, "-c", code, path=[sources, packages])
    assert (done.stdout, done.stderr) == ("True\n", "")

"""What `sweep doctor` says about the packages that runs import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.bootstrap import FOLDERS
from sweep.commands.doctor import _torch, _trainer
from sweep.commands.imports import Imports
from tests.sources import PACKAGES, ROOT
from tests.sweep.collisions import write_modules

TORCH = {"torch": "2.13.0", "cuda": False}
OURS = {name: str(FOLDERS[name] / name / "__init__.py") for name in ("trainer", "model")}


def install(site: Path) -> Path:
    """Lay the packages out as an installation does; returns the folder of `sweep`."""
    ours = shutil.copytree(ROOT / "sweep", site / "sweep")
    for package in set(PACKAGES) - {"sweep"}:
        shutil.copytree(ROOT / package, ours / package, dirs_exist_ok=True)
    return ours


@pytest.mark.nightly
def test_a_trainer_that_another_one_overwrote_is_a_problem(
    empty: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    ours = install(tmp_path / "site")
    (ours / "trainer" / "training" / "loop.py").write_text("from trainer.gone import Trainer\n")
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "doctor"],
        cwd=empty,
        env={**environment, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (1, "")
    assert "✗ trainer runs cannot import it: ModuleNotFoundError: No module named" in said
    assert said.endswith("Problems to fix first: 1.")


def test_a_torch_that_does_not_import_is_named_as_such() -> None:
    finding = _torch(Imports((), "ImportError: libgomp.so.1: cannot open shared object file"))
    assert (finding.grade, finding.words) == (
        "bad",
        "cannot be imported: ImportError: libgomp.so.1: cannot open shared object file; install it again",
    )


def test_a_package_from_elsewhere_is_a_problem() -> None:
    finding = _trainer(Imports((TORCH, {**OURS, "model": "/theirs/model.py"}), ""))
    assert finding.grade == "bad"
    assert finding.words == (
        f"runs import `model` from /theirs/model.py; it should come from {FOLDERS['model']}"
    )


def test_other_packages_of_these_names_are_told_and_are_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = write_modules(tmp_path / "theirs")
    monkeypatch.syspath_prepend(str(theirs))
    finding = _trainer(Imports((TORCH, OURS), ""))
    assert finding.grade == "good"
    assert f"; not used: `model` at {theirs / 'model.py'}" in finding.words
    assert finding.words.endswith(f"and `analysis` at {theirs / 'analysis' / '__init__.py'}")

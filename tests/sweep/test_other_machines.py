"""A machine without what only Linux has: the real command trains a study there, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.store.store import Store
from sweep.store.url import store_url
from tests.conftest import ROOT
from tests.patience import PATIENCE
from tests.sweep.conftest import Run
from tests.without_linux import WITHOUT_LINUX

pytestmark = pytest.mark.slow

SITE = (
    WITHOUT_LINUX
    + """
import importlib.util, sys

class Darwin:
    "Lets our modules that ask for the platform see another one; torch has to see the real one."

    def find_spec(self, name, path=None, target=None):
        if name not in ("trainer.processes.start_method", "trainer.processes.ranks",
                        "trainer.rundir.lock_holder"):
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            if hasattr(module, "sys"):
                module.sys = type("sys", (), {**vars(sys), "platform": "darwin"})
            if hasattr(module, "SPAWNS"):
                module.SPAWNS = True
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Darwin())
"""
)
"""Python runs `sitecustomize` at the start of every process: command, server and runs."""


def losses(folder: Path) -> list[float | None]:
    """The test losses of the study in a folder, in the order of its arms and seeds."""
    with Store(store_url(None, folder / "runs"), read_only=True) as store:
        return [each.test_loss for each in store.study_losses("tiny")]


@pytest.mark.nightly
def test_a_study_ends_with_the_same_losses_without_what_only_linux_has(
    empty: Path, folder: Path, tmp_path: Path, environment: dict[str, str], sweep: Run
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    there = {**environment, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "run", "s.toml"],
        cwd=empty,
        env=there,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "effect = arm − baseline" in done.stdout
    assert losses(empty) == losses(folder)
    assert sweep(empty, "run", "s.toml").returncode == 0

"""A plan says when nothing seems to take the seed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweep.script_study import script_study

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(("text", "is_said"), [("", True), ("os.environ['SWEEP_SEED']", False)])
def test_a_plan_says_that_all_seeds_train_the_same_run_unless_the_code_reads_the_seed(
    tmp_path: Path, sweep: Run, text: str, is_said: bool
) -> None:
    study = script_study('command = ["python", "train.py", "{lr}"]')
    (tmp_path / "s.toml").write_text(study)
    (tmp_path / "train.py").write_text(text)
    planned = sweep(tmp_path, "plan", "s.toml")
    assert planned.returncode == 0, planned.stderr
    assert ("Nothing in the command uses {seed}" in planned.stdout) is is_said

"""A plan says when nothing seems to take the seed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
STUDY = """\
name = "s"
[trainer]
command = ["python", "train.py", "{lr}"]
[parameters]
lr = 0.1
[metrics.val_loss]
[interventions.x]
because = "Why not."
set = { lr = 0.2 }
[design]
seeds = 2
[analysis]
smallest_effect = 0.1
"""


@pytest.mark.parametrize(("text", "is_said"), [("", True), ("os.environ['SWEEP_SEED']", False)])
def test_a_plan_says_that_all_seeds_train_the_same_run_unless_the_code_reads_the_seed(
    tmp_path: Path, sweep: Run, text: str, is_said: bool
) -> None:
    (tmp_path / "s.toml").write_text(STUDY)
    (tmp_path / "train.py").write_text(text)
    planned = sweep(tmp_path, "plan", "s.toml")
    assert planned.returncode == 0, planned.stderr
    assert ("Nothing in the command uses {seed}" in planned.stdout) is is_said

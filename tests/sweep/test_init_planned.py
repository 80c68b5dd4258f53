"""What `sweep init --command` says and writes: a study that can be planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.conftest import Run
from tests.sweep.test_init_command import SCRIPT


def test_the_command_says_what_it_guessed_and_overwrites_no_file(
    tmp_path: Path, sweep: Run
) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    words = ("init", "--command", "python train.py --lr=0.2 --seed=1 --out_dir=o --device=cpu")
    done = sweep(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "train.toml written for train.py.",
        "parameters  lr = 0.2",
        "seed        --seed",
        "metric      val_loss, lower is better; from train.py, line 12",
        "output      --out_dir: the folder of each run",
        "as typed    --device=cpu",
        "Next: write your interventions, then sweep plan train.toml",
    ):
        assert said in done.stdout
    written = (tmp_path / "train.toml").read_bytes()
    again = sweep(tmp_path, *words)
    assert again.returncode == 2
    assert again.stderr == (
        "sweep: train.toml exists already and was not changed; name another file\n"
    )
    assert (tmp_path / "train.toml").read_bytes() == written


@pytest.mark.parametrize(
    "command",
    [
        "python train.py --lr=0.2",
        "OMP_NUM_THREADS=1 python -m train --lr 0.2 --ema --act=gelu --out_dir=o",
        "python train.py optim.lr=0.2 net.lr=1 init=3 '--note={x} \\\\d'",
        "python train.py --init-seed=1 --data-seed=2 --betas 0.9 0.95",
        "python",
        "python -c 'print(1)' --lr=1",
    ],
)
def test_the_study_that_is_written_can_be_planned(tmp_path: Path, sweep: Run, command: str) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    done = sweep(tmp_path, "init", "s.toml", "--command", command)
    if command == "python":
        assert done.returncode == 2
        return
    assert (done.returncode, done.stderr) == (0, "")
    planned = sweep(tmp_path, "plan", "s.toml")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "2 arms × 3 seeds = 6 runs" in planned.stdout


def test_without_a_command_the_file_to_write_must_be_named(tmp_path: Path, sweep: Run) -> None:
    done = sweep(tmp_path, "init")
    assert done.returncode == 2
    assert done.stderr == "sweep: name the file to write: sweep init my-study.toml\n"

"""The settings of Slurm: checked when they are read, and what they become."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sweep.executors.slurm.batch import BatchFolder, new_name, script, write_batch
from sweep.executors.slurm.node import _seconds
from sweep.study.slurm_section import Slurm
from trainer.processes.worker import Order


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("partition", "gpu\n#SBATCH --uid=0", "is one word"),
        ("account", "a b", "is one word"),
        ("time", "", "is one word"),
        ("setup", ["module load a\nrm -r x"], "is one line"),
        ("options", ["--exclusive\n--uid=0"], "is one line"),
        ("options", ["exclusive"], "is no option of sbatch"),
        ("options", ["--array=0-9"], "sweep sets --array itself"),
        ("options", ["--mem=8G"], "set jobs.slurm.memory instead"),
        ("cpus", 0, "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Slurm.model_validate({field: value})


def test_settings_become_options_of_the_script(tmp_path: Path) -> None:
    slurm = Slurm(
        partition="gpu,long",
        qos="low",
        time="1-12",
        memory="8G",
        cpus=4,
        constraint="a100",
        running=3,
        options=["--exclusive"],
        setup=["module load cuda"],
    )
    folder = BatchFolder(tmp_path / "a %b", "sweep-x-1")
    run = tmp_path / "run"
    run.mkdir()
    write_batch(folder, [Order(directory=run, attempt=2)] * 5, slurm, "gpu:2")
    first, *lines = folder.script.read_text().splitlines()
    assert first == "#!/bin/bash"
    options = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    assert {
        *("--array=0-4%3", "--job-name=sweep-x-1", "--partition=gpu,long", "--qos=low"),
        *("--time=1-12", "--mem=8G", "--cpus-per-task=4", "--gres=gpu:2", "--constraint=a100"),
        *("--requeue", "--signal=B:TERM@120", "--exclusive"),
        f'--output="{tmp_path}/a %%b/slurm/sweep-x-1/%a.out"',
    } <= set(options)
    assert lines[-2] == "module load cuda"
    assert lines[-1].startswith("exec ")
    assert f"'{folder.manifest}'" in lines[-1], "the path has a space"


def test_the_name_of_an_array_is_a_file_name_whatever_the_study_is_called() -> None:
    name = new_name("größer | als\n" + "x" * 300)
    assert name.startswith("sweep-gr-er-als-xxx")
    assert len(name) < 100


def test_the_python_of_the_nodes_can_be_another_one() -> None:
    assert "exec python3.11 -P" in script([], Slurm(python="python3.11"), [])


@pytest.mark.parametrize(
    ("left", "seconds"),
    [("2:03", 123), ("1:00:00", 3600), ("1-02:00:00", 93_600), ("UNLIMITED", float("inf"))],
)
def test_the_time_that_is_left_is_read(left: str, seconds: float) -> None:
    assert _seconds(left) == seconds

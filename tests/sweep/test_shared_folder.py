"""Two users of one group share a folder of runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.other_users import GROUP, as_user
from tests.sources import ROOT
from tests.sweep.many_commands import run_many

ALICE, BOB = 2001, 2002

MAKE = """
import sys
from pathlib import Path

import numpy as np
import torch

from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.workspace import read_plan
from tests.sweep.stores import fill, usual
from trainer.corpora.corpus import Corpus, CorpusInfo, save_corpus
from trainer.rundir.directory import Result
from trainer.training.sealed import write_sealed
from trainer.weights.weights import save_weights

here = Path(sys.argv[1])
times = {"started": 0.0, "first_step": 0.0, "finished": 1.0, "steps": 2, "tokens_per_second": 1.0}
def result(**changes):
    fields = {"state": "done", "bits_per_byte": 3.0, "chunk_losses": [2.0], "last_loss": 2.0}
    return Result.model_validate({**fields, **times, **usual("a", 1), **changes})

with Store(store_url(None, here / "runs"), create=True) as store:
    fill(store, read_plan(here / "s.toml"), result, [], here / "s.toml")
    for _, run_id in store.run_ids("tiny"):
        run = store.ledger.run(run_id)
        run.path.mkdir(exist_ok=True)
        run.checkpoints.mkdir()
        write_sealed(run.checkpoints / "step-0000000001", {"x": torch.zeros(1)}, {})
        save_weights(run.weights, {"x": torch.zeros(1)})
        run.lock.announce(1)
zeros = np.zeros(10, np.uint16)
info = CorpusInfo("text", "bytes", "c" * 64, 1, 10, 10)
save_corpus(Corpus(info, zeros, zeros, np.ones(257, np.int64)), here / "runs" / "cache")
"""
"""Makes a study with a run in every state, and the files of the trainer."""
TAKE_OVER = """
import sys
from pathlib import Path
from trainer.rundir.directory import RunDirectory
for path in Path(sys.argv[1]).glob("runs/*/lock"):
    run = RunDirectory(path.parent)
    run.lock.announce(2)
    with run.lock.hold(2, lambda: False), run.open_events(0):
        run.note_attempt({"number": 2})
"""
CONTROL = [
    ["report", "tiny"],
    ["retry", "clip/1"],
    ["pause", "tiny"],
    ["resume", "tiny"],
    ["cancel", "clip/1"],
    ["gc", "--weights"],
]


@pytest.fixture
def shared(tmp_path: Path, study_text: str) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "s.toml").write_text(study_text)
    if os.geteuid() == 0:
        os.chown(folder, 0, GROUP)
    folder.chmod(0o2775)
    return folder


def python(user: int, script: str, folder: Path) -> None:
    command = [*as_user(user, umask=0o002), sys.executable, "-c", script, str(folder)]
    subprocess.run(command, check=True, cwd=ROOT)


@pytest.mark.nightly
def test_each_user_of_a_group_controls_the_runs_of_the_other(
    shared: Path, environment: dict[str, str]
) -> None:
    python(ALICE, MAKE, shared)
    for path in [shared / "runs", *shared.glob("runs/**/*")]:
        found, wanted = path.stat(), 0o2775 if path.is_dir() else 0o664
        assert (oct(found.st_mode & 0o7777), found.st_gid) == (oct(wanted), GROUP), path
    assert list(shared.glob("runs/*/checkpoints/*"))
    python(BOB, TAKE_OVER, shared)
    for user in (BOB, ALICE):
        done = run_many(shared, CONTROL, as_user(user, umask=0o002), environment)
        assert done.stderr == ""
        told = [line.split()[1:] for line in done.stdout.splitlines() if "STATUS" in line]
        assert told == [[words[0], "0"] for words in CONTROL]
    left = len(list(shared.glob("runs/*/checkpoints")))
    assert left == 1  # of the run that is queued
    assert sorted(path.name for path in (shared / "runs").glob("sweep.db*")) == ["sweep.db"]

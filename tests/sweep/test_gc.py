"""`sweep gc` frees files that are not needed, reports their size, and touches nothing else."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, select, update

from sweep.executors.slurm.batch import JobNote
from sweep.machine.disk import size_of
from sweep.queue.control import cancel
from sweep.store.schema import (
    arms,
    attempts,
    chunk_losses,
    curves,
    members,
    metric_points,
    metrics,
    runs,
    studies,
)
from sweep.store.store import Store
from tests.disks import fill_disk, small_disk
from tests.sweep.conftest import CORPUS_HASH
from tests.sweep.stores import everything, lose
from trainer.corpora.corpus import Corpus, CorpusInfo, save_corpus
from trainer.rundir.attempt_end import AttemptEnd, write_end
from trainer.rundir.directory import RunDirectory

Run = Callable[..., subprocess.CompletedProcess[str]]


def put(path: Path, size: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def old(path: Path) -> Path:
    """Set the time of the last write to a day ago."""
    os.utime(path, (0, path.stat().st_mtime - 86_400))
    return path


def files(*paths: Path) -> set[Path]:
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return {path for path in found if path.is_file()}


def gc(sweep: Run, folder: Path, *words: str) -> dict[str, Any]:
    done = sweep(folder, "gc", "--format", "json", *words)
    assert (done.stderr, done.returncode) == ("", 0)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def freed(content: dict[str, Any], kind: str) -> list[str]:
    return [Path(item["path"]).name for item in content["freed"] if item["kind"] == kind]


@pytest.fixture(scope="session")
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def folders(filled: Store) -> dict[str, RunDirectory]:
    """A run in each state, with every file that such a run may have."""
    failed = next(each.run.id for each in filled.study_runs("tiny") if each.run.state == "failed")
    spare = next(each.run.id for each in filled.study_runs("tiny") if each.run.state == "done")
    cancel(filled, [failed])
    assert filled.ledger
    found = {each.run.state: filled.ledger.run(each.run.id) for each in filled.study_runs("tiny")}
    found["failed"] = filled.ledger.run(spare)
    with filled.begin() as connection:
        connection.execute(update(runs).where(runs.c.id == spare).values(state="failed"))
    for state, run in found.items():
        for name in ("recipe.json", "events.jsonl", "log.txt", "lock", "attempts.jsonl"):
            put(run.path / name, 10)
        put(run.checkpoints / "step-0000000001" / "tensors.safetensors")
        if state in {"done", "diverged"}:
            put(run.result, 10)
            put(run.weights)
    return found


@pytest.fixture
def garbage(folders: dict[str, RunDirectory], dead: int, tmp_path: Path) -> list[Path]:
    """Files that are not needed, among similar ones that are."""
    here, queued = tmp_path / "runs", folders["queued"]
    put(queued.path / f".recipe.json.{os.getpid()}.tmp")  # a living process writes it
    put(here / ".copy.tmp")
    put(here / "mine" / "notes.txt")
    (here / ("f" * 16)).symlink_to(put(tmp_path / "elsewhere" / "notes.txt").parent)
    (here / "noises").symlink_to(put(tmp_path / "elsewhere" / f".x.json.{dead}.tmp").parent)
    found = [
        *(folders[state].checkpoints for state in ("done", "diverged", "cancelled")),
        put(queued.checkpoints / ".writing-step-0000000002" / "tensors.safetensors").parent,
        put(queued.path / f".weights.safetensors.{dead}.tmp"),
        put(here / f".sweep.db.{dead}.tmp-wal"),
        put(here / "studies" / f".tiny.json.{dead}.tmp"),
        old(put(here / ".old.tmp")),
        old(put(queued.path / ".tmpdAttf2")),  # a temporary name of safetensors
        put(here / "sweep.db.v1-backup"),
        put(here / "sweep.db.damaged-20250101-000000"),
        put(here / "sweep.db.damaged-20250101-000000-wal"),
    ]
    for state in ("done", "failed"):
        batch = put(here / "slurm" / f"sweep-{state}" / "0.out").parent
        note = JobNote(attempt=1, batch=batch.name, index=0)
        (folders[state].path / "job.json").write_text(note.model_dump_json())
        write_end(folders[state], AttemptEnd(attempt=1, status=0, host="n1", finished=1.0))
        old(batch)
    old(put(here / "slurm" / "sweep-probe" / "facts.json").parent)
    put(here / "slurm" / "sweep-new" / "batch.json")
    put(here / "sweep.db.v2-backup")
    return [*found, here / "slurm" / "sweep-done"]


@pytest.mark.slow
def test_files_that_are_not_needed_are_freed_and_all_others_stay(
    garbage: list[Path], sweep: Run, tmp_path: Path
) -> None:
    before, unneeded, size = files(tmp_path), files(*garbage), size_of(tmp_path / "runs")
    listed = gc(sweep, tmp_path, "--dry-run")
    said = sweep(tmp_path, "gc", "--dry-run").stdout.splitlines()
    assert said[0] == f"Would free {len(garbage)}.0 kB:"
    assert {line.strip().partition(",")[0] for line in said if line.startswith("    ")} == {
        str(path.relative_to(tmp_path)) for path in garbage
    }
    assert files(tmp_path) == before
    assert gc(sweep, tmp_path) == {**listed, "dry_run": False}
    assert before - files(tmp_path) == unneeded
    assert listed["bytes"] == size - size_of(tmp_path / "runs") == len(garbage) * 1000
    assert sweep(tmp_path, "gc").stdout.splitlines() == [
        "There is nothing to free.",
        "Kept: weights of finished runs (2), 2.0 kB; --weights frees them.",
    ]


def test_weights_are_freed_on_request_unless_another_run_starts_from_them(
    folders: dict[str, RunDirectory], filled: Store, sweep: Run, tmp_path: Path
) -> None:
    queued = runs.c.state == "queued"
    with filled.write() as connection:
        recipe = dict(connection.execute(select(runs.c.recipe).where(queued)).scalars().one())
        recipe["train"]["initial_weights"] = f"../runs/{folders['done'].path.name}"
        connection.execute(update(runs).where(queued).values(recipe=recipe))
    assert freed(gc(sweep, tmp_path), "weights") == []
    assert freed(gc(sweep, tmp_path, "--weights"), "weights") == ["weights.safetensors"]
    assert folders["done"].weights.exists()
    assert not folders["diverged"].weights.exists()


def test_weights_of_a_study_are_freed_unless_another_study_has_the_run_too(
    folders: dict[str, RunDirectory], filled: Store, sweep: Run, tmp_path: Path
) -> None:
    shared = next(r.run.id for r in filled.study_runs("tiny") if r.run.state == "diverged")
    other = {"name": "other", "path": "o.toml", "plan_hash": "o", "last_run": 0.0}
    arm = {"id": 99, "study": "other", "name": "baseline", "position": 0}
    with filled.write() as connection:
        connection.execute(insert(studies).values(other))
        connection.execute(insert(arms).values(**arm, interventions=[], changes={}))
        connection.execute(insert(members).values(arm_id=99, seed=1, run_id=shared))
    assert freed(gc(sweep, tmp_path, "--weights-of", "tiny"), "weights") == ["weights.safetensors"]
    assert not folders["done"].weights.exists()
    assert folders["diverged"].weights.exists()
    refused = sweep(tmp_path, "gc", "--weights-of", "tyny")
    assert refused.returncode == 2
    assert "has no study 'tyny'; did you mean 'tiny'?" in refused.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("folders")
def test_unread_token_files_are_freed_on_request_unless_they_are_being_made(
    sweep: Run, tmp_path: Path
) -> None:
    cache = tmp_path / "runs" / "cache"
    tokens, lengths = np.zeros(10, np.uint16), np.ones(257, np.int64)
    for hashed in ("c", CORPUS_HASH):
        info = CorpusInfo("text", "bytes", hashed, 1, 10, 10)
        save_corpus(Corpus(info, tokens, tokens, lengths), cache)
    made, given_up = (put(cache / f".preparing-{name}" / "train.bin").parent for name in "ab")
    copied, left = (put(cache / f".preparing-{name}" / "train.bin").parent for name in "cd")
    os.utime(left, (0, 0))
    for folder in (made, given_up):
        put(folder / "lock", 0)
    with (made / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert freed(gc(sweep, tmp_path), "leftovers") == [left.name]
        found = gc(sweep, tmp_path, "--corpora")
    unread = f"text-bytes-{CORPUS_HASH[:16]}"
    assert freed(found, "corpora") == [given_up.name, unread]
    assert [item["path"] for item in found["in_use"]] == [f"runs/cache/{made.name}"]
    assert {path.name for path in cache.iterdir()} == {made.name, copied.name, "text-bytes-c"}


def test_runs_that_the_database_does_not_know_are_freed_on_request(
    folders: dict[str, RunDirectory], filled: Store, sweep: Run, tmp_path: Path
) -> None:
    name = folders["done"].path.name
    with filled.write() as connection:
        for table in (members, curves, chunk_losses, attempts, metrics, metric_points):
            connection.execute(delete(table).where(table.c.run_id.startswith(name)))
        connection.execute(delete(runs).where(runs.c.id.startswith(name)))
    kept = gc(sweep, tmp_path)["kept"]
    assert [item["path"] for item in kept if item["kind"] == "unknown"] == [f"runs/{name}"]
    assert freed(gc(sweep, tmp_path, "--unknown"), "unknown") == [name]
    assert not folders["done"].path.exists()


def test_a_run_that_a_process_trains_is_kept_whatever_the_database_says(
    folders: dict[str, RunDirectory], sweep: Run, tmp_path: Path
) -> None:
    run = folders["cancelled"]
    with run.lock.hold(None, lambda: False):
        assert (
            f"runs/{run.path.name}/checkpoints is in use by a process and was kept."
            in sweep(tmp_path, "gc").stdout.splitlines()
        )
        assert run.checkpoints.exists()
    assert freed(gc(sweep, tmp_path), "checkpoints") == ["checkpoints"]


def test_nothing_is_freed_without_an_intact_database(
    garbage: list[Path], sweep: Run, tmp_path: Path
) -> None:
    lose(tmp_path / "runs")
    before = files(tmp_path)
    missing = sweep(tmp_path, "gc", "--weights", "--unknown")
    assert missing.returncode == 2
    assert "does not exist; `sweep rebuild` creates it from the run directories" in missing.stderr
    put(tmp_path / "runs" / "sweep.db")
    damaged = sweep(tmp_path, "gc", "--weights", "--unknown")
    assert (damaged.returncode, "`sweep rebuild` creates it again" in damaged.stderr) == (2, True)
    assert files(tmp_path) == before | {tmp_path / "runs" / "sweep.db"}
    assert files(*garbage) <= before


@pytest.mark.slow
def test_the_database_is_rebuilt_in_full_after_everything_possible_was_freed(
    finished: tuple[Path, object], sweep: Run, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    shutil.copytree(finished[0], here)
    before, report = everything(here / "runs"), sweep(here, "report", "--format", "json").stdout
    found = gc(sweep, here, "--weights", "--corpora", "--unknown")
    assert {item["kind"] for item in found["freed"]} == {"weights"}
    lose(here / "runs")
    assert sweep(here, "rebuild").returncode == 0
    assert everything(here / "runs") == before
    assert sweep(here, "report", "--format", "json").stdout == report


@pytest.mark.slow
def test_it_works_on_a_full_disk_where_other_commands_recommend_it(
    garbage: list[Path], filled: Store, sweep: Run, tmp_path: Path
) -> None:
    filled.close()  # which leaves nothing beside it
    with small_disk(tmp_path / "disk", 2**21) as disk:
        shutil.copytree(tmp_path / "runs", disk / "runs", symlinks=True)
        fill_disk(disk, leave=0)
        assert sweep(disk, "status").returncode == 0
        told = sweep(disk, "cancel", "--study", "tiny")
        assert told.returncode == 2
        assert told.stderr == (
            "sweep: runs/sweep.db: the disk is full; free some space on that disk (`sweep gc`) and "
            "run the command again\n"
        )
        assert gc(sweep, disk)["bytes"] == len(garbage) * 1000
        assert sweep(disk, "cancel", "--study", "tiny").returncode == 0

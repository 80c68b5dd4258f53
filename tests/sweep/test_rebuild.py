"""A lost or damaged database is rebuilt in full from the run directories."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Column, Index, Table

from sweep.design.plan import Plan
from sweep.errors import StoreError
from sweep.store.ledger import study_file
from sweep.store.schema import ADDED
from sweep.store.store import Store
from sweep.store.url import store_url
from tests.sweep import postgres
from tests.sweep.every_state import fill_every_state
from tests.sweep.stores import everything, lose
from trainer.rundir.directory import Event, Result

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(
    store: Store,
    plan: Plan,
    make_result: Callable[..., Result],
    events: list[Event],
    tmp_path: Path,
) -> Path:
    """Runs in every state: done (one at the second attempt, one a rerun), diverged, failed, queued."""
    fill_every_state(store, plan, make_result, events, tmp_path)
    store.close()
    return tmp_path / "runs"


def test_every_row_of_a_lost_database_is_rebuilt(folder: Path, sweep: Run, tmp_path: Path) -> None:
    before = everything(folder)
    assert {row["state"] for row in before["runs"]} == {"done", "diverged", "failed", "queued"}
    lose(folder)
    said = sweep(tmp_path, "rebuild")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (
        "Rebuilt runs/sweep.db from runs: 1 study and 7 runs (4 done, 1 diverged, 1 failed and "
        "1 queued).\n"
    )
    assert everything(folder) == before
    left = [path for path in folder.iterdir() if path.name.startswith((".", "sweep.db"))]
    assert left == [folder / "sweep.db"]


@pytest.mark.slow
def test_reports_on_a_rebuilt_database_are_the_same_to_the_last_byte(
    finished: tuple[Path, object], sweep: Run, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    shutil.copytree(finished[0], here)
    for path in (here / "runs" / "studies").iterdir():  # the study's path at the time of the run
        path.write_text(path.read_text().replace(str(finished[0]), str(here)))
    with closing(sqlite3.connect(here / "runs" / "sweep.db")) as connection, connection:
        connection.execute("UPDATE studies SET path = ?", [str(here / "s.toml")])
    words = [("report",), ("report", "--format", "json"), ("log", "clip/2")]
    before = [sweep(here, *each).stdout for each in words]
    lose(here / "runs")
    assert sweep(here, "rebuild").returncode == 0
    assert [sweep(here, *each).stdout for each in words] == before


def test_the_message_on_a_missing_database_names_sweep_rebuild(folder: Path) -> None:
    lose(folder)
    with pytest.raises(StoreError) as error:
        Store(store_url(None, folder))
    assert str(error.value) == (
        f"{folder}/sweep.db does not exist; `sweep rebuild` creates it from the run directories "
        "beside it"
    )


def test_a_damaged_database_is_kept_beside_the_new_one(
    folder: Path, sweep: Run, tmp_path: Path
) -> None:
    before = everything(folder)
    file = folder / "sweep.db"
    content = file.read_bytes()
    damaged = content[:8192] + b"\x5a" * (len(content) - 8192)
    file.write_bytes(damaged)
    said = sweep(tmp_path, "rebuild")
    assert said.returncode == 0
    (kept,) = folder.glob("sweep.db.damaged-*")
    assert said.stdout.startswith(f"The damaged database is runs/{kept.name} now.\n")
    assert kept.read_bytes() == damaged
    assert everything(folder) == before


def test_an_intact_database_is_not_rebuilt(folder: Path, sweep: Run, tmp_path: Path) -> None:
    before = (folder / "sweep.db").read_bytes()
    said = sweep(tmp_path, "rebuild")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "sweep: runs/sweep.db is intact: there is nothing to rebuild; to rebuild it all the same, "
        "move it elsewhere first\n"
    )
    assert (folder / "sweep.db").read_bytes() == before


def test_an_empty_database_is_replaced(folder: Path, sweep: Run, tmp_path: Path) -> None:
    before = everything(folder)
    lose(folder)
    Store(store_url(None, folder), create=True).close()
    assert sweep(tmp_path, "rebuild").returncode == 0
    assert everything(folder) == before


def test_a_run_whose_folder_is_gone_is_queued(folder: Path, sweep: Run, tmp_path: Path) -> None:
    done = [path for path in folder.glob("*/result.json") if '"done"' in path.read_text()]
    shutil.rmtree(next(path.parent for path in done if not path.parent.name.endswith("-again")))
    lose(folder)
    said = sweep(tmp_path, "rebuild")
    assert said.stdout.endswith("7 runs (3 done, 2 queued, 1 diverged and 1 failed).\n")


def test_without_run_directories_there_is_nothing_to_rebuild_from(
    sweep: Run, tmp_path: Path
) -> None:
    said = sweep(tmp_path, "rebuild")
    assert said.returncode == 2
    assert said.stderr == (
        "sweep: runs holds no run directories, so there is nothing to rebuild from; name the folder "
        "of runs with --runs DIR\n"
    )
    assert not (tmp_path / "runs").exists()


def test_unusable_files_are_named_and_the_rest_is_rebuilt(
    folder: Path, sweep: Run, tmp_path: Path
) -> None:
    results = sorted(folder.glob("*/result.json"))
    results[0].write_text("{")
    shutil.copytree(results[1].parent, folder / "a-copy")
    shutil.rmtree(results[2].parent)
    (folder / "broken").mkdir()
    (folder / "broken" / "recipe.json").write_text("[]")
    (folder / "studies" / "x.json").write_text('{"studies": 1}')
    study = folder / "studies" / study_file("tiny")
    study.write_text(study.read_text().replace('"runs":', '"none":'))
    lose(folder)
    said = sweep(tmp_path, "rebuild")
    assert said.returncode == 0
    lines = said.stdout.splitlines()[1:]
    assert {line.split(" ")[0] for line in lines} == {
        f"runs/{results[0].relative_to(folder)}",
        "runs/a-copy",
        "runs/broken/recipe.json:",
        "runs/studies/x.json",
        "tiny:",
    }
    assert lines[-1] == "tiny: 2 of its runs have no folder any more; `sweep run` trains them"
    assert len(everything(folder)["runs"]) == 5


WRITER = """
import sys
from pathlib import Path
from sweep.queue.queue import Queue
from sweep.workload.job import Job
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.trainers.builtin import GptRun
from trainer.recipe import Recipe

queue = Queue(Store(store_url(None, Path("runs"))), "writer:1:1")
print("ready", flush=True)
for seed in range(1000, 100_000):
    recipe = Recipe.model_validate({"seeds": {"init": seed, "order": seed, "dropout": seed}})
    name = recipe.fingerprint("c")
    queue.enqueue([Job(run_id=name, family="f", corpus_hash="c", spec=GptRun(recipe))])
"""
"""Queues runs, one transaction each, until it is killed."""


@pytest.mark.slow
def test_a_backup_taken_while_runs_are_recorded_is_intact(
    folder: Path, sweep: Run, tmp_path: Path
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        said = sweep(tmp_path, "backup", "copy.db")
        assert (said.returncode, said.stderr) == (0, "")
        assert said.stdout.startswith("Written to copy.db (")
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "elsewhere" / "sweep.db")
    ids = [
        {row["id"] for row in everything(each)["runs"]} for each in (tmp_path / "elsewhere", folder)
    ]
    assert ids[0] <= ids[1]
    assert len(ids[0]) >= 7


def test_a_backup_overwrites_nothing(folder: Path, sweep: Run, tmp_path: Path) -> None:
    assert folder.exists()
    (tmp_path / "copy.db").write_text("mine")
    said = sweep(tmp_path, "backup", "copy.db")
    assert (said.returncode, said.stderr) == (
        2,
        "sweep: copy.db exists already; name a file that does not\n",
    )
    assert (tmp_path / "copy.db").read_text() == "mine"
    said = sweep(tmp_path, "backup", "nowhere/copy.db")
    assert said.returncode == 2
    assert said.stderr.startswith("sweep: runs/sweep.db cannot be copied to nowhere/copy.db (")


def without(item: Table | Column[Any] | Index) -> str:
    """Return the statement that removes a table, column or index."""
    if isinstance(item, Column):
        return f"ALTER TABLE {item.table.name} DROP COLUMN {item.name}"
    return f"DROP {'INDEX' if isinstance(item, Index) else 'TABLE'} {item.name}"


def test_upgrading_an_older_database_writes_the_files_of_its_studies(
    folder: Path,
) -> None:
    written = folder / "studies" / study_file("tiny")
    before = json.loads(written.read_bytes())
    written.unlink()
    with closing(sqlite3.connect(folder / "sweep.db")) as connection, connection:
        for item in (*ADDED[3], *ADDED[4], *ADDED[5]):
            connection.execute(without(item))
        connection.execute("ALTER TABLE runs ADD COLUMN lease_until FLOAT")
        connection.execute("UPDATE schema_version SET version = 2")
    Store(store_url(None, folder)).close()
    after = json.loads(written.read_bytes())
    assert {name: after[name] for name in ("studies", "plans", "arms", "members")} == {
        name: before[name] for name in ("studies", "plans", "arms", "members")
    }


@pytest.mark.slow
def test_a_servers_database_is_rebuilt_if_empty_and_backed_up_by_its_own_tools(
    folder: Path, postgres_server: URL, sweep: Run, tmp_path: Path
) -> None:
    assert folder.exists()
    with postgres.database(postgres_server, "rebuilt") as url:
        said = sweep(tmp_path, "rebuild", "--db", url)
        assert said.stderr == ""
        assert said.stdout.endswith("(4 done, 1 diverged, 1 failed and 1 queued).\n")
        again = sweep(tmp_path, "rebuild", "--db", url)
        assert again.returncode == 2
        assert again.stderr == (
            f"sweep: {url} holds runs already; name an empty database with --db\n"
        )
        backup = sweep(tmp_path, "backup", "copy.db", "--db", url)
        assert backup.returncode == 2
        assert backup.stderr == (
            f"sweep: {url} is not a file: `pg_dump` writes a backup of it, and `psql` reads it back\n"
        )

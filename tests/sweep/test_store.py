"""The store: plain SQLite, refused when it is not ours, and found again by people's names."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import sweep
from sweep.design import Plan, make_plan
from sweep.errors import NotFoundError, StoreError
from sweep.queue import Job, Queue
from sweep.schema import SCHEMA_VERSION
from sweep.store import Store, store_url
from sweep.study import parse_study
from trainer.rundir import Event, Result

FAMILY = "f" * 64


@pytest.fixture
def filled(
    store: Store,
    plan: Plan,
    make_result: Callable[..., Result],
    events: list[Event],
    tmp_path: Path,
) -> Store:
    """A store with the plan's six runs: one diverged, one failed, one queued, the others done."""
    save(store, plan, tmp_path / "s.toml")
    queue = Queue(store, "me:1:1")
    runs = list(store.study_runs("tiny"))
    for number, run in enumerate(runs[:5]):
        assert queue.claim(run["id"])
        if number == 3:
            diverged = {"test_loss": None, "chunk_losses": [], "cause": "loss is nan"}
            result = make_result(state="diverged", diverged_at=2, **diverged)
            queue.record(run["id"], result, events, 1)
        elif number == 4:
            queue.fail(run["id"], "disk full", None, retry=False)
        else:
            queue.record(run["id"], make_result(test_loss=2.0 + number), events, 1)
    return store


def save(store: Store, plan: Plan, path: Path) -> None:
    """What `sweep run` writes before it trains."""
    jobs = {
        (arm.name, seed): Job(recipe.fingerprint("c"), recipe, "c", FAMILY)
        for arm in plan.arms
        for seed, recipe in arm.recipes.items()
    }
    Queue(store, "me:1:1").enqueue(jobs.values())
    store.save_plan(plan, path, {key: job.run_id for key, job in jobs.items()})


@pytest.fixture
def plain(filled: Store) -> Iterator[sqlite3.Connection]:
    """The same database through Python's own sqlite3."""
    assert filled.url.database
    with closing(sqlite3.connect(filled.url.database)) as connection:
        yield connection


def test_test_losses_can_be_read_with_plain_sqlite(plain: sqlite3.Connection) -> None:
    rows = plain.execute(
        "SELECT arms.name, members.seed, runs.state, runs.test_loss FROM runs "
        "JOIN members ON members.run_id = runs.id JOIN arms ON arms.id = members.arm_id "
        "WHERE arms.study = 'tiny' ORDER BY arms.position, members.seed"
    ).fetchall()
    assert rows == [
        ("baseline", 1, "done", 2.0),
        ("baseline", 2, "done", 3.0),
        ("no-dropout", 1, "done", 4.0),
        ("no-dropout", 2, "diverged", None),
        ("clip", 1, "failed", None),
        ("clip", 2, "queued", None),
    ]


def test_chunk_losses_curves_and_attempts_can_be_read_with_plain_sqlite(
    plain: sqlite3.Connection,
) -> None:
    chunks = "SELECT chunk, AVG(loss), COUNT(*) FROM chunk_losses GROUP BY chunk"
    assert plain.execute(chunks).fetchall() == [(0, 2.25, 3), (1, 2.75, 3)]
    curve = "SELECT step, loss, grad_norm FROM curves GROUP BY step"
    assert plain.execute(curve).fetchall() == [(1, 3.0, 1.5), (2, None, None)]
    outcomes = "SELECT outcome, COUNT(*), MAX(reason) FROM attempts GROUP BY outcome"
    assert plain.execute(outcomes).fetchall() == [
        ("diverged", 1, "loss is nan"),
        ("done", 3, None),
        ("failed", 1, "disk full"),
    ]


def test_recipe_and_provenance_can_be_queried_as_json(plain: sqlite3.Connection) -> None:
    query = (
        "SELECT DISTINCT json_extract(recipe, '$.model.width'), "
        "json_extract(provenance, '$.device') FROM runs WHERE state = 'done'"
    )
    assert plain.execute(query).fetchall() == [(16, "none")]


def test_results_are_synced_and_readers_do_not_wait_for_writers(store: Store) -> None:
    with store.begin() as connection:
        for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    url = store_url(None, tmp_path)
    Store(url, create=True).engine.dispose()
    file = tmp_path / "sweep.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("UPDATE schema_version SET version = 99")
    before = file.read_bytes()
    for create in (True, False):
        with pytest.raises(StoreError) as error:
            Store(url, create=create)
        assert str(error.value) == (
            f"{file} was written by a newer sweep (schema 99, this one knows {SCHEMA_VERSION}); "
            "update sweep, or name another database with --db"
        )
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE recipes (cake TEXT)")
    before = file.read_bytes()
    with pytest.raises(StoreError) as error:
        Store(store_url(f"sqlite:///{file}", tmp_path), create=True)
    assert str(error.value) == (
        f"{file} is a database, but not one of sweep's; name another with --db"
    )
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "sweep.db"
    file.write_text("not a database, but long enough to be taken for one\n" * 100)
    before = file.read_bytes()
    with pytest.raises(StoreError) as error:
        Store(store_url(None, tmp_path), create=True)
    assert str(error.value) == (
        f"{file} is no database, or a damaged one (file is not a database); `sweep rebuild` makes "
        "it anew from the run directories and keeps this file beside it; or name another with --db"
    )
    assert file.read_bytes() == before


def test_a_missing_database_is_not_made_by_who_only_reads(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        Store(store_url(None, tmp_path / "runs"))
    assert str(error.value) == (
        f"{tmp_path}/runs/sweep.db does not exist yet; `sweep run STUDY` trains a study and makes it"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(StoreError) as error:
        Store(store_url(None, tmp_path / "runs"), create=True)
    assert str(error.value) == (
        f"{tmp_path}/runs cannot be written (File exists); choose a folder that can with --runs DIR"
    )
    assert (tmp_path / "runs").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be written \(Permission denied\)"):
        Store(store_url(None, tmp_path / "runs"), create=True)


@pytest.mark.parametrize(
    ("database", "sentence"),
    [
        ("x.db", "--db 'x.db' is not a database URL; write sqlite:///path/to/sweep.db"),
        (
            "sqlite://",
            (
                "--db 'sqlite://' is a database in memory, which keeps nothing; "
                "write sqlite:///path/to/sweep.db"
            ),
        ),
        ("foo://x", "foo://x: Can't load plugin: sqlalchemy.dialects:foo; install the driver"),
    ],
)
def test_what_is_no_database_url_is_refused(tmp_path: Path, database: str, sentence: str) -> None:
    with pytest.raises(StoreError) as error:
        Store(store_url(database, tmp_path), create=True)
    assert str(error.value).startswith(sentence)


def test_two_commands_may_make_the_store_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from sweep.store import *; s = store_url(None, pathlib.Path('.'));"
        "print('ready', flush=True); sys.stdin.read(); Store(s, create=True); print('made')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    said = []
    for process in started:  # each goes on when its input ends
        assert process.stdin
        process.stdin.close()
    for process in started:
        assert process.stdout
        said.append(process.stdout.read())
        process.stdout.close()
        process.wait()
    assert said == [b"made\n"] * 3


def test_every_plan_that_was_run_is_kept(store: Store, content: dict[str, Any]) -> None:
    for seeds in (2, 3, 2):
        content["design"]["seeds"] = seeds
        plan = make_plan(parse_study(content, "s.toml"), "s.toml")
        save(store, plan, Path("s.toml"))
        study = store.study("tiny")
        assert study["plan_hash"] == plan.hash
        assert store.plan(study) == json.loads(json.dumps(plan.content()))
    with store.begin() as connection:
        kept = connection.exec_driver_sql("SELECT study, hash FROM plans").fetchall()
    assert len(kept) == 2
    assert len(store.study_runs("tiny")) == 6
    with store.begin() as connection:
        runs = connection.exec_driver_sql("SELECT COUNT(*) FROM runs").scalar_one()
    assert runs == 9  # nothing that was ever asked for is forgotten


def test_two_studies_share_the_runs_that_they_have_in_common(
    store: Store, content: dict[str, Any]
) -> None:
    for name in ("one", "two"):
        content["name"] = name
        save(store, make_plan(parse_study(content, "s.toml"), "s.toml"), Path(f"{name}.toml"))
        content["interventions"].pop("clip", None)
    one, two = store.study_runs("one"), store.study_runs("two")
    assert [run["id"] for run in two] == [run["id"] for run in one][:4]
    assert [study["name"] for study in store.studies()] == ["two", "one"]
    assert store.study(None)["name"] == "two"


def test_an_unknown_study_is_answered_with_those_there_are(filled: Store) -> None:
    with pytest.raises(NotFoundError) as error:
        filled.study("tinny")
    assert str(error.value) == (
        f"{filled.url.database} has no study 'tinny'; did you mean 'tiny'? (it has: tiny)"
    )


def test_a_run_is_found_by_the_beginning_of_its_id_and_by_arm_and_seed(filled: Store) -> None:
    for run in filled.study_runs("tiny"):
        assert filled.find_run(run["id"][:12])["id"] == run["id"]
        assert filled.find_run(run["id"])["id"] == run["id"]
        assert filled.find_run(f"{run['arm']}/{run['seed']}")["id"] == run["id"]


@pytest.mark.parametrize("word", ["clip/3", "clop/1", "zz", "%", "_", "clip/", "/1", "clip/-1"])
def test_a_run_that_is_not_there_is_answered_with_how_to_name_one(filled: Store, word: str) -> None:
    with pytest.raises(NotFoundError) as error:
        filled.find_run(word)
    assert str(error.value) == (
        f"no run answers to {word!r}; name a run by the beginning of its id, or as ARM/SEED "
        "(`sweep status` lists them)"
    )


def test_an_ambiguous_beginning_is_not_taken_for_any_run(filled: Store) -> None:
    with pytest.raises(NotFoundError) as error:
        filled.find_run("")
    assert str(error.value) == (
        "more than one run begins with ''; name a run by the beginning of its id, or as ARM/SEED "
        "(`sweep status` lists them)"
    )


def test_thousands_of_runs_can_be_asked_for_at_once(filled: Store) -> None:
    ids = [run["id"] for run in filled.study_runs("tiny")]
    asked = [*(f"no-{number}" for number in range(40_000)), *ids]
    assert filled.states(asked).keys() == set(ids)
    assert filled.losses(asked) == {ids[0]: 2.0, ids[1]: 3.0, ids[2]: 4.0}


def test_a_notebook_gets_a_row_per_arm_and_seed(filled: Store, tmp_path: Path) -> None:
    frame = sweep.load("tiny", runs=tmp_path / "runs")
    assert list(frame.columns[:7]) == [
        "arm",
        "seed",
        "init_seed",
        "order_seed",
        "dropout_seed",
        "loss",
        "status",
    ]
    assert {"run", "recipe", "family", "provenance", "tokens_per_second"} < set(frame.columns)
    assert list(frame["arm"].unique()) == ["baseline", "no-dropout", "clip"]
    assert list(frame["status"]) == ["done", "done", "done", "diverged", "failed", "queued"]
    assert list(frame["loss"][:3]) == [2.0, 3.0, 4.0]
    assert all(math.isnan(loss) for loss in frame["loss"][3:])
    by_url = sweep.load(db=f"sqlite:///{filled.url.database}")
    assert by_url.equals(frame)

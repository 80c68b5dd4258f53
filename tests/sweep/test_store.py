"""The store keeps everything that was run, and finds it by study, arm, seed and id."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

import sweep
from sweep.design.arms import make_plan
from sweep.errors import NotFoundError
from sweep.store.find_run import find_run
from sweep.store.store import Store
from sweep.study.file import parse_study
from sweep.workload.job import Job
from tests.sweep.one_by_one import OneByOne
from tests.sweep.stores import save


@pytest.mark.slow
def test_several_commands_can_create_the_store_at_once(url: URL, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from sweep.store.store import Store; from sweep.store.url import store_url; s = store_url(sys.argv[1], pathlib.Path());"
        "print('ready', flush=True); sys.stdin.read(); Store(s, create=True); print('made')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, url.render_as_string(hide_password=False)],
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
    for process in started:  # each continues when its input ends
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
        assert study.plan_hash == plan.hash
        unseen = {"existed": {}, "looks": {}}
        assert store.plan(study).json == json.loads(json.dumps(plan.content())) | unseen
    with store.begin() as connection:
        kept = connection.exec_driver_sql("SELECT study, hash FROM plans").fetchall()
    assert len(kept) == 2
    assert len(store.study_runs("tiny")) == 6
    with store.begin() as connection:
        runs = connection.exec_driver_sql("SELECT COUNT(*) FROM runs").scalar_one()
    assert runs == 9  # a run is never forgotten


def test_two_studies_share_the_runs_that_they_have_in_common(
    store: Store, content: dict[str, Any]
) -> None:
    for name in ("one", "two"):
        content["name"] = name
        save(store, make_plan(parse_study(content, "s.toml"), "s.toml"), Path(f"{name}.toml"))
        content["interventions"].pop("clip", None)
    one, two = store.study_runs("one"), store.study_runs("two")
    assert [each.run for each in two] == [each.run for each in one][:4]
    assert [study.name for study in store.studies()] == ["two", "one"]
    assert store.study(None).name == "two"


def test_the_error_for_an_unknown_study_lists_the_known_ones(filled: Store) -> None:
    with pytest.raises(NotFoundError) as error:
        filled.study("tinny")
    assert str(error.value) == (
        f"{filled.where} has no study 'tinny'; did you mean 'tiny'? (it has: tiny)"
    )


def test_a_run_is_found_by_the_beginning_of_its_id_and_by_arm_and_seed(filled: Store) -> None:
    for planned in filled.study_runs("tiny"):
        run = planned.run
        assert find_run(filled, run.id[:12]).run == run
        assert find_run(filled, run.id).run == run
        assert find_run(filled, f"{planned.arm}/{planned.seed}").place == planned


@pytest.mark.parametrize("word", ["qqq/1", "zz", "%", "_", "/1"])
def test_the_error_for_an_unknown_run_says_how_to_name_a_run(filled: Store, word: str) -> None:
    with pytest.raises(NotFoundError) as error:
        find_run(filled, word)
    assert str(error.value) == (
        f"there is no run {word!r}; name a run by the beginning of its id, or as ARM/SEED with "
        "--study STUDY (`sweep list` shows the studies, `sweep status STUDY` the arms of one)"
    )


def test_the_beginning_of_several_ids_is_refused(filled: Store) -> None:
    with pytest.raises(NotFoundError) as error:
        find_run(filled, "")
    assert str(error.value) == (
        "more than one run begins with ''; name a run by the beginning of its id, or as ARM/SEED with "
        "--study STUDY (`sweep list` shows the studies, `sweep status STUDY` the arms of one)"
    )


def test_the_beginning_of_an_id_means_the_run_and_not_its_exact_rerun(
    queue: OneByOne, jobs: list[Job]
) -> None:
    first = jobs[0].run_id
    again = replace(jobs[0], run_id=f"{first}-again", repeat_of=first)
    queue.enqueue([again])
    for word, meant in ((first, first), (first[:12], first), (f"{first}-again", f"{first}-again")):
        assert find_run(queue.store, word).run.id == meant


def test_the_error_for_an_arm_and_seed_of_several_studies_lists_them(
    store: Store, content: dict[str, Any]
) -> None:
    for name in ("one", "two"):
        content["name"] = name
        save(store, make_plan(parse_study(content, "s.toml"), "s.toml"), Path("s.toml"))
    content["name"] = "last"
    del content["interventions"]["clip"]
    save(store, make_plan(parse_study(content, "s.toml"), "s.toml"), Path("s.toml"))
    with pytest.raises(NotFoundError) as error:
        find_run(store, "clip/1")
    assert str(error.value) == (
        "last, the study last run, has no run 'clip/1', but one and two have; say which with "
        "--study STUDY"
    )
    assert find_run(store, "clip/1", "one").place.study == "one"


@pytest.mark.slow
def test_one_query_can_ask_for_thousands_of_runs(filled: Store) -> None:
    ids = [run_id for _, run_id in filled.run_ids("tiny")]
    asked = [*(f"no-{number}" for number in range(40_000)), *ids]
    assert filled.states(asked).keys() == set(ids)
    assert filled.losses(asked) == {ids[0]: 2.0, ids[1]: 3.0, ids[2]: 4.0}


@pytest.mark.slow
def test_a_notebook_gets_a_row_per_arm_and_seed(filled: Store) -> None:
    url = filled.url.render_as_string(hide_password=False)
    frame = sweep.load("tiny", db=url)
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
    assert sweep.load(db=url).equals(frame)  # the study last run

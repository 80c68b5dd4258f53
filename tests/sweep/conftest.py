from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import URL

from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.file import parse_study
from sweep.workload.job import Job
from tests.sweep import postgres
from tests.sweep.hand_clock import HandClock
from tests.sweep.importer import Importer
from tests.sweep.jobs import make_gpt_job
from tests.sweep.one_by_one import OneByOne
from tests.sweep.stores import Trainer, fill
from trainer.recipe import Recipe
from trainer.rundir.directory import Event, Result

ON_EVERY_DATABASE = {
    "test_control",
    "test_leases",
    "test_queue",
    "test_run_folders",
    "test_scheduler",
    "test_store",
}
"""Modules whose tests are run with each."""
CORPUS_HASH = "c" * 64

STUDY = """\
name = "tiny"
question = "Does anything help?"

[baseline.model]
layers = 1
heads = 2
width = 16
context = 16

[baseline.optimizer]
learning_rate = 3e-3

[baseline.train]
tokens = 2048
batch_size = 8

[baseline.evaluation]
chunks = 2
chunk_tokens = 64

[interventions.no-dropout]
because = "Little to regularise."
set = { "model.dropout" = 0.0 }

[interventions.clip]
because = "Spikes."
set = { "optimizer.clip_norm" = 0.5 }

[design]
seeds = 2

[analysis]
smallest_effect = 0.01
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def study_text() -> str:
    """A valid study: two interventions, two seeds, 16 steps of a model of width 16."""
    return STUDY


@pytest.fixture
def content() -> dict[str, Any]:
    """The same study as a mapping, to be changed."""
    return tomllib.loads(STUDY)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a study file, to be written by the test."""
    return tmp_path / "s.toml"


@pytest.fixture
def plan(content: dict[str, Any]) -> Plan:
    return make_plan(parse_study(content, "s.toml"), "s.toml")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the store and the queue with every kind of database."""
    if metafunc.module.__name__.rpartition(".")[2] in ON_EVERY_DATABASE:
        for fixture in {"url"} & set(metafunc.fixturenames):
            metafunc.parametrize(fixture, ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    folder = postgres.binaries()
    if folder is None:
        pytest.skip(
            "Postgres is not installed here: no initdb in /usr/lib/postgresql/*/bin or PATH"
        )
    with postgres.server(folder) as url:
        yield url


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """An empty database: SQLite in the folder of runs, or one of a Postgres server."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield store_url(None, tmp_path / "runs")
        return
    with postgres.database(request.getfixturevalue("postgres_server"), f"t{uuid4().hex}") as made:
        yield made


@pytest.fixture
def open_store(url: URL, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the database of a test, each time as another command would."""
    opened: list[Store] = []

    def open_it() -> Store:
        opened.append(Store(url, create=True, folder=tmp_path / "runs"))
        return opened[-1]

    yield open_it
    for store in opened:
        store.engine.dispose()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()


@pytest.fixture
def clock() -> HandClock:
    """A clock that only the test moves."""
    return HandClock()


@pytest.fixture
def filled(
    store: Store,
    plan: Plan,
    make_result: Callable[..., Result],
    events: list[Event],
    tmp_path: Path,
) -> Store:
    """A store with the plan's six runs: one diverged, one failed, one queued, the others done."""
    fill(store, plan, make_result, events, tmp_path / "s.toml")
    return store


@pytest.fixture
def train(store: Store, tmp_path: Path, make_result: Callable[..., Result]) -> Trainer:
    return Trainer(store, tmp_path, make_result)


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


@pytest.fixture(scope="session")
def make_job() -> Callable[[int], Job]:
    """A job of the default recipe for a seed."""

    def make(seed: int) -> Job:
        recipe = Recipe.model_validate({"seeds": {"init": seed, "order": seed, "dropout": seed}})
        return make_gpt_job(recipe, CORPUS_HASH)

    return make


@pytest.fixture
def jobs(make_job: Callable[[int], Job]) -> list[Job]:
    return [make_job(seed) for seed in range(4)]


@pytest.fixture
def queue(store: Store, jobs: list[Job]) -> OneByOne:
    """A queue with four runs in it."""
    made = OneByOne(store, "one:1:1")
    assert made.enqueue(jobs) == 4
    return made


@pytest.fixture
def other(open_store: Callable[[], Store], clock: HandClock) -> OneByOne:
    """The same queue for another scheduler, with a clock that the test moves."""
    return OneByOne(open_store(), "other:2:2", clock)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Result]:
    """A result with some fields changed."""

    def make(**changes: object) -> Result:
        fields: dict[str, object] = {
            "state": "done",
            "test_loss": 2.5,
            "bits_per_byte": 3.6,
            "chunk_losses": [2.25, 2.75],
            "last_loss": 2.4,
            "steps": 2,
            "tokens": 256,
            "started": 1000.0,
            "first_step": 1000.5,
            "finished": 1002.0,
            "tokens_per_second": 170.0,
            "provenance": {"device": "none"},
        }
        return Result.model_validate({**fields, **changes})

    return make


@pytest.fixture(scope="session")
def events() -> list[Event]:
    """A curve of two points, the second one not finite."""
    return [
        Event(step=1, loss=3.0, learning_rate=0.1, grad_norm=1.5, tokens_per_second=100.0),
        Event(step=2, loss=None, learning_rate=0.1, grad_norm=None, tokens_per_second=100.0),
    ]


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, sweep: Run
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which the study `s.toml` was run, for tests that only read; and the output."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "s.toml").write_text(STUDY)
    return folder, sweep(folder, "run", "s.toml")


@pytest.fixture(scope="session")
def folder(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """A folder with a finished study, to be read only."""
    made, done = finished
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the finished folder, to be changed."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def empty(tmp_path: Path, study_text: str) -> Path:
    """A folder with nothing but a study."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "s.toml").write_text(study_text)
    return tmp_path / "empty"

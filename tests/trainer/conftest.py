from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from model.gpt import GPT
from model.init import initialise
from tests.patience import PATIENCE
from tests.trainer.fork_server import Server
from tests.trainer.killer import request
from tests.trainer.scripts import MakeScript, Script, script_server
from trainer.corpora.corpus import Corpus, save_corpus
from trainer.corpora.prepare import load_small
from trainer.execution import Execution
from trainer.recipe import DataConfig, Recipe, vocabulary_size
from trainer.recipe_forms import with_fields
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request
from trainer.sources.standard_library import StandardLibrary
from trainer.weights.weights import save_weights

ROOT = Path(__file__).parents[2]

TINY: dict[str, dict[str, Any]] = {
    "data": {},
    "model": {"layers": 1, "heads": 2, "width": 16, "context": 16},
    "optimizer": {"learning_rate": 3e-3},
    "schedule": {},
    "train": {"tokens": 16 * 8 * 12, "batch_size": 8},
    "evaluation": {"chunks": 4, "chunk_tokens": 64},
    "seeds": {"init": 1, "order": 1, "dropout": 1},
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tensors this small are slower with two threads, and far slower beside other tests."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    """The tiny recipe with some fields changed: `make_recipe({"model.dropout": 0.0})`."""

    def make(changes: dict[str, Any] | None = None) -> Recipe:
        return Recipe.model_validate(with_fields(TINY, changes or {}))

    return make


@pytest.fixture(scope="session")
def recipe(make_recipe: Callable[..., Recipe]) -> Recipe:
    """One layer of width 16, twelve steps."""
    return make_recipe()


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The first 60,000 train and 6,000 test bytes of the real corpus."""
    whole = load_small(DataConfig(), StandardLibrary(DataConfig()))
    assert whole
    train, test = whole.train[:60_000], whole.test[:6_000]
    info = replace(whole.info, hash="5" * 64, train_tokens=len(train), test_tokens=len(test))
    return Corpus(info, train, test, whole.byte_lengths)


@pytest.fixture
def make_run(
    tmp_path: Path, corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> Callable[..., RunDirectory]:
    """Makes a run directory of a name, ready to be trained on the small corpus."""
    save_corpus(corpus, tmp_path / "cache")

    def make(
        name: str,
        changes: dict[str, Any] | None = None,
        **execution: Any,  # noqa: ANN401  (whatever the settings are)
    ) -> RunDirectory:
        directory = RunDirectory(tmp_path / name)
        directory.write_request(
            Request(
                recipe=make_recipe(changes),
                corpus_hash=corpus.info.hash,
                cache="../cache",
                execution=Execution(**execution),
            )
        )
        return directory

    return make


@pytest.fixture(scope="session")
def make_weights(make_recipe: Callable[..., Recipe]) -> Callable[..., tuple[RunDirectory, GPT]]:
    """Makes a run directory with random weights, biases and norms among them; and their model."""

    def make(path: Path, changes: dict[str, Any] | None = None) -> tuple[RunDirectory, GPT]:
        run = RunDirectory(path)
        run.write_request(Request(recipe=make_recipe({"model.init_std": 0.1, **(changes or {})})))
        recipe = run.read_request().recipe
        model = GPT(recipe.model, vocabulary_size(recipe.data.tokenizer))
        initialise(model, 3)
        generator = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(torch.empty_like(parameter).normal_(0, 0.1, generator=generator))
        save_weights(run.weights, dict(model.named_parameters()))
        return run, model.eval()

    return make


@pytest.fixture(scope="module")
def bare_server(root: Path) -> Iterator[Server]:
    """A fork server that imports nothing for its runs."""
    with script_server(root) as started:
        yield started


@pytest.fixture
def script(bare_server: Server, tmp_path: Path) -> MakeScript:
    """Makes a script in a run directory, to be started by that server."""
    return partial(Script, bare_server, tmp_path)


@pytest.fixture(scope="session")
def wait_for_training() -> Callable[[RunDirectory], None]:
    """Waits until a run has its first event, so that training is under way."""

    def wait(run: RunDirectory) -> None:
        until = time.monotonic() + PATIENCE
        while not run.read_events():
            assert time.monotonic() < until, run.last_log_line()
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def attempt() -> Iterator[Callable[..., int]]:
    """Trains a run in a process: `attempt(run, step=3)`, killed in its third step; exit status.

    See `tests.trainer.killer.Attempt` for what can be asked for.
    """
    command = [sys.executable, "-m", "tests.trainer.killer"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, bufsize=1
    ) as killer:
        assert killer.stdin
        assert killer.stdout
        lines, answers = killer.stdin, killer.stdout

        def train(run: RunDirectory, **fields: float | None) -> int:
            lines.write(request(run.path, **fields))
            return int(answers.readline())

        yield train
        lines.close()

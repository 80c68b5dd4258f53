"""Train a run directory: read what to train, write `result.json`."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from trainer.errors import CheckpointError
from trainer.files import write_whole
from trainer.processes.failures import exit_status
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.scripts.group import NodeGroup
from trainer.scripts.run import ScriptPlace, join_script, run_script
from trainer.words import counted

if TYPE_CHECKING:
    from trainer.corpora.corpus import Corpus, CorpusInfo
    from trainer.recipe import Recipe
    from trainer.rundir.request import Request
    from trainer.training.trainer import Trainer
    from trainer.training.world import Place
    from trainer.weights.pretrained import Pretrained

    _Inputs = tuple[Corpus, Pretrained | None]

log = logging.getLogger(__name__)
"""Logs the progress of the run. `trainer.tools.train` prints it; a fork server does not."""


class StopSignal:
    """True after SIGTERM or Ctrl-C, for the training loop; a second Ctrl-C ends the process."""

    def __init__(self) -> None:
        self.received = False
        signal.signal(signal.SIGTERM, self._receive)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a fork server's runs ignore it
            signal.signal(signal.SIGINT, self._receive)
        # The fork server blocks SIGTERM until here, so that an early one is not lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __call__(self) -> bool:
        return self.received


def train_directory(
    path: Path,
    device: str,
    threads: int | None,
    attempt: int | None = None,
    group: NodeGroup | None = None,
) -> int:
    """Train the run in `path` and write its result; returns an exit status (`trainer.rundir.exits`).

    For a script that a signal ended, that is the negative number of the signal.
    Failures are printed to standard error, which is the log. A run that has a result is not trained
    again. `attempt` is the attempt's number, if it was announced: see `trainer.rundir.lock`.
    `group`: the nodes that train it together, if there are several. Only the first has the lock.
    """
    directory = RunDirectory(path)
    stop = StopSignal()

    def train() -> int:
        if not directory.is_script and not directory.is_instruction_run:
            directory.read_request()  # first, so that a folder without a recipe gets no lock file
        place = ScriptPlace(device, threads, attempt, group)
        if group and group.rank > 0:
            if directory.is_script:
                return join_script(directory, place, stop)
            return _train_all_ranks(directory, device, threads, stop, group)
        with directory.lock.hold(attempt, stop):
            result = directory.read_result()
            if result is not None:
                # A process that was killed may have left checkpoints beside the result.
                shutil.rmtree(directory.checkpoints, ignore_errors=True)
                log.info(_already_trained_message(directory, result))
                return Exit.DONE
            if directory.is_script:
                return run_script(directory, place, stop)
            if directory.is_instruction_run:
                return _tune(directory, device, threads, stop)
            directory.remove_leftovers()
            return _train_all_ranks(directory, device, threads, stop, group)

    return exit_status(train)


def _already_trained_message(directory: RunDirectory, result: Result) -> str:
    return (
        f"{directory.path} has a result already: {result.summary}; nothing to train. "
        f"Remove {directory.result} to train it again."
    )


def _make_should_stop(directory: RunDirectory, stop: StopSignal) -> Callable[[], bool]:
    """Make the function that training calls between steps: True to stop. A call is a heartbeat."""
    return lambda: directory.lock.is_replaced() or stop()


def _tune(directory: RunDirectory, device: str, threads: int | None, stop: StopSignal) -> int:
    """Fine-tune a run's final weights on instructions in this process."""
    from trainer.instructions.run import run_instructions

    return run_instructions(directory, device, threads, _make_should_stop(directory, stop))


def _train_all_ranks(
    directory: RunDirectory,
    device: str,
    threads: int | None,
    stop: StopSignal,
    group: NodeGroup | None,
) -> int:
    """Train in this process, or in one process for each rank of this node."""
    import torch

    from trainer.training.memory import keep_to_share
    from trainer.training.precision import be_deterministic
    from trainer.training.world import Place, World

    request = directory.read_request()
    size = request.execution.processes
    World(0, size).part(request.recipe.train.batch_size)
    inputs = _find_inputs(directory, request)
    if request.execution.deterministic:
        be_deterministic()
    here = group.ranks(size) if group else range(size)
    torch.set_num_threads(max(1, (threads or torch.get_num_threads()) // len(here)))
    if size > 1:
        return _fork_ranks(directory, (request, inputs), device, stop, here, group)
    place = Place(torch.device(device), request.execution)
    keep_to_share(place.device)
    _train(directory, request, inputs, place, _make_should_stop(directory, stop))
    return Exit.DONE


def _fork_ranks(
    directory: RunDirectory,
    given: tuple[Request, _Inputs],
    device: str,
    stop: StopSignal,
    here: range,
    group: NodeGroup | None,
) -> int:
    """Train in a process for each of the ranks `here`."""
    import torch

    from trainer.processes.ranks import run_ranks
    from trainer.training.world import Place, join

    request, inputs = given
    size = request.execution.processes
    rendezvous = None if group else directory.path.resolve() / f".ranks-{os.getpid()}"

    def train_rank(rank: int) -> int:
        own_stop = StopSignal()  # first, so that no signal is lost while the ranks connect
        if group:
            os.environ.update(group.variables(rank, size))
        number = here.index(rank)
        own_device = torch.device(device, number) if device == "cuda" else torch.device(device)
        with join(rank, size, own_device, rendezvous) as world:
            place = Place(own_device, request.execution, world)
            _train(directory, request, inputs, place, _make_should_stop(directory, own_stop))
        return Exit.DONE

    try:
        return run_ranks(here, lambda rank: exit_status(lambda: train_rank(rank)), stop, group)
    finally:
        if rendezvous:
            rendezvous.unlink(missing_ok=True)


def _find_inputs(directory: RunDirectory, request: Request) -> _Inputs:
    """The corpus and the initial weights of a run."""
    from trainer.processes.inputs import find_run_corpus, find_run_weights

    corpus = find_run_corpus(directory, request)
    corpus.check_fits(request.recipe)
    return corpus, find_run_weights(directory, request, corpus)


def _train(
    directory: RunDirectory,
    request: Request,
    inputs: _Inputs,
    place: Place,
    should_stop: Callable[[], bool],
) -> None:
    """Train one rank; only rank 0 writes files."""
    from trainer.training.checkpoint import Checkpoints
    from trainer.training.loop import Session, train

    place = replace(place, cache=directory.path / request.cache)
    corpus, weights = inputs
    identity = request.recipe.fingerprint(corpus.info.hash, weights.hash if weights else None)
    checkpoints = Checkpoints(directory.checkpoints, identity)
    session = Session(should_stop=should_stop, weights=weights)
    session.resume = checkpoints.latest_of_all(place.world, session.notes.append)
    if place.world.rank > 0:
        train(request.recipe, corpus, None, place, session)
        return
    session.checkpoints = checkpoints
    session.keep = lambda trainer: _save_weights(directory, request, corpus.info, trainer)
    directory.weights.unlink(missing_ok=True)  # may belong to a result that was removed
    steps_taken = session.resume.step if session.resume else 0
    log.info(_start_message(directory, request.recipe, place, steps_taken))
    with directory.open_events(steps_taken) as events:
        result = train(request.recipe, corpus, events, place, session)
    directory.write_result(result)
    log.info("Finished: %s. The result is in %s.", result.summary, directory.result)
    with contextlib.suppress(CheckpointError):  # the result is written; leftovers do no harm
        checkpoints.clear()
    _print_notes(result)


def _start_message(directory: RunDirectory, recipe: Recipe, place: Place, steps_taken: int) -> str:
    """The first line of the log: the recipe and the device."""
    from trainer.training.provenance import device_name

    model, data = recipe.model, recipe.data
    since = f" from step {steps_taken:,} on" if steps_taken else ""
    return (
        f"Training {directory.path} on {place.device} ({device_name(place.device)}){since}: "
        f"{counted(recipe.steps, 'step')} of {recipe.tokens_per_step:,} tokens of {data.corpus} "
        f"({data.tokenizer}); depth {model.layers}, width {model.width}, "
        f"context {model.context}."
    )


def _save_weights(
    directory: RunDirectory, request: Request, corpus: CorpusInfo, trainer: Trainer
) -> None:
    """Save the weights if `keep` says so; before them, the tokenizer, if the corpus made it."""
    from trainer.tokens import TOKENIZER_FILE
    from trainer.weights.weights import save_weights

    if request.execution.keep == "weights":
        made = directory.path / request.cache / corpus.folder / TOKENIZER_FILE
        if made.exists():
            write_whole(directory.tokenizer, made.read_bytes())
        save_weights(directory.weights, trainer.model.kept_parameters())


def _print_notes(result: Result) -> None:
    for note in result.notes:
        print(note, file=sys.stderr)  # noqa: T201  (the log)

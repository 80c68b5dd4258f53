"""Run a fine-tune: read `instructions.json`, write `answers.json` and `result.json`."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

import torch

from trainer.corpora.tokenizer import Tokenizer
from trainer.errors import CheckpointError, InstructionError
from trainer.files import write_whole
from trainer.instructions.data import read_instructions
from trainer.instructions.encoding import Encoder
from trainer.instructions.loop import FineTune, Parts, Progress
from trainer.instructions.request import (
    Answer,
    Answers,
    InstructionRequest,
    read_instruction_request,
)
from trainer.instructions.tuning import Tuning
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.checkpoint import Checkpoints
from trainer.training.memory import keep_to_share
from trainer.training.precision import be_deterministic, full_float32
from trainer.training.provenance import code, device_name
from trainer.weights.pretrained import Pretrained, open_pretrained
from trainer.weights.tokenizer_files import find_tokenizer


def run_instructions(
    directory: RunDirectory, device: str, threads: int | None, should_stop: Callable[[], bool]
) -> int:
    """Carry out the fine-tune of a directory that is locked; returns an exit status.

    Raises InstructionError, WeightsError or CorpusError if it does not fit the run's model.
    """
    request = read_instruction_request(directory)
    directory.remove_leftovers()
    be_deterministic()
    torch.set_num_threads(max(1, threads or torch.get_num_threads()))
    source = open_pretrained(directory.path / request.base)
    tokenizer = find_tokenizer(source)
    parts = _read_parts(directory, request, tokenizer, source.config.context)
    place = torch.device(device)
    keep_to_share(place)
    checkpoints = Checkpoints(directory.checkpoints, request.run_id)
    with full_float32():
        tune = FineTune(
            tuning=Tuning(source, request.settings, request.seeds, place),
            settings=request.settings,
            tokenizer=tokenizer,
            parts=parts,
            progress=Progress(),
            checkpoints=checkpoints,
            checkpoint_seconds=request.execution.checkpoint_seconds,
            should_stop=should_stop,
        )
        tune = _resume(tune)
        with directory.open_events(tune.progress.step) as events:
            tune.run(events)
        result = _result(tune, source, place)
    answers = [Answer.model_validate(each) for each in tune.progress.answers]
    write_whole(directory.answers, Answers(answers=answers).model_dump_json(indent=1).encode())
    directory.write_result(result)
    with contextlib.suppress(CheckpointError):  # the result is written; leftovers do no harm
        checkpoints.clear()
    return Exit.DONE


def _read_parts(
    directory: RunDirectory, request: InstructionRequest, tokenizer: Tokenizer, context: int
) -> Parts:
    """The items as tokens. Raises InstructionError if the file is not the one that was asked for."""
    path = directory.path / request.data
    data = read_instructions(path)
    if data.hash != request.data_hash:
        raise InstructionError(f"{path} was changed; judge with the original file again")
    encoder = Encoder(request.settings, tokenizer, context)
    split = data.split(request.settings)
    return Parts(*map(encoder.encode_all, (split.train, split.test, split.validation)))


def _resume(tune: FineTune) -> FineTune:
    """Continue from the last checkpoint, if there is one."""
    notes: list[str] = []
    found = tune.checkpoints.latest(notes.append)
    for note in notes:
        print(note)  # noqa: T201  (the log)
    if found is not None:
        tune.tuning.load_state(found.tensors)
        vars(tune.progress).update(found.progress)
    return tune


def _result(tune: FineTune, source: Pretrained, device: torch.device) -> Result:
    """The losses of the tuned model, and facts about the work."""
    progress, answers = tune.progress, tune.progress.answers
    validation = progress.losses[progress.epochs]
    facts: dict[str, Any] = {
        **code(),
        "device": device_name(device),
        "torch": torch.__version__,
        "weights": source.hash,
        "validation_losses": [loss if math.isfinite(loss) else None for loss in progress.losses],
    }
    known: dict[str, Any] = {
        "steps": progress.step,
        "started": progress.started,
        "finished": time.time(),
    }
    if not math.isfinite(validation):
        return Result(
            state="diverged",
            diverged_at=progress.step,
            cause="the validation loss of the fine-tune is not finite",
            provenance=facts,
            **known,
        )
    loss = tune.tuning.loss(tune.parts.test, tune.tokenizer.end_of_text)
    metrics = {
        "instruction_loss": loss,
        "validation_loss": validation,
        "epochs": float(progress.epochs),
        "ended_answers": sum(answer["ended"] for answer in answers) / len(answers),
    }
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    return Result(state="done", metrics=finite, provenance=facts, **known)

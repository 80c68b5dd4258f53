"""Train a run directory: `recipe.json` in, `result.json` out."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from trainer.corpus import Corpus, load_corpus, open_corpus, save_corpus
from trainer.errors import RunDirectoryError, UserError
from trainer.rundir import Request, RunDirectory

EXIT_DONE = 0
"""There is a result; the run may have diverged."""
EXIT_FAILED = 1
"""There is none; the log says why."""
EXIT_STOPPED = 143
"""The run was asked to stop and did, between two steps."""


class StopSignal:
    """SIGTERM, remembered until the training loop has a moment."""

    def __init__(self) -> None:
        self.received = False
        signal.signal(signal.SIGTERM, self._receive)
        # The fork server blocks the signal until here, so that an early one is not lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True

    def __call__(self) -> bool:
        return self.received


def train_directory(path: Path, device: str, threads: int | None) -> int:
    """Train what `path` asks for and write its result; the exit status of the process.

    Everything that a person needs to know about a failure is printed, so that it is in the log.
    """
    should_stop = StopSignal()
    from trainer.loop import RunStoppedError  # noqa: PLC0415  (brings torch)

    try:
        _train(RunDirectory(path), device, threads, should_stop)
    except RunStoppedError:
        return EXIT_STOPPED
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201  (the log)
        return EXIT_FAILED
    except Exception:  # noqa: BLE001  (whatever it was, the log has it and the run has failed)
        traceback.print_exc()
        return EXIT_FAILED
    return EXIT_DONE


def _train(
    directory: RunDirectory, device: str, threads: int | None, should_stop: StopSignal
) -> None:
    import torch  # noqa: PLC0415  (the fork server has it already)

    from trainer.loop import train  # noqa: PLC0415  (brings torch)

    if threads is not None:
        torch.set_num_threads(threads)
    request = directory.read_request()
    corpus = _find_corpus(directory, request)
    corpus.check_fits(request.recipe)
    directory.result.unlink(missing_ok=True)
    with directory.events.open("w") as events:
        result = train(request.recipe, corpus, events, torch.device(device), should_stop)
    directory.write_result(result)


def _find_corpus(directory: RunDirectory, request: Request) -> Corpus:
    data, cache = request.recipe.data, directory.path / request.cache
    if request.corpus_hash is not None:
        folder = cache / f"{data.corpus}-{data.tokenizer}-{request.corpus_hash[:16]}"
        if folder.exists():
            return open_corpus(folder)
    corpus = load_corpus(data, cache)
    if request.corpus_hash is not None and request.corpus_hash != corpus.info.hash:
        raise RunDirectoryError(
            f"{directory.recipe} is meant for the {data.corpus} corpus {request.corpus_hash[:16]}, "
            f"but this machine has {corpus.info.hash[:16]}"
        )
    save_corpus(corpus, cache)
    return corpus

"""Trains run directories in child processes, which end themselves at a moment that is asked for.

`python -m tests.trainer.killer`: a request per line of JSON in, the exit status of its child out.
The children are forked, so that torch is imported once; this process itself trains nothing.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel

TOUCHES = ("open", "os.", "shutil.")
"""How the audit events begin that touch a disk."""


class Attempt(BaseModel):
    """A request."""

    run: str
    signal: int = 9
    touch: int | None = None
    """End at the n-th touch of the run's files; None for not at all."""
    step: int | None = None
    """End in the middle of the n-th step of this attempt; None for not at all."""
    first_scale: float | None = None
    """Instead of the trainer's own; so large a one makes the first steps in float16 overflow."""
    growth_interval: int | None = None
    """Instead of the trainer's own; so short a one brings the overflow back every few steps."""


def main() -> None:
    """Serve until the input ends."""
    from trainer.processes.forkserver import preload_gpt  # noqa: PLC0415  (brings torch; tests only start this)

    preload_gpt()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _train(Attempt.model_validate_json(line))
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _train(attempt: Attempt) -> NoReturn:
    status = 99
    try:
        log = os.open(Path(attempt.run) / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        status = _train_until(attempt)
    except BaseException:  # noqa: BLE001  (nothing may return into the parent's loop)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _train_until(attempt: Attempt) -> int:
    from trainer.processes.run import train_directory  # noqa: PLC0415  (as above)
    from trainer.training import optimizer  # noqa: PLC0415
    from trainer.training.batches import Batches  # noqa: PLC0415

    if attempt.first_scale and attempt.growth_interval:
        optimizer.FIRST_SCALE = attempt.first_scale
        optimizer.GROWTH_INTERVAL = attempt.growth_interval
    strike_at_touch = _strike(attempt, attempt.touch)
    strike_at_step = _strike(attempt, attempt.step)
    sequences = Batches.sequences

    def count_step(batches: Batches, step: int) -> object:
        strike_at_step()
        return sequences(batches, step)

    def count_touch(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(TOUCHES) and attempt.run in str(arguments):
            strike_at_touch()

    Batches.sequences = count_step  # type: ignore[method-assign,assignment]
    sys.addaudithook(count_touch)
    return train_directory(Path(attempt.run), "cpu", 1)


def _strike(attempt: Attempt, moment: int | None) -> Callable[[], None]:
    """Sends the signal the `moment`-th time that it is called."""
    left = moment or 0

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), attempt.signal)

    return count


def request(run: Path, **fields: float | None) -> str:
    """A line of input."""
    return json.dumps({"run": str(run), **fields}) + "\n"


if __name__ == "__main__":
    main()

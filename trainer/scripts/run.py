"""Run the script of a run directory: read `run.json`, write `result.json`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from trainer.errors import RunDirectoryError
from trainer.rundir.directory import RunDirectory, first_mistake
from trainer.rundir.exits import Exit
from trainer.scripts import descendants
from trainer.scripts.environment import RUN_DIR, Invocation, free_port, outputs_of
from trainer.scripts.function import Call
from trainer.scripts.outcome import Measurements, measure, result_of, why_missing
from trainer.scripts.output_log import OutputLog
from trainer.scripts.processes import Command
from trainer.scripts.provenance import provenance
from trainer.scripts.request import ScriptRequest
from trainer.scripts.supervisor import ParentGoneError, Supervisor
from trainer.words import counted

WRONG_ARGUMENTS = 2
"""Exit status of argparse, and of Python for a script that does not exist: no retry helps."""
_SILENT_CALL = "the function ended its process before it returned"


@dataclass(frozen=True)
class ScriptPlace:
    """Where an attempt runs, and its number."""

    device: str
    threads: int | None
    attempt: int | None = None


def is_script(directory: RunDirectory) -> bool:
    """True if a run directory holds a script's request."""
    return directory.script.exists()


def read_script(directory: RunDirectory) -> ScriptRequest:
    """Read `run.json`. Raises RunDirectoryError if it is missing or invalid."""
    try:
        return ScriptRequest.model_validate_json(directory.script.read_bytes())
    except OSError as error:
        raise RunDirectoryError(f"{directory.script} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise RunDirectoryError(first_mistake(directory.script, error)) from error


def run_script(directory: RunDirectory, place: ScriptPlace, stop: Callable[[], bool]) -> int:
    """Run the script, whose directory is locked; returns an exit status, or minus a signal.

    Raises UserError if it cannot be started, or has written what is no result.
    """
    request = read_script(directory)
    descendants.become_subreaper()
    with _marked(directory):
        return _run(directory, request, place, stop)


def _run(
    directory: RunDirectory, request: ScriptRequest, place: ScriptPlace, stop: Callable[[], bool]
) -> int:
    log, measured = OutputLog(directory.log), measure(directory, request)
    supervisor = Supervisor(directory, measured, log, stop)

    def start() -> Command:
        attempt = place.attempt or 1
        given = Invocation(request, measured.outputs, attempt, place.threads, free_port())
        if request.function is not None:
            return Call(request, measured.outputs, given.environment())
        return Command(given.arguments(), request.folder, given.environment())

    try:
        status = supervisor.run(start)
        if supervisor.stopped:
            return Exit.STOPPED
        return _conclude(measured, supervisor, log, (status, place))
    except ParentGoneError:
        return Exit.FAILED
    finally:
        log.close()


def _conclude(
    measured: Measurements, supervisor: Supervisor, log: OutputLog, end: tuple[int, ScriptPlace]
) -> int:
    """Write the result, or the reason why there is none."""
    status, place = end
    left = _left_running(supervisor.left_running)
    if status == 0 or (status > 0 and measured.last_is_not_finite()):
        metrics = measured.finish()
        if measured.request.primary in metrics:
            facts = provenance(measured.request, place.device, place.threads)
            notes = [f"The script has {left}."] if left else []
            measured.directory.write_result(result_of(measured, metrics, facts, notes))
            return Exit.DONE
    measured.curves.flush()
    said = log.last_lines()
    if status < 0:
        return status
    if measured.request.function is not None:
        if status == 0 or not said:
            log.say(_SILENT_CALL)
        return Exit.DISK_FULL if log.disk_full else status or Exit.FAILED
    if status:
        reason = f"{said[-1]} (exit status {status})" if said else _silent(status)
    else:
        lines = ", ".join(f'"{line}"' for line in said)
        shown = f"its last lines: {lines}" if said else "it printed nothing"
        reason = "; ".join(
            filter(
                None, [f"exit status 0, but {why_missing(measured)}", left and f"it {left}", shown]
            )
        )
    log.say(reason)
    if log.disk_full:
        return Exit.DISK_FULL
    return Exit.REFUSED if status == WRONG_ARGUMENTS else Exit.FAILED


def _silent(status: int) -> str:
    return f"exited with status {status} and printed nothing"


def _left_running(number: int) -> str:
    """What was left running, for a sentence; empty if nothing was."""
    if not number:
        return ""
    was = "was" if number == 1 else "were"
    return f"left {counted(number, 'process', 'processes')} running, which {was} killed"


@contextlib.contextmanager
def _marked(directory: RunDirectory) -> Iterator[None]:
    """Mark an attempt while it runs; processes of one that was killed are looked for and killed."""
    mark = directory.path / ".script"
    if mark.exists():
        descendants.kill_marked(RUN_DIR, str(outputs_of(directory).folder))
    os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o666))
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)

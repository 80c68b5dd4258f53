"""Run the script of a run directory: read `run.json`, write `result.json`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from trainer.errors import CommandError, RunDirectoryError
from trainer.rundir.directory import RunDirectory, first_mistake
from trainer.rundir.exits import Exit
from trainer.scripts import descendants
from trainer.scripts.environment import RUN_DIR, Invocation, free_port, outputs_of
from trainer.scripts.function import Call
from trainer.scripts.group import NodeGroup, signal_words
from trainer.scripts.others import OtherNodes, StopNote, note_failure
from trainer.scripts.outcome import Measurements, measure, result_of, why_missing
from trainer.scripts.output_log import Output, OutputLog
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
    group: NodeGroup | None = None
    """The node, if the run has several."""

    @property
    def number(self) -> int:
        """The number of the attempt; 1 if it was not announced."""
        return self.attempt or 1


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


def join_script(directory: RunDirectory, place: ScriptPlace, stop: Callable[[], bool]) -> int:
    """Run the script on a further node, whose output goes on; returns an exit status.

    What it writes and prints there is no result.
    """
    assert place.group  # noqa: S101  (for the type checker: it says which node this is)
    request = read_script(directory).model_copy(update={"metrics": {}})
    descendants.become_subreaper()
    output = Output(os.dup(1))
    measured = measure(directory, request, place.group.rank)
    asked = StopNote(directory, place.number)
    supervisor = Supervisor(directory, measured, output, lambda: stop() or asked.is_there())
    try:
        status = supervisor.run(lambda: _start(measured, place))
    except ParentGoneError:
        return Exit.FAILED
    except CommandError as error:
        note_failure(directory, place.number, place.group, str(error))
        raise
    if supervisor.stopped:
        return Exit.STOPPED
    if status:
        why = _why(status, output.last_lines())
        output.say(note_failure(directory, place.number, place.group, why))
    return Exit.FAILED if status else Exit.DONE


def _run(
    directory: RunDirectory, request: ScriptRequest, place: ScriptPlace, stop: Callable[[], bool]
) -> int:
    log, measured = OutputLog(directory.log), measure(directory, request)
    others = OtherNodes(directory, place.number, place.group) if place.group else None
    supervisor = Supervisor(directory, measured, log, stop, others)
    ended: int = Exit.FAILED
    try:
        status = supervisor.run(lambda: _start(measured, place))
        ended = Exit.STOPPED
        if not supervisor.stopped:
            ended = _conclude(measured, supervisor, log, (status, place))
    except ParentGoneError:
        pass
    finally:
        if others:
            others.close(well=ended in {Exit.DONE, Exit.STOPPED})
        log.close()
    return ended


def _start(measured: Measurements, place: ScriptPlace) -> Command:
    """Start the command, or the call of the function, of this node."""
    request, outputs = measured.request, measured.outputs
    port = place.group.port if place.group else free_port()
    given = Invocation(request, outputs, place.number, place.threads, port, place.group)
    if request.function is not None:
        return Call(request, outputs, given.environment())
    return Command(given.arguments(), request.folder, given.environment())


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
    if supervisor.others and status:
        own = None if supervisor.failed_elsewhere else _why(status, said)
        words, elsewhere = supervisor.others.why(own)
        log.say(words)
        return Exit.FAILED if elsewhere else _failure(measured, log, status)
    if supervisor.others:
        supervisor.others.close(well=True)
    if measured.request.function is None and status >= 0:
        log.say(_why(status, said) if status else _why_no_metric(measured, left, said))
    elif status == 0 or (status > 0 and not said):
        log.say(_SILENT_CALL)
    return _failure(measured, log, status)


def _failure(measured: Measurements, log: OutputLog, status: int) -> int:
    """The exit status of a run whose script has ended without a result."""
    if status < 0:
        return status
    if log.disk_full:
        return Exit.DISK_FULL
    if measured.request.function is not None:
        return status or Exit.FAILED
    return Exit.REFUSED if status == WRONG_ARGUMENTS else Exit.FAILED


def _why(status: int, said: Sequence[str]) -> str:
    """Why a script has failed that has ended with some status and has said some last lines."""
    if status < 0:
        return f"ended by {signal_words(-status)}"
    return f"{said[-1]} (exit status {status})" if said else _silent(status)


def _why_no_metric(measured: Measurements, left: str, said: Sequence[str]) -> str:
    """Why a script has failed that has ended well, but without the primary metric."""
    lines = ", ".join(f'"{line}"' for line in said)
    shown = f"its last lines: {lines}" if said else "it printed nothing"
    found = f"exit status 0, but {why_missing(measured)}"
    return "; ".join(filter(None, [found, left and f"it {left}", shown]))


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

"""`sweep status` and `sweep log`: show the states of runs, and what they printed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.tables.names import WRAP_WIDTH, short_names
from sweep.errors import listed
from sweep.reports.document import as_json, publish
from sweep.reports.run_page import attempt_line
from sweep.store.find_run import find_run
from sweep.store.ledger import directory_name
from sweep.store.rows import RunNotice, RunRow, StudyRow
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.terminal.printable import as_seen
from sweep.terminal.units import duration
from sweep.workspace import Workspace, from_here
from trainer.rundir.attempt_end import WorkerNote, read_note
from trainer.rundir.directory import RunDirectory
from trainer.words import counted

STATES = (
    RunState.DONE,
    RunState.RUNNING,
    RunState.QUEUED,
    RunState.DIVERGED,
    RunState.FAILED,
    RunState.CANCELLED,
)
"""Columns of the table of states. `cancelled` is left out if no run was cancelled."""
LOG_LINES = 20
WAITING_LINES = 5
"""Maximum number of lines on runs that wait in the queue of a cluster."""


def status(
    workspace: Workspace,
    word: str | None,
    console: Console,
    form: Literal["table", "json"] = "table",
) -> int:
    """Print run states by arm, and a line for each run that failed, diverged or is retried."""
    store = workspace.open_to_read()
    study = store.study(workspace.study_name(word))
    if form == "json":
        publish(as_json(_status_json(store, study)), None, console)
        return 0
    if study.paused:
        say(console, f"Paused: `sweep resume {study.name}` continues it.", "yellow")
    say(console, f"{study.name} ({study.path})")
    console.print(_states_by_arm(store.states_by_arm(study.name), console.width))
    for line in _run_lines(workspace, store, study.name):
        say(console, line)
    say(console, "A run is named by the beginning of its id or as ARM/SEED: `sweep show ARM/SEED`.")
    return 0


def _status_json(store: Store, study: StudyRow) -> dict[str, Any]:
    counts = store.states_by_arm(study.name)
    return {
        "study": study.name,
        "path": study.path,
        "paused": study.paused,
        "arms": {
            arm: {state.value: states[state] for state in STATES} for arm, states in counts.items()
        },
        "runs": [run._asdict() for run in store.notices(study.name)],
    }


def _states_by_arm(counts: Mapping[str, Counter[RunState]], width: int) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", no_wrap=True)
    total = sum(counts.values(), Counter[RunState]())
    shown = [state for state in STATES if state != RunState.CANCELLED or total[state]]
    for state in shown:
        table.add_column(state, justify="right")
    beside = sum(len(state) + len("   ") for state in shown) + len("  ")
    arms = short_names(counts, max(width - beside, WRAP_WIDTH)).values()
    for names, some in (arms, counts.values()), (["all"], [total]):
        # One row with many lines: rich is five times slower with many rows.
        cells = [[str(states[state] or "·") for states in some] for state in shown]
        table.add_row(*map("\n".join, [names, *cells]), end_section=True)
    return table


def _run_lines(workspace: Workspace, store: Store, study: str) -> Iterator[Text]:
    """Lines on runs; of many that wait in the queue of a cluster, the first ones."""
    waiting = 0
    for run in store.notices(study):
        directory = RunDirectory(workspace.folder / directory_name(run.id))
        reason = directory.read_waiting() if run.state == RunState.RUNNING else None
        waiting += bool(reason)
        if not reason or waiting <= WAITING_LINES:
            yield _run_line(directory, store, run, reason)
    if waiting > WAITING_LINES:
        yield Text(f"waiting   and {counted(waiting - WAITING_LINES, 'more run')}", style="yellow")


def _run_line(directory: RunDirectory, store: Store, run: RunNotice, reason: str | None) -> Text:
    state = "waiting" if reason else run.state
    line = f"{state:<9} {run.id[:12]}  {run.arm}/{run.seed}"
    again = _retries(store, run) if run.failures else ""
    if reason:
        return Text(f"{line}  {reason}{again}", style="yellow")
    if run.state == RunState.RUNNING:
        events = directory.read_events()
        step = events[-1].step if events else 0
        return Text(f"{line}  step {step}{again}", style="yellow" if again else "")
    if run.state == RunState.QUEUED:
        return Text(f"{line}{again}", style="yellow")
    return Text(f"{line}  {run.cause or ''}", style="red")


def _retries(store: Store, run: RunNotice) -> str:
    """Say how often a run failed, why the last time, and when it is tried again."""
    attempts = store.attempts(run.id)
    reasons = [each.reason for each in attempts if each.outcome == AttemptOutcome.FAILED]
    left = (run.retry_at or 0.0) - time.time()
    wait = (
        f", next attempt in {duration(left)}" if run.state == RunState.QUEUED and left > 0 else ""
    )
    times = "once" if run.failures == 1 else f"{run.failures} times"
    return f"  failed {times}{wait}; last: {reasons[-1] if reasons else 'unknown'}"


@dataclass(frozen=True)
class LogRequest:
    """Arguments of `sweep log`."""

    run: str
    study: str | None
    whole: bool = False
    """True to show all lines instead of the last ones."""
    form: Literal["table", "json"] = "table"


def log(workspace: Workspace, request: LogRequest, console: Console) -> int:
    """Print how the attempts at a run ended, and what its process printed."""
    store = workspace.open_to_read()
    found = find_run(store, request.run, workspace.study_name(request.study))
    run = found.run
    if request.form == "json":
        publish(as_json(_log_json(workspace, store, run)), None, console)
        return 0
    if found.place:
        say(console, f"{request.run} of {found.place.study}, run {run.id[:12]}")
    attempts = store.attempts(run.id)
    if not attempts and not run.state.is_finished:
        say(console, f"The run is {run.state} and has not started.")
        return 0
    for attempt in attempts:
        say(console, f"attempt {attempt_line(attempt)}")
    directory = RunDirectory(workspace.folder / directory_name(run.id))
    if place := read_note(directory):
        say(console, _place_line(place))
    path = directory.log
    lines = _lines(path)
    shown = lines if request.whole else lines[-LOG_LINES:]
    if len(shown) < len(lines):
        say(console, f"… {counted(len(lines) - len(shown), 'line')} before these: --all shows them")
    for line in shown:
        console.print(Text(line), soft_wrap=not console.is_terminal)  # also if it is brief
    if not lines:
        imported = found.place is not None and bool(store.study(found.place.study).imported)
        say(console, _without_output(run, path.parent, imported=imported))
    return 0


def _log_json(workspace: Workspace, store: Store, run: RunRow) -> dict[str, Any]:
    path = RunDirectory(workspace.folder / directory_name(run.id)).log
    return {
        "id": run.id,
        "state": run.state,
        "attempts": [vars(attempt) for attempt in store.attempts(run.id)],
        "lines": _lines(path),
    }


def _place_line(note: WorkerNote) -> str:
    """Say where the latest attempt on a cluster ran, and where the engine's own output is."""
    job = f"{note.job} on " if note.job else ""
    output = f"; its own output is {from_here(note.output)}" if note.output else ""
    return f"Attempt {note.attempt}: {job}{note.host}{output}"


def _without_output(run: RunRow, directory: Path, *, imported: bool) -> str:
    """Say what there is of a run that has no output."""
    recorded = f"`sweep show {run.id[:12]}` has what was recorded"
    if imported:
        return f"The run was imported and has no log here; {recorded}."
    if not directory.is_dir():
        return f"{directory} is gone, and the log with it; {recorded}."
    so_far = " so far" if run.state.is_open else ""
    files = sorted(each.name for each in directory.iterdir() if each.stat().st_size)
    there = f"{directory} has {listed(files)}" if files else f"{directory} is empty"
    return f"The run has printed nothing{so_far}. {there}; {recorded}."


def _lines(path: Path) -> list[str]:
    try:
        return as_seen(path.read_bytes().decode(errors="replace"))  # as text, \r would end a line
    except OSError:
        return []

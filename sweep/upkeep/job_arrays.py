"""Folders of Slurm's job arrays that no run needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sweep.executors.slurm.batch import FOLDER, PROBE, read_note
from sweep.store.states import FINISHED, RunState

NEED_NO_JOB = FINISHED | {RunState.CANCELLED}
"""States of runs whose jobs have ended. `sweep log` names the output of a failed run's job."""


def unneeded_arrays(runs: Path, states: Mapping[str, RunState]) -> Iterator[Path]:
    """Yield the folders of job arrays whose runs have results or are cancelled.

    `states`: those of the runs, by the names of their folders in `runs`.
    """
    home = runs / FOLDER
    if home.is_symlink() or not home.is_dir():
        return
    needed = {PROBE}
    for name, state in states.items():
        if state not in NEED_NO_JOB and (note := read_note(runs / name)):
            needed.add(note.batch)
    for path in sorted(home.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name not in needed:
            yield path

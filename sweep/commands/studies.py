"""`sweep list`: show the studies."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sweep.reports.document import as_json, publish
from sweep.store.rows import StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.terminal.console import is_brief
from sweep.terminal.units import duration
from sweep.workspace import Workspace


def list_studies(
    workspace: Workspace, console: Console, form: Literal["table", "json"] = "table"
) -> int:
    """Print all studies, the latest first; on a brief console only their names."""
    store = workspace.open_to_read()
    known = store.studies()
    if form == "json":
        publish(as_json([_study_json(store, study) for study in known]), None, console)
    elif is_brief(console):
        for study in known:
            console.print(study.name, soft_wrap=True)
    else:
        console.print(_studies_table(store, known))
    return 0


def _studies_table(store: Store, known: Sequence[StudyRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("study", "arms", "runs", "done", "last run", "file"):
        justify: Literal["left", "right"] = "right" if title in {"arms", "runs", "done"} else "left"
        table.add_column(title, justify=justify, overflow="fold")  # names and paths whole
    for study in known:
        counts = store.states_by_arm(study.name)
        total = sum(counts.values(), Counter[RunState]())
        numbers = len(counts), total.total(), total[RunState.DONE]
        last = "running" if total[RunState.RUNNING] else _ago(store, study)
        table.add_row(study.name, *map(str, numbers), last, _from_here(study.path))
    return table


def _study_json(store: Store, study: StudyRow) -> dict[str, Any]:
    counts = store.states_by_arm(study.name)
    total = sum(counts.values(), Counter[RunState]())
    return {
        **vars(study),
        "arms": len(counts),
        "runs": total.total(),
        "states": {state.value: total[state] for state in RunState},
        "last_end": store.last_end(study.name) or None,
    }


def _from_here(path: str) -> str:
    """Return the shorter of a path and the same path relative to the working directory."""
    return min(path, os.path.relpath(path), key=len)


def _ago(store: Store, study: StudyRow) -> str:
    """Say how long ago a run of the study last ended, or the study was last run."""
    if study.imported:
        return f"imported {duration(time.time() - study.last_run)} ago"
    last = max(study.last_run, store.last_end(study.name))
    return f"{duration(time.time() - last)} ago"

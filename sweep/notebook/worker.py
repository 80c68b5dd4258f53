"""Answer a question of `sweep.notebook.client`, in a process of ours."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweep.notebook.client import EXIT_REFUSED
from sweep.notebook.tables import arms_planned, curve_points, effects_of, noise_of, runs_of
from sweep.store.store import Store
from sweep.workspace import Workspace
from trainer.errors import UserError

Rows = list[dict[str, Any]]


def read(table: Callable[[Store, str | None], Rows]) -> Callable[..., Rows]:
    """Let a function that reads the store be asked with the study, the folder and the database."""

    def answer(study: str | None, runs: str, db: str | None) -> Rows:
        workspace = Workspace(Path(runs), db)
        with workspace.open_to_read() as store:
            return table(store, workspace.study_name(study))

    return answer


def plan(study: str | None, runs: str, db: str | None) -> Rows:
    """The arms of a study, which need not have been run."""
    return arms_planned(Workspace(Path(runs), db), study)


FUNCTIONS: Mapping[str, Callable[..., Rows]] = {
    "load": read(runs_of),
    "curves": read(curve_points),
    "effects": read(effects_of),
    "noise": read(noise_of),
    "plan": plan,
}


def main() -> int:
    """Read `[FUNCTION, ARGUMENTS]`, write the answer or the error; returns the exit status."""
    function, arguments = json.load(sys.stdin)
    try:
        answer = FUNCTIONS[function](**arguments)
    except UserError as error:
        json.dump([type(error).__name__, str(error)], sys.stdout)
        return EXIT_REFUSED
    json.dump(answer, sys.stdout)
    return 0

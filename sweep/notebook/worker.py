"""Answer a question of `sweep.notebook.client`, in a process of ours."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweep.notebook.client import EXIT_REFUSED
from sweep.store.metrics import study_metrics
from sweep.workspace import Workspace
from trainer.errors import UserError


def load_runs(study: str | None, runs: str, db: str | None) -> list[dict[str, Any]]:
    """The runs of a study with arm, seed, and everything recorded about them."""
    with Workspace(Path(runs), db).open_to_read() as store:
        name = store.study(study).name
        planned, metrics = store.study_runs(name), study_metrics(store, name)
    return [
        {
            "arm": each.arm,
            "seed": each.seed,
            **vars(each.run),
            "metrics": metrics.get(each.run.id, {}),
        }
        for each in planned
    ]


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"load_runs": load_runs}


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

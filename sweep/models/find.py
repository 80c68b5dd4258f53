"""Find a model: the weights of a finished run, or a folder with an exported or downloaded model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sweep.errors import NotFoundError
from sweep.store.find_run import find_run
from sweep.store.ledger import directory_name
from sweep.store.rows import PlannedRun, RunRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.trainers.stored_recipes import is_fine_tune, is_script
from sweep.workspace import Workspace


def model_folder(workspace: Workspace, word: str, study: str | None) -> Path:
    """The folder of a model: `word` if it is a folder or checkpoint, else that of the run it names.

    Raises NotFoundError if it is neither, or the run has no weights.
    """
    path = Path(word)
    if path.is_dir() or path.is_file():
        return path
    store = workspace.open_to_read_if_any()
    if store is None:
        raise NotFoundError(f"there is no folder {word!r}, and no run was made here yet")
    name = store.study(workspace.study_name(study)).name if study else None
    try:
        run = find_run(store, word, name)
    except NotFoundError as error:
        raise NotFoundError(f"there is no folder {word!r}, and {error}") from error
    return workspace.folder / directory_name(_finished(run.run, word).id)


def finished_run(store: Store, word: str, study: str | None) -> RunRow:
    """The run that `word` names. Raises NotFoundError unless it is done and has weights."""
    return _finished(find_run(store, word, study).run, word)


def finished_runs(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return those of some runs that are done.

    Raises NotFoundError if none is, or if runs of this kind have no weights here: the first one tells.
    """
    done = [each for each in runs if each.run.state == RunState.DONE]
    if runs:
        first = (done or runs)[0]
        _finished(first.run, f"{first.arm}/{first.seed}")
    return done


def _finished(run: RunRow, word: str) -> RunRow:
    if not run.recipe:
        raise NotFoundError(f"run {word!r} was imported, and its weights are not here")
    if is_fine_tune(run.recipe):
        raise NotFoundError(
            f"run {word!r} is an instruction fine-tune, whose weights are not kept; its answers are in "
            f"{directory_name(run.id)}/answers.json of the folder of runs"
        )
    if is_script(run.recipe):
        raise NotFoundError(
            f"run {word!r} is one of a script, whose models `sweep` cannot read; "
            f"what it wrote is in {directory_name(run.id)}/output of the folder of runs"
        )
    if run.state == RunState.DIVERGED:
        raise NotFoundError(f"run {word!r} diverged, and a diverged run keeps no weights")
    if run.state != RunState.DONE:
        raise NotFoundError(
            f"run {word!r} is {run.state} and has no weights yet; `sweep run STUDY` trains it"
        )
    return run

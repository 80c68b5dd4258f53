"""The study whose runs a command changes, if the command line names none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from sweep.errors import NotFoundError, listed
from sweep.queue.presence import is_trained
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.workspace import Workspace, check_trained


@dataclass(frozen=True)
class Preference:
    """The studies that a command prefers."""

    words: str
    """What they are: `paused`."""
    holds: Callable[[Store, StudyRow], bool]


TRAINED_NOW = Preference("being trained", lambda store, study: is_trained(store, study.name))
"""Studies that a command is training, here or on another machine."""
PAUSED = Preference("paused", lambda _store, study: study.paused is not None)


def choose_study(
    workspace: Workspace,
    store: Store,
    word: str | None,
    preferred: Preference,
    console: Console,
    arm: str | None = None,
) -> StudyRow:
    """The named study; else the one that is `preferred` and has the arm; else the one last run.

    If there are other studies, the first printed line says which one was taken. Raises NotFoundError
    if several are preferred, StudyError for an imported study, which has nothing to train.
    """
    if word is not None:
        study = store.study(workspace.study_name(word))
        check_trained(study)
        return study
    trained = [study for study in store.studies() if not study.imported]
    found = [
        study
        for study in trained
        if preferred.holds(store, study)
        and (arm is None or arm in (row.name for row in store.arms(study.name)))
    ]
    if len(found) > 1:
        names = listed(study.name for study in found)
        raise NotFoundError(
            f"{names} are {preferred.words}; add the name or the file of one of them"
        )
    study = found[0] if found else store.study(None)
    check_trained(study)
    if len(trained) > 1:
        which = f"the one that is {preferred.words}" if found else "the one last run"
        say(console, f"Study: {study.name}, {which}.")
    return study

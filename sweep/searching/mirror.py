"""Write a search to an Optuna storage too, for optuna-dashboard and `optuna.load_study`.

The store has the truth. The storage is written anew where it does not agree, and a storage that
cannot be written costs a sentence, never a trial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.searching.optuna_study import (
    Curves,
    frozen_trial,
    quiet_optuna,
    state_and_values,
    user_attributes,
)
from sweep.searching.problem import Problem
from sweep.searching.trials import Standing, Trial

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

FILE = "optuna.db"
"""Name of the storage in the folder of runs."""
BUSY_SECONDS = 1.0
"""Seconds to wait for another program that holds the storage."""
KEY = "sweep_search"
"""User attribute of an Optuna study: the hash of our search."""


def study_name(problem: Problem) -> str:
    """Name of the Optuna study of one arm's search: STUDY, or STUDY/ARM if each arm is tuned."""
    name = problem.study.name
    return f"{name}/{problem.arm.name}" if problem.search.per_arm else name


class Mirror:
    """The Optuna storage of a folder of runs."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.file = folder / FILE
        self._say = say
        self._said = self._failed = False
        self._written: dict[str, list[Standing]] = {}
        """By search: the outcomes that the storage has."""
        self._open: tuple[int, RDBStorage] | None = None
        """The storage and the inode of its file; opening it takes longer than writing a trial."""

    def write(self, problem: Problem, trials: Sequence[Trial], curves: Curves) -> None:
        """Write the trials that have changed; if that fails, says so once and stops trying."""
        from optuna.exceptions import OptunaError, StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        outcomes = [each.standing for each in trials]
        unchanged = self._written.get(problem.key) == outcomes and self.file.exists()
        if unchanged or self._failed:
            return
        try:
            with quiet_optuna():
                self._write(problem, trials, curves)
        except (OptunaError, StorageInternalError, SQLAlchemyError, OSError, KeyError) as error:
            self.close()
            self._tell(error)
        else:
            self._written[problem.key] = outcomes

    def try_again(self) -> None:
        """Let the next call of `write` try, although one has failed: the wait for each adds up."""
        self._failed = False

    def _tell(self, error: Exception) -> None:
        self._failed = True
        if not self._said:
            self._said = True
            reason = " ".join(str(error).split()) or type(error).__name__
            self._say(
                f"{self.file} cannot be written ({_short(reason)}); the trials are kept in "
                "the database, and the same command writes the file again"
            )

    def _write(self, problem: Problem, trials: Sequence[Trial], curves: Curves) -> None:
        storage = self._storage()
        study = _find_study(storage, problem)
        known = storage.get_all_trials(study, deepcopy=False)
        if not _agree(known, trials):
            storage.delete_study(study)
            study, known = _find_study(storage, problem), []
        for trial in trials:
            frozen = frozen_trial(problem.domains, trial, curves.get(trial.name, {}))
            if trial.number >= len(known):
                storage.create_new_trial(study, template_trial=frozen)
            elif trial.is_over and not known[trial.number].state.is_finished():
                _finish(storage, known[trial.number], trial, frozen)

    def _storage(self) -> RDBStorage:
        """The storage, opened again if its file was deleted or replaced."""
        inode = self.file.stat().st_ino if self.file.exists() else -1
        if self._open is None or self._open[0] != inode:
            self.close()
            storage = _open(self.file)
            self._open = self.file.stat().st_ino, storage
        return self._open[1]

    def close(self) -> None:
        """Close the storage; the next write opens it."""
        if self._open is not None:
            storage, self._open = self._open[1], None
            storage.remove_session()
            storage.engine.dispose()


def _open(file: Path) -> RDBStorage:
    from optuna.storages import RDBStorage

    wait = {"connect_args": {"timeout": BUSY_SECONDS}}
    return RDBStorage(f"sqlite:///{file}", engine_kwargs=wait)


def _find_study(storage: RDBStorage, problem: Problem) -> int:
    """Id of the study; a study of another search with its name is replaced."""
    from optuna.exceptions import DuplicatedStudyError
    from optuna.study import StudyDirection

    name, direction = study_name(problem), StudyDirection[problem.direction.name]
    try:
        study = storage.create_new_study([direction], name)
    except DuplicatedStudyError:
        study = storage.get_study_id_from_name(name)
        if storage.get_study_user_attrs(study).get(KEY) == problem.key:
            return study
        storage.delete_study(study)
        study = storage.create_new_study([direction], name)
    storage.set_study_user_attr(study, KEY, problem.key)
    return study


def _agree(known: Sequence[FrozenTrial], trials: Sequence[Trial]) -> bool:
    """True if the storage has nothing that the store does not have."""
    if len(known) > len(trials):
        return False
    return all(
        dict(have.params) == dict(ours.values)
        and (not have.state.is_finished() or (ours.is_over and _same_value(have, ours)))
        for have, ours in zip(known, trials, strict=False)
    )


def _same_value(have: FrozenTrial, ours: Trial) -> bool:
    return (have.value if have.values else None) == ours.value


def _finish(storage: RDBStorage, known: FrozenTrial, trial: Trial, frozen: FrozenTrial) -> None:
    """Give a running trial of the storage its result."""
    number = known._trial_id  # noqa: SLF001  (Optuna's storages are called with it)
    for step, value in frozen.intermediate_values.items():
        storage.set_trial_intermediate_value(number, step, value)
    for key, each in user_attributes(trial).items():
        storage.set_trial_user_attr(number, key, each)
    storage.set_trial_state_values(number, *state_and_values(trial))


def _short(reason: str) -> str:
    return reason if len(reason) < 120 else f"{reason[:120]}…"

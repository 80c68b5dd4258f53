"""Locate the results, and the study that a command line names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from sweep.design.arms import find_arms
from sweep.design.plan import Plan
from sweep.errors import EmptyStoreError, NotFoundError, OutdatedStoreError, StudyError
from sweep.store.reading import is_writable
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.file import load_study
from sweep.study.mistakes import InvalidStudyError, Lines
from sweep.study.names import BASELINE
from sweep.study.overrides import (
    Overrides,
    apply_overrides,
    idle_overrides,
    name_override,
    wrong_overrides,
)
from sweep.study.reading import file_near, read_study_text
from sweep.study.salvage import check_study

DEFAULT_STUDY = Path("studies/interventions.toml")


@dataclass(frozen=True)
class Workspace:
    """The folder of runs and the database beside it."""

    folder: Path
    database: str | None = None
    """A database URL; None for `sweep.db` in the folder."""

    @property
    def url(self) -> URL:
        """The URL of the database. Raises StoreError if `database` is not a valid one."""
        return store_url(self.database, self.folder)

    @property
    def cache(self) -> Path:
        """The folder of token files."""
        return self.folder / "cache"

    def open(self) -> Store:
        """Open the store to write to it. Raises StoreError if there is none."""
        return Store(self.url, folder=self.folder)

    def open_or_create(self) -> Store:
        """Open the store to write to it, or create it. Raises StoreError if that is impossible."""
        return Store(self.url, create=True, folder=self.folder)

    def open_to_read(self) -> Store:
        """Open the store only to read it, also in a folder that cannot be written.

        Leaves no file behind; a server's database of an older version is upgraded. Raises
        StoreError if there is none.
        """
        try:
            return Store(self.url, read_only=True, folder=self.folder)
        except OutdatedStoreError:
            self.open().close()
            return Store(self.url, read_only=True, folder=self.folder)

    def open_to_read_if_any(self) -> Store | None:
        """Open the store only to read it; None if there is none yet."""
        url = self.url
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return None
        try:
            return self.open_to_read()
        except EmptyStoreError:
            return None

    @property
    def is_writable(self) -> bool:
        """True if this user may write to the database and to its folder."""
        url = self.url
        return url.get_backend_name() != "sqlite" or is_writable(Path(url.database or ""))

    def study_file(self, word: str | None) -> Path:
        """Return the file of a study, given by path or name.

        For None: the file of the study last run, else `studies/interventions.toml`. Raises
        NotFoundError.
        """
        if word is not None and is_path(word):
            return Path(word)
        store = self.open_to_read_if_any()
        if store is not None and (word is not None or store.studies()):
            return _own_file(store.study(word))
        if word is None and DEFAULT_STUDY.exists():
            return DEFAULT_STUDY
        raise NotFoundError(
            f"no study {word!r} here; name a study file, or a study that was run (`sweep list`)"
            f"{file_near(Path(word))}"
            if word
            else "no study was run here yet; name a study file (`sweep init` writes one)"
        )

    def named_file(self, path: Path) -> Path:
        """Return a study file that a command line gives, perhaps by the name of a study trained here.

        A word that is neither is returned as it is: reading it says what is wrong.
        """
        word = str(path)
        store = None if is_path(word) else self.open_to_read_if_any()
        study = store.study_if_any(word) if store else None
        return Path(study.path) if study and not study.imported else path

    def imported_study(self, word: str | None) -> StudyRow | None:
        """Return the study of that name, or the latest for None, if it was imported; else None."""
        if word is not None and is_path(word):
            return None
        store = self.open_to_read_if_any()
        for study in store.studies() if store else ():
            if word in (None, study.name):
                return study if study.imported else None
        return None

    def check_trainable(self, path: Path) -> None:
        """Raise StudyError if `path` is not a file but the name of an imported study."""
        study = self.imported_study(str(path))
        if study is not None:
            _own_file(study)

    def study_name(self, word: str | None) -> str | None:
        """Return the name of a study given by path or name; None stays None, the study last run."""
        if word is not None and (
            word.endswith(".toml") or (is_there(word) and Path(word).is_file())
        ):
            return load_study(Path(word)).name
        return word


def is_path(word: str) -> bool:
    """True if a word is the path of a study file, rather than the name of a study."""
    return word.endswith(".toml") or is_there(word)


def from_here(path: str) -> str:
    """Return the shorter of a path and the same path relative to the working directory."""
    return min(path, os.path.relpath(path), key=len)


def is_there(path: str | Path) -> bool:
    """True if a file or folder exists. Any text may be given: an invalid path does not exist."""
    try:
        return Path(path).exists()
    except OSError:  # e.g. too long for a path
        return False


def _own_file(study: StudyRow) -> Path:
    """Return the file of a study that was trained here. Raises StudyError for an imported one."""
    check_trained(study)
    return Path(study.path)


def check_trained(study: StudyRow) -> None:
    """Raise StudyError for an imported study, which cannot be trained."""
    if study.imported:
        raise StudyError(
            f"study {study.name!r} was imported from {study.path} and cannot be trained; "
            "`sweep report` and `sweep noise` work on it. To train, name a study file"
        )


def read_plan(path: Path, overrides: Overrides | None = None) -> Plan:
    """Load a study file and make its plan, with baseline fields overridden.

    Raises StudyError: if the file can be read, with all of its mistakes at once.
    """
    text = read_study_text(path)
    return plan_of(text.content, str(path), overrides, text.lines)


def plan_of(
    content: Mapping[str, Any],
    source: str,
    overrides: Overrides | None = None,
    lines: Callable[[], Lines] = dict,
) -> Plan:
    """The plan of a study given as a mapping, with baseline fields overridden.

    `source` and `lines` locate errors. Raises InvalidStudyError with all mistakes.
    """
    overrides = overrides or {}
    if wrong := wrong_overrides(content, overrides):
        raise InvalidStudyError(wrong)
    study, mistakes = check_study(apply_overrides(content, overrides), source)
    right = not any(each.concerns(BASELINE) for each in mistakes)
    arms, wrong_arms = find_arms(study, baseline_is_right=right) if study else ((), [])
    mistakes += [*wrong_arms, *idle_overrides(content, overrides)]
    if study is None or mistakes:
        named = [name_override(each, overrides) for each in mistakes]
        raise InvalidStudyError(named, source, lines())
    return Plan(study, arms, source, overrides)

"""Where results are, and which study is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.errors import NotFoundError, StudyError
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.file import load_study, parse_study, read_content
from sweep.study.overrides import Overrides, apply_overrides

DEFAULT_STUDY = Path("studies/interventions.toml")


@dataclass(frozen=True)
class Workspace:
    """The folder of runs and the database beside it."""

    folder: Path
    database: str | None = None
    """A database URL, when it is not `sweep.db` in the folder."""

    @property
    def url(self) -> URL:
        """The database's URL. Raises StoreError when it is none."""
        return store_url(self.database, self.folder)

    @property
    def cache(self) -> Path:
        """Where token files are kept."""
        return self.folder / "cache"

    def open(self) -> Store:
        """The store as it is. Raises StoreError when there is none."""
        return Store(self.url, folder=self.folder)

    def open_or_create(self) -> Store:
        """The store, made when there is none. Raises StoreError when that is impossible."""
        return Store(self.url, create=True, folder=self.folder)

    def open_if_any(self) -> Store | None:
        """The store, or None when nothing has been run yet. Raises StoreError for a broken one."""
        url = self.url
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return None
        return self.open()

    def study_file(self, word: str | None) -> Path:
        """The file of the study that `word` names by its path or name; None for the usual one.

        That is the study last run, else `studies/interventions.toml`. Raises NotFoundError.
        """
        if word is not None and is_path(word):
            return Path(word)
        store = self.open_if_any()
        if store is not None and (word is not None or store.studies()):
            return _own_file(store.study(word))
        if word is None and DEFAULT_STUDY.exists():
            return DEFAULT_STUDY
        raise NotFoundError(
            f"no study {word!r} here; name a study file, or a study that was run (`sweep list`)"
            if word
            else "no study was run here yet; name a study file (`sweep init` writes one)"
        )

    def imported_study(self, word: str | None) -> StudyRow | None:
        """The study that `word` names, or the one last run, if it was imported; else None."""
        if word is not None and is_path(word):
            return None
        store = self.open_if_any()
        for study in store.studies() if store else ():
            if word in (None, study.name):
                return study if study.imported else None
        return None

    def check_trainable(self, path: Path) -> None:
        """Raises StudyError where a path that is no file is the name of an imported study."""
        study = self.imported_study(str(path))
        if study is not None:
            _own_file(study)

    def study_name(self, word: str | None) -> str | None:
        """The name of the study that `word` names by its path or name; None for the last run."""
        if word is not None and (
            word.endswith(".toml") or (is_there(word) and Path(word).is_file())
        ):
            return load_study(Path(word)).name
        return word


def is_path(word: str) -> bool:
    """Whether a word is the path of a study file, rather than the name of a study."""
    return word.endswith(".toml") or is_there(word)


def is_there(path: str | Path) -> bool:
    """Whether there is a file or folder of that name, which may be no name of a file at all."""
    try:
        return Path(path).exists()
    except OSError:  # too long
        return False


def _own_file(study: StudyRow) -> Path:
    """The file of a study that can be run. Raises StudyError for an imported one."""
    check_trained(study)
    return Path(study.path)


def check_trained(study: StudyRow) -> None:
    """Raises StudyError for a study that was imported: nothing of it can be trained."""
    if study.imported:
        raise StudyError(
            f"study {study.name!r} was imported from {study.path} and cannot be run, only "
            "judged: `sweep report` and `sweep noise` do that; what can be run is a study file"
        )


def read_plan(path: Path, overrides: Overrides | None = None) -> Plan:
    """Load a study file and make its plan, with baseline fields overridden. Raises StudyError."""
    overrides = overrides or {}
    content = apply_overrides(read_content(path), overrides)
    return make_plan(parse_study(content, str(path)), str(path), overrides)

"""The files that an import reads: those that are named, and those in a folder or of a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import ResultsError, did_you_mean
from sweep.terminal.printable import shown
from trainer.sources.compression import without_compression
from trainer.sources.file_kinds import suffix_of

MAX_FILES = 10_000
MAX_ENTRIES = 200_000
"""Files and folders that are looked at in a folder."""
RUN_FILES: tuple[str, ...] = (
    r"trainer_state\.json",
    r"progress\.csv|result\.json",
    r"(run-.+-tag-.+|.+-tag-.+)\.csv",
    r".*tfevents.*",
    r"wandb-summary\.json|all_results\.json|final_info\.json|metrics\.jsonl?",
)
"""Names of files with one run each, as tools write them. The first one that a folder has is read."""
RESULT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".gz", ".zst", ".xz")
LOG_SUFFIXES = (".log", ".txt", ".out", "")
_CHECKPOINT = re.compile(r"(?:checkpoint|step|epoch)[-_]?\d+", re.IGNORECASE)
"""A folder below that of a run."""
_VERSION = re.compile(r"version_\d+")
_SUFFIX = re.compile(r"\.(csv|tsv|jsonl?|ndjson|parquet|log|txt|out|err)$", re.IGNORECASE)
_GENERIC = re.compile(
    r"trainer_state|progress|result|.*tfevents.*|wandb-summary|all_results|final_info|metrics|log"
    r"|stdout|stderr|output|history|results|train|slurm",
    re.IGNORECASE,
)
"""Names of files that say nothing about the run: the folder does."""


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """A file of results."""

    path: Path
    run: str
    """The name of its run, if it holds one: the part of its path that differs from the others."""


def find_files(named: Sequence[Path], *, logs: bool) -> list[ResultFile]:
    """Return the files that are named. A folder stands for the files of results, or logs, in it.

    Raises ResultsError for what does not exist, and for a folder without such files.
    """
    paths = dict.fromkeys(path for each in named for path in _expand(each.expanduser(), logs=logs))
    if len(paths) > MAX_FILES:
        raise ResultsError(
            f"{named[0]}: {len(paths)} files are too many; import at most {MAX_FILES} at once"
        )
    names = run_names(list(paths))
    return [ResultFile(path=path, run=name) for path, name in zip(paths, names, strict=True)]


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return the parts in which paths differ: `a` and `b` for `out/a/log.txt` and `out/b/log.txt`."""
    places = [_name_parts(path) for path in paths]
    if len(places) < 2:
        return [_last_name(parts) for parts in places]
    shortest = min(len(parts) for parts in places)
    above = _common(places, shortest - 1)
    below = _common([parts[::-1] for parts in places], shortest - above - 1)
    return ["/".join(parts[above : len(parts) - below]) for parts in places]


def _last_name(parts: Sequence[str]) -> str:
    """Return the name of the only run; Lightning keeps each in a folder `version_0`."""
    return next((part for part in reversed(parts) if not _VERSION.fullmatch(part)), parts[-1])


def _name_parts(path: Path) -> list[str]:
    """Return the folders and the name of a run: without suffix, checkpoints and generic names."""
    *folders, name = path.absolute().parts
    parts = [*folders[1:], _SUFFIX.sub("", without_compression(name)) or name]
    if _GENERIC.fullmatch(parts[-1]) and len(parts) > 1:
        parts.pop()
        while _CHECKPOINT.fullmatch(parts[-1]) and len(parts) > 1:
            parts.pop()
    return parts


def _common(places: Sequence[Sequence[str]], most: int) -> int:
    """Return how many parts all places begin with."""
    count = 0
    while count < most and len({parts[count] for parts in places}) == 1:
        count += 1
    return count


def _expand(path: Path, *, logs: bool) -> list[Path]:
    try:
        if path.is_dir():
            return _inside(path, logs=logs)
        if os.path.lexists(path):
            return [path]
    except OSError as error:  # a name that is too long
        raise ResultsError(f"{shown(str(path))} cannot be read: {error.strerror}") from error
    if re.match(r"\w{2,}:/", str(path)):  # a path has lost one of the slashes
        raise ResultsError(f"{path} is a URL; download the file and import that")
    if not glob.has_magic(str(path)):
        near = did_you_mean(path.name, _names_beside(path))
        raise ResultsError(f"{path} does not exist{near or '; name a file of results'}")
    return _matching(path, logs=logs)


def _matching(pattern: Path, *, logs: bool) -> list[Path]:
    """Return the files that a pattern matches, and those in folders if it matches only these."""
    found = sorted(map(Path, glob.glob(str(pattern), recursive=True)), key=_natural)  # noqa: PTH207  (absolute patterns)
    files = [each for each in found if not each.is_dir()]
    if not files:
        files = [inner for each in found for inner in _inside(each, logs=logs)]
    if not files:
        raise ResultsError(f"{pattern} matches no file")
    return files


def _names_beside(path: Path) -> Iterable[str]:
    try:
        return os.listdir(path.parent)  # noqa: PTH208  (names only)
    except OSError:
        return []


def _inside(folder: Path, *, logs: bool) -> list[Path]:
    """Return the files of results in a folder: all of the first kind that it has."""
    present = _walk(folder)
    if logs:
        found = [path for path in present if suffix_of(path) in LOG_SUFFIXES]
        wanted = f"no log ({', '.join(LOG_SUFFIXES[:-1])})"
    else:
        found = _of_one_kind(present)
        wanted = f"no file of results ({', '.join(RESULT_SUFFIXES[:6])}, TensorBoard's events, ...)"
    if not found:
        raise ResultsError(f"{folder} is a folder with {wanted} in it; {_remedy(present)}")
    return found


def _walk(folder: Path) -> list[Path]:
    present: list[Path] = []
    entries = 0
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        entries += len(folders) + len(files)
        if entries > MAX_ENTRIES:
            raise ResultsError(f"{folder} has more than {MAX_ENTRIES} files; name those to be read")
        present += [Path(above, name) for name in files if not name.startswith(".")]
    return sorted(present, key=_natural)


def _of_one_kind(present: Sequence[Path]) -> list[Path]:
    for pattern in RUN_FILES:
        if found := [path for path in present if re.fullmatch(pattern, path.name)]:
            return _last_of_each_run(found)
    return [path for path in present if path.suffix.lower() in RESULT_SUFFIXES]


def _last_of_each_run(found: Sequence[Path]) -> list[Path]:
    """Keep one file per run: the state of the last checkpoint has the log of all before it.

    Of a trial of Ray, `progress.csv` and `result.json` hold the same. TensorBoard continues a run
    in a further file, and writes a file for each scalar, so these are all kept.
    """
    kept: dict[str, Path] = {}
    for path in found:
        separate = "tfevents" in path.name or "-tag-" in path.name
        key = str(path) if separate else "/".join(_name_parts(path))
        before = kept.get(key)
        if before is None or len(path.parts) < len(before.parts) or _is_later(path, before):
            kept[key] = path
    return list(kept.values())


def _is_later(path: Path, before: Path) -> bool:
    return len(path.parts) == len(before.parts) and path.name == before.name


def _remedy(present: Sequence[Path]) -> str:
    names = {path.name for path in present}
    if "meta.yaml" in names:
        return (
            "it is a store of MLflow: export its runs with "
            "mlflow.search_runs(search_all_experiments=True).to_csv('runs.csv')"
        )
    if any(name.endswith(".wandb") for name in names):
        return (
            "it is a folder of W&B: export the runs as CSV from the site, or read them with its API"
        )
    if any(suffix_of(path) in LOG_SUFFIXES for path in present):
        return r"to read logs, add --regex 'step (?P<step>\d+).*val loss (?P<loss>[0-9.]+)'"
    return "name a file"


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts `checkpoint-900` before `checkpoint-1000`."""
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", str(path))
        if part
    ]

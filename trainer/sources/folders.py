"""The files of a corpus: a file, those of one kind in a folder, or a saved dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources import file_kinds as kinds
from trainer.sources.compression import without_compression
from trainer.sources.file_splits import OwnSplit, name_below, own_split
from trainer.sources.saved_datasets import find_saved
from trainer.sources.text_errors import unreadable
from trainer.sources.token_files import BINS, READY


@dataclass(frozen=True)
class Selection:
    """The files of a local corpus."""

    kind: str
    paths: Sequence[Path]
    root: Path
    """The folder that the files lie in."""
    split: OwnSplit | None
    """The split that their names give."""
    rule: str | None = None
    """How names say that the text is split; None if they do not."""


def select(data: DataConfig, path: Path) -> Selection:
    """The files of the corpus at a path. Raises CorpusError if there are none, or of several kinds."""
    if path.is_file():
        return _file(data, path)
    files = _below(path)
    chosen = [file for file in files if _matches(data.pattern, file, path)]
    by_kind = _by_kind(data, path, chosen)
    may_be_saved = not data.pattern and not by_kind.keys() & {*kinds.FIRST}
    saved = find_saved(path, data.test_share) if may_be_saved else None
    if saved:
        return Selection(kinds.ARROW, saved.paths, path, saved.split, saved.rule)
    kind, found = _of_one_kind(data, path, by_kind)
    if not found:
        raise _nothing(data, path, files)
    split = None if kind in {READY, BINS} else own_split(found, path)
    rule = split.rule if split else None
    return Selection(kinds.ALIASES.get(kind, kind), found, path, split, rule)


def check_no_pattern(data: DataConfig, what: str) -> None:
    """Raise CorpusError if a pattern is given where the corpus is `what`, and not a folder."""
    if data.pattern:
        raise CorpusError(
            f"data.pattern = {data.pattern!r} chooses files of a folder, and data.corpus = "
            f"{data.corpus!r} is {what}; leave out data.pattern"
        )


def _file(data: DataConfig, path: Path) -> Selection:
    check_no_pattern(data, "a file")
    if path.suffix.lower() == READY:  # a single one may have any name
        return Selection(READY, [path], path.parent, None)
    if words := kinds.remedy(path):
        raise CorpusError(f"data.corpus = {data.corpus!r}: {path} is {words}")
    suffix = kinds.suffix_of(path)
    known = {kinds.JSON_LINES, kinds.PARQUET, kinds.ARROW, BINS, *kinds.ALIASES}
    kind = kinds.ALIASES.get(suffix, suffix) if suffix in known else kinds.TEXT
    return Selection(kind, [path], path.parent, None)


def _by_kind(data: DataConfig, folder: Path, files: Sequence[Path]) -> dict[str, list[Path]]:
    """The files of each kind. Whatever a pattern names is text, if it is no other kind."""
    by_kind: dict[str, list[Path]] = {}
    for file in files:
        kind = kinds.kind_in_folder(file, folder)
        kind = kinds.TEXT if data.pattern and kind == kinds.OTHER else kind
        by_kind.setdefault(kind, []).append(file)
    return by_kind


def _of_one_kind(
    data: DataConfig, folder: Path, by_kind: Mapping[str, Sequence[Path]]
) -> tuple[str, Sequence[Path]]:
    """The files of the kind that a folder has; no files if it has none that is known.

    Raises CorpusError if there are several.
    """
    groups = (kinds.FIRST, kinds.SECOND, kinds.THIRD)
    for group in (sum(groups, ()),) if data.pattern else groups:
        there = [kind for kind in group if kind in by_kind]
        if len(there) > 1:
            text = "text" if data.pattern else kinds.TEXT
            words = " and ".join(
                f"{len(by_kind[kind])} {text if kind == kinds.TEXT else kind}" for kind in there
            )
            raise _ambiguous(data, folder, words, there[0])
        if there:
            _check_compression(data, folder, by_kind[there[0]], there[0])
            return there[0], by_kind[there[0]]
    return kinds.OTHER, []


def _check_compression(data: DataConfig, folder: Path, files: Sequence[Path], kind: str) -> None:
    """Raise CorpusError if some files of a kind are compressed: they may be copies of the others."""
    packed = [file for file in files if without_compression(file.name) != file.name]
    if packed and len(packed) < len(files) and not data.pattern:
        words = f"{len(files) - len(packed)} {kind} and {len(packed)} {kind}{packed[0].suffix}"
        raise _ambiguous(data, folder, words, kind)


def _ambiguous(data: DataConfig, folder: Path, words: str, kind: str) -> CorpusError:
    return CorpusError(
        f"data.corpus = {data.corpus!r} is ambiguous: {folder} holds {words} files"
        f"{f' that match {data.pattern!r}' if data.pattern else ''}; choose with "
        f'data.pattern = "*{kind}", move those of one kind elsewhere, or name a file'
    )


def _nothing(data: DataConfig, folder: Path, files: Sequence[Path]) -> CorpusError:
    """The error for a folder without a file to read."""
    holds = f"it holds {kinds.counts(files)}" if files else "it is empty"
    if data.pattern:
        return CorpusError(
            f"data.pattern = {data.pattern!r} matches no file in {folder}; {holds} (hidden files "
            "are left out)"
        )
    if not files:
        return CorpusError(f"data.corpus = {data.corpus!r}: there is no file in {folder}")
    first = "it holds no .txt, .jsonl or .parquet files, ready tokens or saved dataset, but "
    begin = f"data.corpus = {data.corpus!r}: {folder}: {first}{kinds.counts(files)}"
    texts = Counter(file.suffix for file in files if not kinds.remedy(file))
    if not texts:
        return CorpusError(f"{begin}; {files[0].name} is {kinds.remedy(files[0])}")
    suffix = max(texts, key=lambda suffix: (bool(suffix), texts[suffix]))
    return CorpusError(
        f"{begin}; to read {suffix or 'all'} files as text, one document per file, write "
        f'data.pattern = "*{suffix}"'
    )


def _matches(pattern: str | None, path: Path, folder: Path) -> bool:
    """True if one of some patterns, separated by commas, matches the path below the folder.

    A pattern without a slash matches names in all folders, and `**` any number of folders.
    """
    if pattern is None:
        return True
    parts = name_below(path, folder).split("/")
    each = (one.strip().removeprefix("./").split("/") for one in pattern.split(","))
    return any(_fits(parts, one if len(one) > 1 else ["**", *one]) for one in each)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[skipped:], pattern[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _below(folder: Path) -> list[Path]:
    """All files below a folder except hidden ones, sorted by name.

    Links to folders elsewhere are followed. Raises CorpusError for a folder that cannot be read,
    since its text would be missing.
    """
    found: list[Path] = []
    seen = {folder.resolve()}
    try:
        for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            folders[:] = [name for name in folders if _is_new(Path(place, name), folder, seen)]
            paths = [Path(place, name) for name in names if not name.startswith(".")]
            # A link to nothing is refused when it is read: its text is missing.
            found += [path for path in paths if path.is_file() or path.is_symlink()]
    except OSError as error:
        raise unreadable(Path(error.filename), error) from error
    return sorted(found)


def _is_new(path: Path, folder: Path, seen: set[Path]) -> bool:
    """True unless a folder is a link back: to one that is read anyway, or that holds the corpus."""
    target, root = path.resolve(), folder.resolve()
    is_link_back = path.is_symlink() and (
        target.is_relative_to(root) or root.is_relative_to(target)
    )
    if is_link_back or target in seen:
        return False
    seen.add(target)
    return True


def _refuse(error: OSError) -> None:
    raise error

"""Splits by the names of files and folders: train-0.jsonl and valid.jsonl, or train/ and val/."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.errors import CorpusError
from trainer.sources.compression import without_compression
from trainer.sources.source import OWN_TEST, VALIDATION

TRAINING = ("train", "training")
_PREFIXES = ("train", "validation", "test")
"""A name that begins with one of these is of that split, whatever follows."""
_WORDS = (*TRAINING, *OWN_TEST)
_WHOLE = re.compile(rf"({'|'.join(_WORDS)})([-_. ]?\d+([-_. ]?of[-_. ]?\d+)?)?")
"""The name of a split and nothing else, or numbered: valid, val_1, train-00000-of-00005."""


class OwnSplit(NamedTuple):
    """Files that are for training or testing by their names."""

    testing: tuple[Path, ...]
    training: tuple[Path, ...]
    words: str
    """The rule, for people. It is part of the corpus's hash."""
    rule: str
    """The same, and what stays unread."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Test files first, so that they are read even if reading stops early."""
        return self.testing + self.training

    @classmethod
    def of_files(
        cls, testing: Sequence[Path], training: Sequence[Path], where: str, unread: Sequence[str]
    ) -> OwnSplit:
        """A split by names; `where` and `unread` are patterns for the names of files."""
        words = f"the files {where} are for testing"
        also = f"; the files {' and '.join(unread)} stay unread" if unread else ""
        return cls(tuple(testing), tuple(training), words, f"{words}{also}")


def own_split(paths: Sequence[Path], root: Path) -> OwnSplit | None:
    """The split that names below `root` give, such as train-0.parquet and valid.parquet.

    None if they give none. Raises CorpusError if the names are ambiguous: then text that is for
    testing might be trained on.
    """
    if split := _by_prefix(paths):
        return split
    names = {path: name_below(path, root) for path in paths}
    words = {path: _split_words(name) for path, name in names.items()}
    unnamed = [names[path] for path in paths if not words[path]]
    if unnamed:
        held_out = [name for name in names.values() if _is_held_out(name)]
        if held_out:
            raise _half_named(root, held_out[0], unnamed[0])
        return None
    return _by_words({path: _only(names[path], found) for path, found in words.items()}, names)


def _by_prefix(paths: Sequence[Path]) -> OwnSplit | None:
    """The split if every file name begins with `train`, `validation` or `test`."""
    parts = {
        part: tuple(path for path in paths if path.name.lower().startswith(part))
        for part in _PREFIXES
    }
    testing = next((part for part in _PREFIXES[1:] if parts[part]), None)
    if testing is None or not parts["train"] or sum(map(len, parts.values())) < len(paths):
        return None
    kind = _suffix(paths[0].name.lower())
    unread = [f"test*{kind}"] if testing != "test" and parts["test"] else []
    return OwnSplit.of_files(parts[testing], parts["train"], f"{testing}*{kind}", unread)


def _by_words(words: Mapping[Path, str], names: Mapping[Path, str]) -> OwnSplit | None:
    """The split if every path has the name of a split in it; None if all are on one side."""
    training = tuple(path for path, word in words.items() if word in TRAINING)
    held_out = {word for word in words.values() if word not in TRAINING}
    if not training or not held_out:
        return None
    validation = sorted(held_out & {*VALIDATION})
    if len(validation) > 1:
        raise CorpusError(
            f"data.corpus is ambiguous: files are named {' and '.join(validation)}, which both mean "
            "validation; move those of one name elsewhere"
        )
    chosen = (validation or sorted(held_out))[0]
    where = {
        word: _where(word, [names[path].lower() for path in words if words[path] == word])
        for word in sorted(held_out)
    }
    testing = [path for path, word in words.items() if word == chosen]
    unread = [where[word] for word in where if word != chosen]
    return OwnSplit.of_files(testing, training, where[chosen], unread)


def _where(word: str, names: Sequence[str]) -> str:
    """A pattern for files, such as `valid*.jsonl`."""
    suffix = _suffix(names[0])
    if all(name.startswith(f"{word}/") for name in names):
        return f"in {word}/"
    return (
        f"{word}*{suffix}" if all(name.startswith(word) for name in names) else f"*{word}*{suffix}"
    )


def _split_words(name: str) -> list[str]:
    """The names of splits that a path has as whole words, in order."""
    found = re.findall(r"[a-z]+", _without_suffix(name.lower()))
    return [word for word in found if word in _WORDS]


def has_split_name(name: str) -> bool:
    """True if a file's name has the name of a split as a whole word."""
    return bool(_split_words(name))


def _suffix(name: str) -> str:
    """The suffix of a file; `.jsonl` for `valid.jsonl.gz`, as compressing it changes nothing."""
    return Path(without_compression(name)).suffix


def _without_suffix(name: str) -> str:
    return without_compression(name).removesuffix(_suffix(name))


def _only(name: str, words: Sequence[str]) -> str:
    """The first word. Raises CorpusError if another one means another split."""
    first = words[0]
    other = next((word for word in words if _part(word) != _part(first)), None)
    if other:
        raise CorpusError(
            f"data.corpus is ambiguous: {name} is named both {first} and {other}; rename it so that "
            "it has the name of one split"
        )
    return first


def _part(word: str) -> str:
    return next((p[0] for p in (TRAINING, VALIDATION) if word in p), "test")


def _is_held_out(name: str) -> bool:
    """True if a file, or the folder that it lies in, is called validation or test, as a whole."""
    top, _, below = name.lower().partition("/")
    found = _WHOLE.fullmatch(top if below else _without_suffix(top))
    return found is not None and found[1] not in TRAINING


def _half_named(root: Path, held_out: str, unnamed: str) -> CorpusError:
    return CorpusError(
        f"data.corpus = {str(root)!r} is ambiguous: {held_out} is for testing by its name, and the "
        f"name of {unnamed} says nothing; begin every name with train, validation or test, or move "
        f"{held_out} elsewhere, leave it out with data.pattern, or rename it if it is to be split by "
        "hash as the others"
    )


def name_below(path: Path, root: Path) -> str:
    """The path of a file relative to the corpus, with slashes."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name

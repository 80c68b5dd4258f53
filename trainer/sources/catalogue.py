"""Find the source that `data.corpus` names: its kind and its location."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.hub import open_hub_dataset
from trainer.sources.local_files import LocalFiles
from trainer.sources.lookup import look_up
from trainer.sources.source import Source
from trainer.sources.standard_library import StandardLibrary
from trainer.sources.text_errors import unreadable
from trainer.sources.token_files import SUFFIX, ReadyTokens, is_ready

TEXT = (".txt", ".jsonl", ".parquet")
"""Suffixes of text files."""

_ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME."""


def find_source(
    data: DataConfig, cache: Path, beside: Path | None = None, *, online: bool = False
) -> Source:
    """The corpus that a recipe names: python-stdlib, local files, or a dataset on the hub.

    A relative path is looked up in the working directory and in `beside`, the study's folder.
    The network is used only if `online`. Raises CorpusError if there is no such corpus.
    """
    source = _find(data, cache, beside, online=online)
    if data.separator and not (isinstance(source, LocalFiles) and source.is_plain_text):
        raise CorpusError(
            f"data.separator = {data.separator!r} is for .txt files, and data.corpus = "
            f"{data.corpus!r} is none; leave it out"
        )
    return source


def _find(data: DataConfig, cache: Path, beside: Path | None, *, online: bool) -> Source:
    if data.corpus == "python-stdlib":
        return StandardLibrary(data)
    path = _here(data, beside)
    if path is not None:
        return _local(data, path, cache)
    if _ON_HUB.fullmatch(data.corpus) and not data.corpus.endswith((*TEXT, SUFFIX)):
        return open_hub_dataset(data, cache, online=online)
    raise CorpusError(
        f"data.corpus = {data.corpus!r}: there is no such file or folder"
        f"{f', nor is there in {beside}' if beside else ''}; name python-stdlib, a {_listed(TEXT)} "
        "file or a folder of them, or OWNER/NAME on the Hugging Face Hub"
    )


def _here(data: DataConfig, beside: Path | None) -> Path | None:
    """The path of a local corpus; None if there is none of that name."""
    found = look_up(data.corpus, beside)
    if len(found) > 1:
        one, other = (path.resolve() for path in found)
        raise CorpusError(
            f"data.corpus = {data.corpus!r} is ambiguous: {one} and {other} both exist; "
            "write the absolute path"
        )
    return found[0] if found else None


def _local(data: DataConfig, path: Path, cache: Path) -> Source:
    files = [path] if path.is_file() else _below(path)
    kinds = {
        name: [each for each in files if _kind(each, path) == name] for name in (*TEXT, SUFFIX)
    }
    there = {kind: found for kind, found in kinds.items() if found}
    if len(there) > 1:
        counts = " and ".join(f"{len(found)} {kind}" for kind, found in there.items())
        raise CorpusError(
            f"data.corpus = {data.corpus!r} is ambiguous: {path} holds {counts} "
            "files; move those of one kind elsewhere, or name a file"
        )
    if not there:
        raise CorpusError(
            f"data.corpus = {data.corpus!r}: {path} is not a {_listed(TEXT)} file, nor a folder that "
            f"holds such files or train*{SUFFIX} and validation*{SUFFIX}"
        )
    kind, found = there.popitem()
    if kind == SUFFIX:
        return ReadyTokens.here(data, found, cache)
    return LocalFiles(data, found, cache, path if path.is_dir() else None)


def _below(folder: Path) -> list[Path]:
    """All files below a folder except hidden ones, sorted by name.

    Raises CorpusError for a folder that cannot be read, since its text would be missing.
    """
    found: list[Path] = []
    try:
        for place, folders, names in os.walk(folder, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            paths = [Path(place, name) for name in names if not name.startswith(".")]
            found += [path for path in paths if path.is_file()]
    except OSError as error:
        raise unreadable(Path(error.filename), error) from error
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise error


def _kind(path: Path, corpus: Path) -> str:
    """The suffix that decides how a file is read; empty for a .safetensors file of another kind.

    A corpus that is a single .safetensors file may have any name.
    """
    name = path.name.lower()
    if name.endswith(SUFFIX):
        return SUFFIX if is_ready(path.name) or path == corpus else ""
    return path.suffix.lower()


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"

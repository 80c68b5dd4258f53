"""What `data.corpus` names: which kind of corpus it is, and where it lies."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.hub import on_hub
from trainer.sources.local_files import LocalFiles
from trainer.sources.lookup import look_up
from trainer.sources.source import Source
from trainer.sources.standard_library import StandardLibrary
from trainer.sources.text_errors import unreadable
from trainer.sources.token_files import SUFFIX, ReadyTokens, is_ready

TEXT = (".txt", ".jsonl", ".parquet")
"""Names of files that text is read from end in these."""

_ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME."""


def find_source(
    data: DataConfig, cache: Path, beside: Path | None = None, *, online: bool = False
) -> Source:
    """The corpus that a recipe names: python-stdlib, what lies here, or a dataset on the hub.

    A relative path is looked for where the command was given and in `beside`, the study's folder.
    The network is asked only when `online`. Raises CorpusError when it cannot be had.
    """
    if data.corpus == "python-stdlib":
        return StandardLibrary(data)
    path = _here(data, beside)
    if path is not None:
        return _local(data, path, cache)
    if _ON_HUB.fullmatch(data.corpus) and not data.corpus.endswith((*TEXT, SUFFIX)):
        return on_hub(data, cache, online=online)
    raise CorpusError(
        f"data.corpus = {data.corpus!r}: there is no such file or folder"
        f"{f', nor is there in {beside}' if beside else ''}; name python-stdlib, a {_listed(TEXT)} "
        "file or a folder of them, or OWNER/NAME on the Hugging Face Hub"
    )


def _here(data: DataConfig, beside: Path | None) -> Path | None:
    """Where the files of a corpus lie; None when there are none of that name."""
    found = look_up(data.corpus, beside)
    if len(found) > 1:
        one, other = (path.resolve() for path in found)
        raise CorpusError(
            f"data.corpus = {data.corpus!r} is two corpora under one name: {one} and {other}; "
            "write the whole path of the one that is meant"
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
            f"data.corpus = {data.corpus!r} is two corpora under one name: {path} holds {counts} "
            "files; move those of one kind elsewhere, or name a file"
        )
    if not there:
        raise CorpusError(
            f"data.corpus = {data.corpus!r}: {path} is no {_listed(TEXT)} file, nor a folder that "
            f"holds such files or train*{SUFFIX} and validation*{SUFFIX}"
        )
    kind, found = there.popitem()
    return (
        ReadyTokens.here(data, found, cache) if kind == SUFFIX else LocalFiles(data, found, cache)
    )


def _below(folder: Path) -> list[Path]:
    """The files in a folder and those below it, hidden ones left out, by name.

    Raises CorpusError for a folder that cannot be read, whose text would go missing.
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
    """What a file is read as; a single one that is named may be called anything with .safetensors."""
    name = path.name.lower()
    if name.endswith(SUFFIX):
        return SUFFIX if is_ready(path.name) or path == corpus else ""
    return path.suffix.lower()


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"

"""Find the source that `data.corpus` names: its kind and its location."""

from __future__ import annotations

import re
from pathlib import Path

from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources import file_kinds as kinds
from trainer.sources.folders import check_no_pattern, select
from trainer.sources.hub import is_known, open_hub_dataset
from trainer.sources.local_files import LocalFiles
from trainer.sources.lookup import look_up, look_up_one, nearest_path
from trainer.sources.source import Source
from trainer.sources.standard_library import StandardLibrary
from trainer.sources.token_files import BINS, READY, ReadyTokens

STANDARD_LIBRARY = "python-stdlib"
_ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME."""
HUB_PREFIXES = ("hf://datasets/", "https://huggingface.co/datasets/")
"""A name that begins with one of these is a dataset on the hub, whatever folders there are."""


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
            f"data.separator = {data.separator!r} is for plain text, such as a .txt file, and "
            f"data.corpus = {data.corpus!r} is not plain text; leave out data.separator"
        )
    return source


def _find(data: DataConfig, cache: Path, beside: Path | None, *, online: bool) -> Source:
    if data.corpus == STANDARD_LIBRARY:
        check_no_pattern(data, "not a folder")
        return StandardLibrary(data)
    path = look_up_one(data.corpus, beside, f"data.corpus = {data.corpus!r}", CorpusError)
    if path is not None:
        return _local(data, path, cache)
    prefix = next((each for each in HUB_PREFIXES if data.corpus.startswith(each)), "")
    name = data.corpus.removeprefix(prefix).rstrip("/")
    on_hub = data.model_copy(update={"corpus": name})
    is_one = bool(_ON_HUB.fullmatch(name))
    if is_one and (prefix or is_known(on_hub, cache) or not _seems_local(name, beside)):
        check_no_pattern(data, "not a folder")
        return open_hub_dataset(on_hub, cache, online=online)
    is_file = Path(name).suffix.lower() in kinds.SUFFIXES
    raise _missing(data, beside, name if is_one and not is_file else None)


def _local(data: DataConfig, path: Path, cache: Path) -> Source:
    chosen = select(data, path)
    if chosen.kind == READY:
        return ReadyTokens.here(data, chosen.paths, cache)
    if chosen.kind == BINS:
        return ReadyTokens.bins(data, chosen.paths, chosen.root, cache)
    return LocalFiles(data, chosen, cache)


def _seems_local(name: str, beside: Path | None) -> bool:
    """True if OWNER/NAME is rather a path: it has the suffix of a file, or OWNER is a folder."""
    if Path(name).suffix.lower() in kinds.SUFFIXES:
        return True
    return any(place.is_dir() for place in look_up(name.partition("/")[0], beside))


def _missing(data: DataConfig, beside: Path | None, on_hub: str | None) -> CorpusError:
    """The error for a corpus that does not exist, with the nearest name."""
    near = nearest_path(data.corpus, beside)
    hub = f"hf://datasets/{on_hub}" if on_hub else "OWNER/NAME"
    return CorpusError(
        f"data.corpus = {data.corpus!r}: there is no such file or folder"
        f"{f', also not in {beside}' if beside else ''}; "
        + (f"did you mean {near!r}? Otherwise " if near else "")
        + f"name python-stdlib, a file of text or a folder of them, or {hub} for a dataset on the "
        "Hugging Face Hub"
    )

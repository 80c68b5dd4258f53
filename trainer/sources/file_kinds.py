"""Kinds of files that a corpus can be made of, known by their suffix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from trainer.sources.compression import SUFFIXES as COMPRESSED
from trainer.sources.compression import without_compression
from trainer.sources.file_splits import has_split_name, name_below
from trainer.sources.token_files import BINS, READY, is_ready

TEXT, JSON_LINES, PARQUET, ARROW = ".txt", ".jsonl", ".parquet", ".arrow"
FIRST = (TEXT, JSON_LINES, PARQUET, READY)
"""Kinds of which a folder may hold one."""
SECOND = (ARROW, BINS)
"""Kinds that count if a folder has none of the first, since they often lie beside those."""
THIRD = (".ndjson", ".json")
"""Kinds that count if there are no others: descriptions of other files are .json, too."""
ALIASES = {".ndjson": JSON_LINES, ".json": JSON_LINES}
OTHER = ""
"""The kind of all other files."""
COMPRESSIBLE = (TEXT, JSON_LINES)

REMEDIES = {
    **dict.fromkeys(
        (".csv", ".tsv"),
        "a table; convert it: python -c \"import pandas; pandas.read_csv('{name}').to_parquet('{stem}.parquet')\"",
    ),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), "an archive; unpack it, and name the folder"),
    **dict.fromkeys((".pt", ".pth", ".pkl", ".npy", ".npz", ".pdf", ".docx"), "not text; save its text as .txt or .jsonl"),
    READY: "not named like ready tokens, whose files are train*.safetensors and validation*.safetensors",
    BINS: "a file of tokens or of weights; tokens are a folder with *train*.bin and *val*.bin",
}  # fmt: skip
"""What files of some suffixes are, and what to do."""

SUFFIXES = frozenset(
    {
        *FIRST,
        *SECOND,
        *THIRD,
        *REMEDIES,
        *COMPRESSED,
        ".md",
        ".rst",
        ".tex",
        ".py",
        ".html",
        ".xml",
        ".log",
    }
)
"""Suffixes that a file has, and no dataset on the hub."""


def suffix_of(path: Path) -> str:
    """The suffix of a file in lower case, without that of a compression."""
    return Path(without_compression(path.name)).suffix.lower()


def kind_in_folder(path: Path, folder: Path) -> str:
    """The kind of a file in a folder. Token files are known by their name, too."""
    suffix = suffix_of(path)
    is_compressed = without_compression(path.name) != path.name
    if is_compressed and ALIASES.get(suffix, suffix) not in COMPRESSIBLE:
        return OTHER
    if suffix == READY:
        return READY if is_ready(path.name) else OTHER
    if suffix == BINS:
        return BINS if has_split_name(name_below(path, folder)) else OTHER
    if suffix == ARROW and path.name.startswith("cache-"):  # of `datasets`: the results of a map
        return OTHER
    return suffix if suffix in {*FIRST, *SECOND, *THIRD} else OTHER


def remedy(path: Path) -> str | None:
    """What a file is that is no text, and what to do; None if it may be text."""
    words = REMEDIES.get(suffix_of(path))
    return words and words.format(name=path.name, stem=path.stem)


def counts(paths: Iterable[Path]) -> str:
    """How many files of each suffix there are: `12 .md, 3 .rst and 1 without a suffix`."""
    found = Counter(suffix_of(path) or "without a suffix" for path in paths).most_common(8)
    words = [f"{number} {suffix}" for suffix, number in found]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]

"""Datasets that `datasets` saved: `Dataset.save_to_disk` and `DatasetDict.save_to_disk`.

FOLDER/state.json              a dataset; names its files, data-00000-of-00001.arrow and so on
FOLDER/dataset_dict.json       several splits; each is a dataset in a folder of its name
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import CorpusError
from trainer.sources.file_splits import OwnSplit
from trainer.sources.source import OWN_TEST, dataset_rule, split_rule
from trainer.sources.text_errors import reading

STATE = "state.json"
SPLITS = "dataset_dict.json"


class SavedDataset(NamedTuple):
    """The files of a saved dataset in their order."""

    paths: list[Path]
    split: OwnSplit | None
    """None if it has no split for testing."""
    rule: str
    """How it is split, and what stays unread."""


def find_saved(folder: Path, share: float) -> SavedDataset | None:
    """The saved dataset in a folder; None if there is none. Raises CorpusError if it is damaged."""
    if (folder / SPLITS).is_file():
        return _with_splits(folder, [str(name) for name in _read(folder / SPLITS, "splits")], share)
    if not (folder / STATE).is_file():
        return None
    return SavedDataset(_files(folder), None, split_rule(share))


def _with_splits(folder: Path, names: list[str], share: float) -> SavedDataset:
    """The training split, and the one for testing; others stay unread, as on the hub."""
    train = "train" if "train" in names else names[0] if len(names) == 1 else None
    if train is None:
        raise CorpusError(
            f"{folder} has no split 'train', and more than one other: {', '.join(names)}; name the "
            "folder of one of them"
        )
    training = _files(folder / train)
    testing = next((name for name in OWN_TEST if name in names and name != train), None)
    unread = sorted({*names} - {train, testing})
    rule = dataset_rule(testing, unread, share)
    if testing is None:
        return SavedDataset(training, None, rule)
    split = OwnSplit(tuple(_files(folder / testing)), tuple(training), f"split {testing}", rule)
    return SavedDataset(list(split.paths), split, rule)


def _files(folder: Path) -> list[Path]:
    state = folder / STATE
    files = _read(state, "_data_files")
    try:
        names = [file["filename"] for file in files]
        return [folder / Path(name).name for name in names]
    except (TypeError, KeyError) as error:
        raise _damaged(state) from error


def _read(path: Path, key: str) -> list[Any]:
    """A list in a JSON file."""
    with reading(path):
        content = path.read_bytes()
    try:
        found = json.loads(content)
        if found.get("_indices_data_files"):
            raise CorpusError(
                f"{path.parent} is a selection of rows, which is not read; save it again with "
                "dataset.flatten_indices().save_to_disk(...)"
            )
        return list(found[key])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> CorpusError:
    return CorpusError(
        f"{path} does not belong to a dataset saved with save_to_disk, or is damaged"
    )

"""Datasets that were saved with `save_to_disk` are read with their splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather

from tests.trainer.texts import TEXTS, documents, prepare, read, write_jsonl
from trainer.errors import CorpusError

datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()


def dataset(texts: list[str] = TEXTS) -> Any:  # noqa: ANN401  (datasets has no types)
    return datasets.Dataset.from_dict({"id": list(range(len(texts))), "text": texts})


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("piece", [500, 2**21])
def test_a_saved_dataset_has_the_documents_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int, piece: int
) -> None:
    monkeypatch.setattr("trainer.sources.arrow_files.PIECE", piece)
    dataset().save_to_disk(tmp_path / "d", num_shards=shards)
    found = prepare(tmp_path / "d", tmp_path / "cache")
    assert documents(found) == documents(read(write_jsonl(tmp_path / "c.jsonl", TEXTS)))
    assert found.info.documents == 300


def test_the_splits_of_a_saved_dataset_are_used_and_stated(tmp_path: Path) -> None:
    parts = {"train": TEXTS[:200], "test": TEXTS[200:220], "validation": TEXTS[220:]}
    splits = {name: dataset(texts) for name, texts in parts.items()}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "d")
    found = read(tmp_path / "d")
    assert documents(found) == (parts["train"], parts["validation"])
    assert found.info.extent == (
        "280 documents (the dataset's split validation is for testing; its split test stays unread)"
    )
    assert read(tmp_path / "d" / "test").info.documents == 20


def test_a_dataset_without_a_training_split_is_refused(tmp_path: Path) -> None:
    datasets.DatasetDict(a=dataset(), b=dataset()).save_to_disk(tmp_path / "d")
    with pytest.raises(
        CorpusError, match="has no split 'train', and more than one other: a, b; na"
    ):
        read(tmp_path / "d")


def test_what_was_computed_from_a_saved_dataset_is_not_read_with_it(tmp_path: Path) -> None:
    dataset().save_to_disk(tmp_path / "d")
    before = read(tmp_path / "d").info
    datasets.load_from_disk(str(tmp_path / "d")).map(lambda row: {"n": len(row["text"])})
    assert len(list((tmp_path / "d").glob("*.arrow"))) == 2
    assert read(tmp_path / "d").info == before


def test_fields_of_objects_are_read_from_a_saved_dataset(tmp_path: Path) -> None:
    rows = {"meta": [{"text": text} for text in TEXTS]}
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "d")
    assert read(tmp_path / "d", text_column="meta.text").info.documents == 300


def test_a_file_of_feather_is_read_too(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"text": TEXTS}), tmp_path / "c.arrow")
    assert read(tmp_path / "c.arrow").info.documents == 300


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (-100, "is not an Arrow file, or is damaged (it is truncated); copy or save it again"),
        (-8, "is not an Arrow file, or is damaged (it is truncated); copy or save it again"),
        (0, "is not an Arrow file, or is damaged (it is truncated); copy or save it again"),
        (None, "data-00000-of-00001.arrow cannot be read (No such file or directory)"),
    ],
)
def test_a_damaged_dataset_is_refused(tmp_path: Path, left: int | None, sentence: str) -> None:
    dataset().save_to_disk(tmp_path / "d")
    file = tmp_path / "d" / "data-00000-of-00001.arrow"
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    if left is None:
        file.unlink()
    with pytest.raises(CorpusError) as refused:
        read(tmp_path / "d")
    assert sentence in str(refused.value)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"_data_files": [1]}', '{"splits": 1}'])
@pytest.mark.parametrize("name", ["state.json", "dataset_dict.json"])
def test_a_damaged_description_is_refused(tmp_path: Path, name: str, content: str) -> None:
    dataset().save_to_disk(tmp_path / "d")
    (tmp_path / "d" / name).write_text(content)
    with pytest.raises(
        CorpusError, match="does not belong to a dataset saved with save_to_disk, or is dama"
    ):
        read(tmp_path / "d")

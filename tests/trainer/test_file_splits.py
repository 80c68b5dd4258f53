"""The names of files and folders say which text is for testing; ambiguous names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.texts import TEXTS, prepare, write_jsonl
from trainer.errors import CorpusError


def write(folder: Path, *names: str) -> Path:
    """A folder of .jsonl files; each has other texts, ten times as many as the one before."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(folder / name, [f"{number}: {text}" for text in TEXTS[: 2 * 10**number]])
    return folder


@pytest.mark.parametrize(
    ("testing", "training", "pattern"),
    [
        ("valid.jsonl", "train.jsonl", "valid*.jsonl"),
        ("val.jsonl", "train.jsonl", "val*.jsonl"),
        ("dev.jsonl", "train.jsonl", "dev*.jsonl"),
        ("eval_0.jsonl", "train_0.jsonl", "eval*.jsonl"),
        ("Val-00000-of-00001.jsonl", "Train-00000-of-00001.jsonl", "val*.jsonl"),
        ("validation.jsonl", "train.jsonl", "validation*.jsonl"),
        ("test.jsonl", "training.jsonl", "test*.jsonl"),
        ("Stories-V2-valid.jsonl", "Stories-V2-train.jsonl", "*valid*.jsonl"),
        ("wiki.dev.raw.jsonl", "wiki.train.raw.jsonl", "*dev*.jsonl"),
        ("val/a.jsonl", "train/a.jsonl", "in val/"),
        ("validation/dev-0.jsonl", "train/b.jsonl", "in validation/"),
        ("default/test/0.jsonl", "default/train/0.jsonl", "*test*.jsonl"),
        ("validation-00000-of-00001.jsonl", "train-00001-of-00002.jsonl", "validation*.jsonl"),
    ],
)
def test_validation_text_is_known_by_its_name_and_is_not_trained_on(
    tmp_path: Path, testing: str, training: str, pattern: str
) -> None:
    corpus = prepare(write(tmp_path / "d", testing, training), tmp_path / "cache")
    assert corpus.info.split == f"the files {pattern} are for testing"
    assert corpus.info.extent == f"22 documents (the files {pattern} are for testing)"
    assert bytes(corpus.test.astype("uint8")).count(b"0: Document") == 2
    assert bytes(corpus.train.astype("uint8")).count(b"1: Document") == 20


def test_a_test_file_beside_a_validation_file_stays_unread(tmp_path: Path) -> None:
    corpus = prepare(
        write(tmp_path / "d", "val.jsonl", "train.jsonl", "test.jsonl"), tmp_path / "cache"
    )
    assert corpus.info.extent == (
        "22 documents (the files val*.jsonl are for testing; the files test*.jsonl stay unread)"
    )


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ["valid.jsonl", "data.jsonl"],
            "valid.jsonl is for testing by its name, and the name of data.jsonl says nothing; begin",
        ),
        (
            ["train.jsonl", "validation.jsonl", "notes.jsonl"],
            "validation.jsonl is for testing by its name, and the name of notes.jsonl says nothing;",
        ),
        (["val/a.jsonl", "text/a.jsonl"], "val/a.jsonl is for testing by its name, and the name"),
        (
            ["train.jsonl", "dev.jsonl", "valid.jsonl"],
            "files are named dev and valid, which both mean validation; move those of one name",
        ),
        (
            ["train/valid.jsonl", "valid.jsonl"],
            "train/valid.jsonl is named both train and valid; rename it",
        ),
    ],
)
def test_ambiguous_names_are_refused_with_a_message(
    tmp_path: Path, names: list[str], sentence: str
) -> None:
    with pytest.raises(CorpusError) as refused:
        prepare(write(tmp_path / "d", *names), tmp_path / "cache")
    assert " is ambiguous: " in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "names",
    [
        ["a.jsonl", "b.jsonl"],
        ["train-0.jsonl", "train-1.jsonl"],
        ["training.jsonl", "more.jsonl"],
        ["latest.jsonl", "evaluate.jsonl"],
        ["library/test.jsonl", "library/dev.jsonl", "library/io.jsonl"],
    ],
)
def test_documents_with_other_names_are_split_by_hash(tmp_path: Path, names: list[str]) -> None:
    info = prepare(write(tmp_path / "d", *names), tmp_path / "cache").info
    assert info.split == "0.1 of the documents are for testing, by the SHA-256 of their text"

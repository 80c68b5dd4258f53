"""Where a path of a recipe is looked for, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.texts import TEXTS, read
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.catalogue import find_source


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with data/corpus.txt; it is the user's home, too."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "corpus.txt").write_text(" ".join(TEXTS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_tilde_is_the_home_of_the_user() -> None:
    assert read(Path("~/data/corpus.txt")).info.files == ("corpus.txt",)
    assert read(Path("~/data")).info.files == ("corpus.txt",)


@pytest.mark.parametrize(
    ("corpus", "near"),
    [
        ("data/corpu.txt", "data/corpus.txt"),
        ("data/corpus", "data/corpus.txt"),
        ("data/corpos", "data/corpus.txt"),
        ("dta/corpus.txt", "data/corpus.txt"),
        ("./data/corpus.tx", "data/corpus.txt"),
        ("~/data/corpus.text", "~/data/corpus.txt"),
        ("dat", "data"),
    ],
)
def test_a_mistyped_path_is_missing_and_the_nearest_name_is_given(corpus: str, near: str) -> None:
    with pytest.raises(CorpusError) as refused:
        find_source(DataConfig(corpus=corpus), Path("cache"))
    expected = f"data.corpus = {corpus!r}: there is no such file or folder; did you mean {near!r}?"
    assert str(refused.value).startswith(expected)


@pytest.mark.parametrize("corpus", ["org/notes.md", "org/a.jsonl.gz", "a/b/c", "data/none", "~x/y"])
def test_a_missing_file_is_not_looked_for_on_the_hub(corpus: str) -> None:
    with pytest.raises(CorpusError, match="there is no such file or folder; name python-stdlib, a"):
        find_source(DataConfig(corpus=corpus), Path("cache"))


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("org/name", "org/name"),
        ("org/name-1.5", "org/name-1.5"),
        ("hf://datasets/data/name", "data/name"),
        ("https://huggingface.co/datasets/org/name/", "org/name"),
    ],
)
def test_a_dataset_on_the_hub_can_be_named_whatever_folders_there_are(
    corpus: str, name: str
) -> None:
    with pytest.raises(
        CorpusError, match=f"^data.corpus = '{name}' is not prepared here; `sweep da"
    ):
        find_source(DataConfig(corpus=corpus), Path("cache"))

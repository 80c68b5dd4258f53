"""Tokens of nanoGPT and of speed-runs: .bin files with and without a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.texts import read
from trainer.errors import CorpusError
from trainer.tokens import Tokens

MAGIC = 20240520
RNG = np.random.default_rng(1)


def ids(count: int, below: int = 257) -> Tokens:
    return RNG.integers(0, below, count).astype("<u2")


def write_bin(path: Path, tokens: Tokens, *, header: tuple[int, int] | None = None) -> Path:
    """Write a file as nanoGPT does, or with a header of llm.c: magic and version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.zeros(256, dtype="<i4")
    numbers[:3] = (*(header or (0, 0)), len(tokens))
    path.write_bytes((numbers.tobytes() if header else b"") + tokens.tobytes())
    return path


@pytest.mark.parametrize("header", [None, (MAGIC, 1)])
@pytest.mark.parametrize(
    ("names", "where"),
    [
        (("train.bin", "val.bin"), "val*.bin"),
        (("train.bin", "validation.bin"), "validation*.bin"),
        (("fineweb_train_000001.bin", "fineweb_val_000000.bin"), "*val*.bin"),
        (("train/0.bin", "val/0.bin"), "in val/"),
    ],
)
def test_tokens_in_bin_files_are_used_unchanged(
    tmp_path: Path, header: tuple[int, int] | None, names: tuple[str, str], where: str
) -> None:
    train, val = ids(5_000), ids(700)
    write_bin(tmp_path / names[0], train, header=header)
    write_bin(tmp_path / names[1], val, header=header)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"no tokens")
    corpus = read(tmp_path)
    assert np.array_equal(corpus.train, train)
    assert np.array_equal(corpus.test, val)
    assert corpus.info.documents == int((train == 256).sum() + (val == 256).sum())
    assert corpus.info.split == (
        f"the files {where} are for testing; the ids are read as those of the tokenizer bytes"
    )


def test_shards_are_read_in_their_order(tmp_path: Path) -> None:
    shards = [ids(300), ids(200), ids(100)]
    for number, tokens in enumerate(shards):
        write_bin(tmp_path / f"x_train_{number:06}.bin", tokens, header=(MAGIC, 1))
    write_bin(tmp_path / "x_val_000000.bin", ids(50), header=(MAGIC, 1))
    assert np.array_equal(read(tmp_path).train, np.concatenate(shards))


def test_text_beside_the_tokens_comes_first_and_a_pattern_chooses_the_tokens(
    tmp_path: Path,
) -> None:
    write_bin(tmp_path / "train.bin", ids(500))
    write_bin(tmp_path / "val.bin", ids(500))
    (tmp_path / "input.txt").write_text("To be or not to be. " * 40)
    assert read(tmp_path).info.files == ("input.txt",)
    assert read(tmp_path, pattern="*.bin").info.files == ("val.bin", "train.bin")


def refuse(folder: Path, name: str) -> Path:
    write_bin(folder / "train.bin", ids(500))
    if name == "no validation":
        return folder
    val = write_bin(folder / "val.bin", ids(500))
    if name == "characters":
        (folder / "meta.pkl").write_bytes(b"")
    elif name == "beyond":
        write_bin(val, np.array([1, 2, 300, 4], dtype="<u2"))
    elif name == "odd":
        val.write_bytes(b"abc")
    elif name == "truncated":
        write_bin(val, ids(500), header=(MAGIC, 1))
        val.write_bytes(val.read_bytes()[:-100])
    elif name == "four bytes":
        write_bin(val, ids(500), header=(20240801, 7))
    return val if name == "alone" else folder


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no validation", "has no .bin files for both training and testing; a corpus of such tok"),
        (
            "alone",
            "val.bin is a file of tokens or of weights; tokens are a folder with *train*.bin",
        ),
        ("characters", "ids of characters by "),
        ("characters", "which is not read, since a pickle can run code; name the text that they"),
        (
            "beyond",
            "val.bin: token 300 at position 2 is beyond the vocabulary of data.tokenizer = ",
        ),
        (
            "beyond",
            "which has 257; name the tokenizer that the tokens were made with, such as gpt2",
        ),
        (
            "odd",
            "val.bin has 3 bytes of tokens where two for each token are expected; it is trunca",
        ),
        ("truncated", "val.bin has 900 bytes of tokens where 1,000 are expected; it is truncated"),
        ("four bytes", "has the header 20240801, version 7, where 20240520, version 1 is expected"),
    ],
)
def test_tokens_that_cannot_be_read_are_refused(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(CorpusError) as refused:
        read(refuse(tmp_path / "d", name))
    assert sentence in str(refused.value)

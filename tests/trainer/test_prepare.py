"""Corpora of one's own: read, split, encoded once, whatever happens on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.texts import (
    TEXTS,
    WRITERS,
    documents,
    prepare,
    write_folder,
    write_jsonl,
    write_tokens,
)
from trainer.corpora.prepare import load_small, prepare_corpus
from trainer.corpora.tokenizer import load_tokenizer
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.catalogue import find_source
from trainer.sources.source import stretches


@pytest.mark.parametrize("name", WRITERS)
def test_every_document_is_read_once_in_its_order_and_split_by_its_text(
    tmp_path: Path, name: str
) -> None:
    corpus = prepare(WRITERS[name](tmp_path / name, [*TEXTS, *TEXTS[:50]]), tmp_path / "cache")
    train, test = documents(corpus)
    assert sorted(train + test) == sorted([*TEXTS, *TEXTS[:50]])
    assert not set(train) & set(test)
    assert 5 <= len(set(test)) <= 70
    assert train == [text for text in [*TEXTS, *TEXTS[:50]] if text in set(train)]
    assert corpus.info.documents == 350
    assert isinstance(corpus.train, np.memmap)


def test_the_split_does_not_depend_on_the_kind_of_file(tmp_path: Path) -> None:
    tests = [
        set(documents(prepare(write(tmp_path / name, TEXTS), tmp_path / "cache"))[1])
        for name, write in WRITERS.items()
    ]
    assert tests[0] == tests[1] == tests[2]


@pytest.mark.parametrize("kind", [".txt", ".jsonl", ".parquet"])
def test_files_named_after_a_split_are_that_split(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    named = {"Train-0": TEXTS[:9], "train-1": TEXTS[9:90], "validation": TEXTS[5:30], "test": ["x"]}
    for name, texts in named.items():
        if kind == ".txt":
            (folder / f"{name}.txt").write_text("".join(texts))
        else:
            WRITERS[f"c{kind}"](folder / f"{name}{kind}", texts)
    corpus = prepare(folder, tmp_path / "cache", test_share=0.9, max_tokens=1_500)
    train, test = ("".join(texts) for texts in documents(corpus))
    assert test == "".join(TEXTS[5:30]), "all of it, though reading stops early"
    assert "".join(TEXTS).startswith(train[:1_000])
    assert len(corpus.train) == 1_500
    assert corpus.info.split == (
        f"the files validation*{kind} are for testing; the files test*{kind} stay unread"
    )
    for name in ("test", "validation"):
        (folder / f"{name}{kind}").unlink()
    other = prepare(folder, tmp_path / "cache", test_share=0.9).info
    assert other.split == "0.9 of the documents are for testing, by the SHA-256 of their text"


def test_a_row_without_the_column_is_skipped_as_an_empty_one_is(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"id": 1}, {"id": 2, "text": None}, {"text": ""}, {}]
    rows += [{"text": text} for text in TEXTS] + [{"id": 3}]
    (tmp_path / "c.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    whole = prepare(write_jsonl(tmp_path / "d.jsonl", TEXTS), tmp_path / "cache")
    corpus = prepare(tmp_path / "c.jsonl", tmp_path / "cache")
    assert documents(corpus) == documents(whole)


@pytest.mark.parametrize("name", ["c.txt", "c.jsonl", "folder"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, name: str) -> None:
    texts = [" ".join(TEXTS)] if name == "c.txt" else TEXTS
    writers = {**WRITERS, "c.txt": lambda path, texts: path.write_text(texts[0]) and path}
    corpus = writers[name](tmp_path / name, texts)
    plain = prepare(corpus, tmp_path / "cache")
    for path in [corpus] if corpus.is_file() else sorted(corpus.iterdir()):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    marked = prepare(corpus, tmp_path / "cache")
    assert marked.info.hash != plain.info.hash
    assert sorted("".join(map("".join, documents(marked)))) == sorted(
        "".join(map("".join, documents(plain)))
    )
    assert marked.info.documents == plain.info.documents


@pytest.mark.parametrize("separator", ["<|endoftext|>", "=====", "###"])
@pytest.mark.parametrize("piece", [64, 2**21])
def test_a_separator_makes_documents_of_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: str, piece: int
) -> None:
    monkeypatch.setattr("trainer.sources.readers.PIECE", piece)
    texts = [text.strip("\n") for text in TEXTS]
    text = f"{separator}\n" + f"\n{separator}\n".join(texts) + f"\n{separator}\r\n\n"
    (tmp_path / "c.txt").write_text(text)
    corpus = prepare(tmp_path / "c.txt", tmp_path / "cache", separator=separator)
    same = prepare(write_jsonl(tmp_path / "c.jsonl", texts), tmp_path / "cache")
    assert documents(corpus) == documents(same)
    assert corpus.info.extent == same.info.extent
    assert f"300 documents ({corpus.info.split})" == corpus.info.extent


def test_a_text_with_separators_is_one_text_and_the_split_says_so(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("<|endoftext|>".join(TEXTS))
    info = prepare(tmp_path / "c.txt", tmp_path / "cache").info
    assert info.extent == (
        "one text (the last 0.1 of the text is for testing; there are several <|endoftext|>, which "
        'are trained on as text; with data.separator = "<|endoftext|>" they separate documents)'
    )


def test_a_folder_of_texts_with_separators_is_split_by_its_files_and_says_so(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name, texts in {"V2-train.txt": TEXTS[:200], "V2-valid.txt": TEXTS[200:]}.items():
        (folder / name).write_text("<|endoftext|>".join(texts))
    rule = "the files *valid*.txt are for testing"
    plain = prepare(folder, tmp_path / "cache").info
    assert plain.split.startswith(f"{rule}; there are several <|endoftext|>, which are trained on")
    corpus = prepare(folder, tmp_path / "cache", separator="<|endoftext|>")
    assert (corpus.info.documents, corpus.info.split) == (300, rule)
    assert documents(corpus)[1] == [text.strip("\n") for text in TEXTS[200:]]


def test_a_separator_is_refused_where_it_would_have_no_effect(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "c.jsonl", TEXTS)
    with pytest.raises(CorpusError, match=r"^data.separator = '###' is for plain text, such as a "):
        prepare(path, tmp_path / "cache", separator="###")


def test_the_end_of_a_single_text_is_for_testing_and_no_text_is_lost(tmp_path: Path) -> None:
    text = " ".join(TEXTS)
    (tmp_path / "c.txt").write_text(text)
    corpus = prepare(tmp_path / "c.txt", tmp_path / "cache", test_share=0.2)
    assert corpus.info.extent == "one text (the last 0.2 of the text is for testing)"
    train, test = documents(corpus)
    assert train[0] + test[0] == text
    assert len(test[0].encode()) / len(text.encode()) == pytest.approx(0.2, abs=0.01)


def test_a_corpus_encoded_in_memory_equals_the_one_on_the_disk(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "c.jsonl", TEXTS)
    data = DataConfig(corpus=str(path), tokenizer="bpe-300", max_tokens=2_000)
    source = find_source(data, tmp_path)
    memory, disk = load_small(data, source), prepare_corpus(data, source, tmp_path / "cache")
    assert memory
    assert memory.info == disk.info
    assert len(disk.train) == 2_000
    for name in ("train", "test", "byte_lengths"):
        assert np.array_equal(getattr(memory, name), getattr(disk, name))
    folder = tmp_path / "cache" / disk.info.folder
    assert (folder / "tokenizer.json").read_bytes() == memory.tokenizer
    decoded = load_tokenizer("bpe-300", folder).decode(disk.train.tolist())
    assert decoded.decode(errors="replace").startswith(TEXTS[0] + "<|endoftext|>")


def test_files_and_split_of_a_corpus_are_recorded(tmp_path: Path) -> None:
    info = prepare(write_folder(tmp_path / "f", TEXTS), tmp_path / "cache").info
    assert info.files[:2] == ("000.txt", "001.txt")
    assert info.files[-1] == "and 280 more"
    assert info.split == "0.1 of the documents are for testing, by the SHA-256 of their text"


def test_a_moved_corpus_is_the_same_and_a_changed_one_is_not(tmp_path: Path) -> None:
    first = prepare(write_jsonl(tmp_path / "a.jsonl", TEXTS), tmp_path / "cache").info
    (tmp_path / "a.jsonl").rename(tmp_path / "b.jsonl")
    moved = prepare(tmp_path / "b.jsonl", tmp_path / "cache").info
    assert moved == first
    write_jsonl(tmp_path / "b.jsonl", TEXTS[1:])
    assert prepare(tmp_path / "b.jsonl", tmp_path / "cache").info.hash != first.hash
    other = prepare(tmp_path / "b.jsonl", tmp_path / "cache", test_share=0.2).info
    assert other.hash != first.hash


WORDS = ["a", "I'll", "三。字", "größer,", "12.5", "(x)", "a\u3000b", "'s", "—", "e\u0301"]


@settings(max_examples=60)
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=20),
    gap=st.sampled_from([" ", "\n"]),
    size=st.integers(40, 90),
)
def test_a_long_text_encoded_in_parts_has_the_same_tokens(
    gpt2_vocabulary: Path, words: list[str], gap: str, size: int
) -> None:
    text = (gap.join(words * 20) + gap).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
        patch.setattr("trainer.sources.source.PIECE", size)
        tokenizer = load_tokenizer("gpt2")
        parts = [tokenizer.encode(part) for part in stretches(text)]
    assert len(parts) >= len(text) // (2 * size)
    assert np.array_equal(np.concatenate(parts), tokenizer.encode(text))


@settings(max_examples=60)
@given(text=st.text(min_size=1, max_size=60), size=st.integers(8, 40))
def test_no_character_is_lost_or_cut(text: str, size: int) -> None:
    long = (text * 20).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.sources.source.PIECE", size)
        assert "".join(part.decode() for part in stretches(long)) == text * 20


def test_token_files_are_used_unchanged(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    parts = {
        name: rng.integers(0, 257, 5_000).astype(np.uint16)
        for name in ("train_0", "train_1", "validation")
    }
    corpus = prepare(write_tokens(tmp_path / "t", **parts), tmp_path / "cache")
    assert np.array_equal(corpus.train, np.concatenate([parts["train_0"], parts["train_1"]]))
    assert np.array_equal(corpus.test, parts["validation"])
    assert corpus.info.documents == sum(int((part == 256).sum()) for part in parts.values())

"""Corpora of one's own: read, split, encoded once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.disks import small_disk
from trainer.catalogue import find_source
from trainer.corpus import Corpus
from trainer.errors import CorpusError
from trainer.prepare import load_small, prepare_corpus
from trainer.recipe import DataConfig
from trainer.source import stretches
from trainer.tokenizer import ByteTokenizer, load_tokenizer

TEXTS = [f"Document {i}: größer, 三.\n" + "word " * (i % 7) for i in range(300)]


def prepare(corpus: Path, cache: Path, **fields: Any) -> Corpus:  # noqa: ANN401  (data fields)
    data = DataConfig.model_validate({"corpus": str(corpus), **fields})
    return prepare_corpus(data, find_source(data, cache), cache)


def documents(corpus: Corpus) -> tuple[list[str], list[str]]:
    """The texts for training and for testing."""
    tokenizer = ByteTokenizer()
    both = (
        tokenizer.decode(tokens.tolist()).decode().split("<|endoftext|>")[:-1]
        for tokens in (corpus.train, corpus.test)
    )
    train, test = both
    return train, test


def write_jsonl(path: Path, texts: list[str], column: str = "text") -> Path:
    path.write_text("".join(json.dumps({column: text, "id": 1}) + "\n" for text in texts))
    return path


def write_parquet(path: Path, texts: list[str], rows: int = 40) -> Path:
    table = pa.table({"id": [str(i) for i in range(len(texts))], "text": texts})
    pq.write_table(table, path, row_group_size=rows)
    return path


def write_folder(path: Path, texts: list[str]) -> Path:
    path.mkdir()
    for i, text in enumerate(texts):
        (path / f"{i:03}.txt").write_text(text)
    return path


WRITERS: dict[str, Callable[[Path, list[str]], Path]] = {
    "c.jsonl": write_jsonl,
    "c.parquet": write_parquet,
    "folder": write_folder,
}


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


def test_the_split_is_the_same_whatever_the_file(tmp_path: Path) -> None:
    tests = [
        set(documents(prepare(write(tmp_path / name, TEXTS), tmp_path / "cache"))[1])
        for name, write in WRITERS.items()
    ]
    assert tests[0] == tests[1] == tests[2]


@pytest.mark.parametrize("kind", [".txt", ".jsonl", ".parquet"])
def test_files_that_are_named_for_a_split_are_that_split(tmp_path: Path, kind: str) -> None:
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
    assert corpus.info.split == f"the files validation*{kind} are for testing"
    (folder / f"notes{kind}").write_bytes((folder / f"test{kind}").read_bytes())
    other = prepare(folder, tmp_path / "cache", test_share=0.9).info
    assert other.split == "0.9 of the documents are for testing, by the SHA-256 of their text"
    assert other.documents > corpus.info.documents


def test_of_a_single_text_the_end_is_for_testing_and_nothing_is_lost(tmp_path: Path) -> None:
    text = " ".join(TEXTS)
    (tmp_path / "c.txt").write_text(text)
    train, test = documents(prepare(tmp_path / "c.txt", tmp_path / "cache", test_share=0.2))
    assert train[0] + test[0] == text
    assert len(test[0].encode()) / len(text.encode()) == pytest.approx(0.2, abs=0.01)


def test_in_memory_it_is_what_it_is_on_the_disk(tmp_path: Path) -> None:
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


def test_what_a_corpus_is_is_recorded(tmp_path: Path) -> None:
    info = prepare(write_folder(tmp_path / "f", TEXTS), tmp_path / "cache").info
    assert info.files[:2] == ("000.txt", "001.txt")
    assert info.files[-1] == "and 280 more"
    assert info.split == "0.1 of the documents are for testing, by the SHA-256 of their text"


def test_a_corpus_that_moves_is_the_same_and_one_that_changes_is_not(tmp_path: Path) -> None:
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
def test_a_long_text_has_the_same_tokens_in_parts(
    gpt2_vocabulary: Path, words: list[str], gap: str, size: int
) -> None:
    text = (gap.join(words * 20) + gap).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
        patch.setattr("trainer.source.PIECE", size)
        tokenizer = load_tokenizer("gpt2")
        parts = [tokenizer.encode(part) for part in stretches(text)]
    assert len(parts) >= len(text) // (2 * size)
    assert np.array_equal(np.concatenate(parts), tokenizer.encode(text))


@settings(max_examples=60)
@given(text=st.text(min_size=1, max_size=60), size=st.integers(8, 40))
def test_no_character_is_lost_or_cut(text: str, size: int) -> None:
    long = (text * 20).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.source.PIECE", size)
        assert "".join(part.decode() for part in stretches(long)) == text * 20


SLOW = """
import sys, time
from pathlib import Path
import trainer.prepare as prepare
from trainer.catalogue import find_source
from trainer.recipe import DataConfig
prepare.SECONDS_APART = 0.0
cache = Path(sys.argv[2])
data = DataConfig(corpus=sys.argv[1])
def report(progress, share):
    print(progress.documents, flush=True)
    time.sleep(float(sys.argv[3]))
print(prepare.prepare_corpus(data, find_source(data, cache), cache, report).info.hash, flush=True)
"""


def start(root: Path, corpus: Path, cache: Path, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW, str(corpus), str(cache), str(pause)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_after_a_kill_the_next_one_goes_on_and_ends_with_the_same_bytes(
    root: Path, tmp_path: Path
) -> None:
    corpus = write_folder(tmp_path / "folder", TEXTS)
    whole = prepare(corpus, tmp_path / "whole").info.folder
    process = start(root, corpus, tmp_path / "cache", 0.01)
    assert process.stdout
    for line in process.stdout:
        if int(line) >= 20:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    [aside] = (tmp_path / "cache").iterdir()
    done = json.loads((aside / "progress.json").read_bytes())["documents"]
    assert 0 < done < 300
    seen: list[int] = []
    data = DataConfig(corpus=str(corpus))
    source = find_source(data, tmp_path / "cache")
    prepare_corpus(data, source, tmp_path / "cache", lambda p, _: seen.append(p.documents))
    assert seen[0] == done
    assert contents(tmp_path / "cache" / whole) == contents(tmp_path / "whole" / whole)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [whole]


def test_of_two_processes_one_prepares_and_the_other_takes_over_when_it_dies(
    root: Path, tmp_path: Path
) -> None:
    corpus = write_folder(tmp_path / "folder", TEXTS)
    first = start(root, corpus, tmp_path / "cache", 0.02)
    assert first.stdout
    first.stdout.readline()
    second = start(root, corpus, tmp_path / "cache", 0.0)
    time.sleep(0.5)
    first.kill()
    first.communicate()
    said = second.communicate(timeout=60)[0].split()
    assert second.returncode == 0
    assert said[-1] == prepare(corpus, tmp_path / "cache").info.hash
    assert len(list((tmp_path / "cache").iterdir())) == 1


def write_tokens(folder: Path, **parts: Any) -> Path:  # noqa: ANN401  (arrays)
    folder.mkdir(exist_ok=True)
    for name, tokens in parts.items():
        save_file({"tokens": tokens}, folder / f"{name}.safetensors")
    return folder


def test_ready_tokens_are_taken_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    parts = {
        name: rng.integers(0, 257, 5_000).astype(np.uint16)
        for name in ("train_0", "train_1", "validation")
    }
    corpus = prepare(write_tokens(tmp_path / "t", **parts), tmp_path / "cache")
    assert np.array_equal(corpus.train, np.concatenate([parts["train_0"], parts["train_1"]]))
    assert np.array_equal(corpus.test, parts["validation"])
    assert corpus.info.documents == sum(int((part == 256).sum()) for part in parts.values())


def bad(folder: Path, name: str) -> Path:  # noqa: C901, PLR0912  (a case for each name)
    """A corpus that cannot be read."""
    fine = np.zeros(100, dtype=np.uint16)
    path = folder / "bad"
    if name == "empty":
        path = folder / "bad.txt"
        path.write_text("")
    elif name == "not utf-8":
        path = folder / "bad.txt"
        path.write_bytes(b"abc " * 100 + b"\xe9t\xe9" + b" abc" * 100)
    elif name == "json not utf-8":
        path = folder / "bad.jsonl"
        path.write_bytes(b'{"text": "a"}\n{"text": "\xe9"}\n')
    elif name == "broken line":
        path = folder / "bad.jsonl"
        path.write_bytes(b'{"text": "a"}\n\n{"text": "b"\n')
    elif name == "a line without the column":
        path = folder / "bad.jsonl"
        path.write_bytes(b'{"text": "a"}\n{"body": "b"}\n')
    elif name == "no column":
        path = write_jsonl(folder / "bad.jsonl", TEXTS, "body")
    elif name == "no column in parquet":
        path = folder / "bad.parquet"
        pq.write_table(pa.table({"body": ["x"], "url": ["y"]}), path)
    elif name == "not parquet":
        path = folder / "bad.parquet"
        path.write_bytes(b"PAR1 no")
    elif name == "beyond":
        tokens = fine.copy()
        tokens[70] = 300
        write_tokens(path, train=fine, validation=tokens)
    elif name == "wrong type":
        write_tokens(path, train=fine.astype(np.int32), validation=fine)
    elif name == "truncated":
        write_tokens(path, train=fine, validation=fine)
        whole = (path / "train.safetensors").read_bytes()
        (path / "train.safetensors").write_bytes(whole[:-10])
    elif name == "no validation":
        write_tokens(path, train=fine)
    elif name == "two kinds":
        write_folder(path, TEXTS[:2])
        write_jsonl(path / "x.jsonl", TEXTS)
    return path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("empty", "is empty: there is no text in it"),
        ("not utf-8", "bad.txt is not UTF-8: the first byte that is not lies at offset 400;"),
        ("json not utf-8", "bad.jsonl is not UTF-8: the first byte that is not lies at offset 24;"),
        ("broken line", "bad.jsonl: line 3, at byte 15, is not JSON (Expecting ',' delimiter)"),
        (
            "a line without the column",
            "bad.jsonl: line 2, at byte 14, has no column 'text'; its columns: body;",
        ),
        ("no column", "has no column 'text'; its columns: body, id; name the one with the text"),
        ("no column in parquet", "has no column 'text'; its columns: body, url; name the one"),
        ("not parquet", "bad.parquet is no parquet file, or damaged ("),
        ("beyond", "validation.safetensors: token 300 at position 70 is beyond the vocabulary of"),
        ("wrong type", "'tokens' is I32 of shape [100], where a vector of U16 is expected"),
        ("truncated", "train.safetensors is no safetensors file, or truncated ("),
        ("no validation", "has no validation*.safetensors; a corpus of ready tokens has files"),
        ("two kinds", "is two corpora under one name: "),
        ("nothing", "there is no such file or folder"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_refused_with_a_sentence_and_leaves_nothing(
    tmp_path: Path, name: str, sentence: str
) -> None:
    path = bad(tmp_path, name)
    with pytest.raises(CorpusError) as refused:
        prepare(path, tmp_path / "cache")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "cache").exists() or not any((tmp_path / "cache").iterdir())


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Document", b"document"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (rewrite, "has changed while it was read; prepare it again"),
        (Path.unlink, "cannot be read (No such file or directory)"),
    ],
)
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_changes_while_it_is_read_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, change: Callable[[Path], object], sentence: str
) -> None:
    corpus = WRITERS[name](tmp_path / name, TEXTS)
    file = corpus if corpus.is_file() else max(corpus.iterdir())
    data = DataConfig(corpus=str(corpus))
    source = find_source(data, tmp_path / "cache")
    source.origin()
    change(file)
    with pytest.raises(CorpusError) as refused:
        prepare_corpus(data, source, tmp_path / "cache")
    assert str(refused.value) == f"{file} {sentence}"
    assert list((tmp_path / "cache").iterdir()) == []


LOCKED = """
import sys
from pathlib import Path
from trainer.catalogue import find_source
from trainer.errors import UserError
from trainer.prepare import prepare_corpus
from trainer.recipe import DataConfig
data, cache = DataConfig(corpus=sys.argv[1]), Path(sys.argv[2])
try:
    prepare_corpus(data, find_source(data, cache), cache)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("locked", "mode"),
    [("folder", 0), ("folder/within", 0), ("folder/within/001.txt", 0), ("cache", 0o500)],
)
def test_what_may_not_be_read_or_written_is_named_and_nothing_is_passed_over(
    root: Path, tmp_path: Path, locked: str, mode: int
) -> None:
    (tmp_path / "cache").mkdir()
    write_folder(tmp_path / "folder", TEXTS[:3])
    write_folder(tmp_path / "folder" / "within", TEXTS[3:6])
    (tmp_path / locked).chmod(mode)
    privileges = "-dac_override,-dac_read_search"
    as_others = ["setpriv", f"--bounding-set={privileges}", f"--inh-caps={privileges}"]
    command = [sys.executable, "-c", LOCKED, tmp_path / "folder", tmp_path / "cache" / "below"]
    done = subprocess.run(
        [*(as_others if os.geteuid() == 0 else []), *command],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / locked).chmod(0o700)
    assert done.stderr == ""
    where = tmp_path / ("cache/below" if locked == "cache" else locked)
    assert done.stdout.startswith(f"{where} cannot be ")
    assert "(Permission denied)" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_a_relative_name_with_two_files_behind_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("here", "study"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "c.txt").write_text(folder)
    monkeypatch.chdir(tmp_path / "here")
    data = DataConfig(corpus="c.txt")
    with pytest.raises(CorpusError, match=r"is two corpora under one name: .+; write the whole"):
        find_source(data, tmp_path, tmp_path / "study")


def test_a_full_disk_is_a_sentence_and_nothing_is_left_on_it(tmp_path: Path) -> None:
    corpus = write_jsonl(tmp_path / "c.jsonl", ["x" * 1_000] * 200)
    with small_disk(tmp_path / "small", 2**16) as small:
        with pytest.raises(CorpusError) as refused:
            prepare(corpus, small / "cache")
        assert str(refused.value) == (
            f"{small / 'cache'} cannot be written (No space left on device); nothing of the corpus "
            "is left there: free some space and prepare it again, or choose another folder with "
            "--runs DIR"
        )
        assert list((small / "cache").iterdir()) == []

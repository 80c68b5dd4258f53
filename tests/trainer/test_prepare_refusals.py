"""A corpus that cannot be read, or not be kept, is refused with a sentence and leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.disks import small_disk
from tests.trainer.texts import (
    TEXTS,
    WRITERS,
    prepare,
    write_folder,
    write_jsonl,
    write_tokens,
)
from trainer.corpora.prepare import prepare_corpus
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.catalogue import find_source


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
    elif name == "utf-16":
        path = folder / "bad.jsonl"
        path.write_text('{"text": "a"}\n', encoding="utf-16")
    elif name == "no line with the column in a second file":
        path.mkdir()
        write_jsonl(path / "a.jsonl", TEXTS)
        (path / "b.jsonl").write_bytes(b'\n{"body": "b"}\n{"url": "c"}\n')
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
        ("not utf-8", "bad.txt is not UTF-8: the first invalid byte is at offset 400;"),
        ("json not utf-8", "bad.jsonl is not UTF-8: the first invalid byte is at offset 24;"),
        ("broken line", "bad.jsonl: line 3, at byte 15, is not JSON (Expecting ',' delimiter)"),
        ("utf-16", "bad.jsonl is UTF-16, where UTF-8 is expected; convert it: iconv -f UTF-16"),
        (
            "no line with the column in a second file",
            "b.jsonl has no column 'text'; its columns: body, url; name the one with the text",
        ),
        ("no column", "has no column 'text'; its columns: body, id; name the one with the text"),
        ("no column in parquet", "has no column 'text'; its columns: body, url; name the one"),
        ("not parquet", "bad.parquet is not a parquet file, or is damaged ("),
        ("beyond", "validation.safetensors: token 300 at position 70 is beyond the vocabulary of"),
        ("wrong type", "'tokens' is I32 of shape [100], where a vector of U16 is expected"),
        ("truncated", "train.safetensors is not a safetensors file, or is truncated ("),
        ("no validation", "has no validation*.safetensors; a corpus of ready tokens has files"),
        ("two kinds", " is ambiguous: "),
        ("nothing", "there is no such file or folder"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_refused_with_a_message_and_leaves_nothing_behind(
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
def test_a_file_that_changes_while_it_is_read_is_refused_and_leaves_nothing_behind(
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
from trainer.sources.catalogue import find_source
from trainer.errors import UserError
from trainer.corpora.prepare import prepare_corpus
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
def test_a_file_without_permission_is_named_and_no_file_is_skipped(
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


def test_an_ambiguous_relative_path_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("here", "study"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "c.txt").write_text(folder)
    monkeypatch.chdir(tmp_path / "here")
    data = DataConfig(corpus="c.txt")
    with pytest.raises(CorpusError, match=r" is ambiguous: .+; write the absolute path"):
        find_source(data, tmp_path, tmp_path / "study")


def test_a_full_disk_gives_a_message_and_leaves_nothing_behind(tmp_path: Path) -> None:
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

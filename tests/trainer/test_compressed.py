"""Compressed text is read as if it were decompressed, in bounded memory; damage is told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.trainer.texts import TEXTS, prepare, read, write_jsonl
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.catalogue import find_source


def with_arrow(codec: str) -> Callable[[bytes], bytes]:
    def compress(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()

    return compress


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": with_arrow("zstd"),
    ".lz4": with_arrow("lz4"),
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_file_is_the_corpus_that_its_text_is(tmp_path: Path, suffix: str) -> None:
    plain = write_jsonl(tmp_path / "c.jsonl", TEXTS)
    packed = tmp_path / f"c.jsonl{suffix}"
    half = len(plain.read_bytes()) // 2
    for parts in ([plain.read_bytes()], [plain.read_bytes()[:half], plain.read_bytes()[half:]]):
        packed.write_bytes(b"".join(map(COMPRESS[suffix], parts)))
        found, expected = read(packed), read(plain)
        assert found.info.hash == expected.info.hash
        assert found.info.files == (f"c.jsonl{suffix}",)
        assert np.array_equal(found.train, expected.train)
        assert np.array_equal(found.test, expected.test)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("left", [0.5, 0.999])
def test_a_truncated_file_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, suffix: str, left: float
) -> None:
    whole = COMPRESS[suffix]("".join(TEXTS).encode())
    path = tmp_path / f"c.txt{suffix}"
    path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(CorpusError) as refused:
        prepare(path, tmp_path / "cache")
    assert str(refused.value).startswith(f"{path} is compressed with ")
    assert "and cannot be decompressed (" in str(refused.value)
    assert not (tmp_path / "cache").exists()


def test_the_content_tells_how_a_file_is_compressed_and_not_its_name(tmp_path: Path) -> None:
    content = write_jsonl(tmp_path / "c.jsonl", TEXTS).read_bytes()
    expected = read(tmp_path / "c.jsonl").info.hash
    named = {"a.jsonl": gzip.compress(content), "b.jsonl.gz": content}
    named["c.jsonl.gz"] = COMPRESS[".zst"](content)
    for name, written in named.items():
        (tmp_path / name).write_bytes(written)
        assert read(tmp_path / name).info.hash == expected, name


@pytest.mark.parametrize("piece", [100, 2**21])
@pytest.mark.parametrize("separator", [None, "###"])
def test_a_compressed_text_is_cut_where_the_text_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, separator: str | None
) -> None:
    monkeypatch.setattr("trainer.sources.readers.PIECE", piece)
    monkeypatch.setattr("trainer.sources.readers.CUT_REACH", 40)
    text = b"\xef\xbb\xbf" + "###".join(TEXTS).encode()
    (tmp_path / "c.txt").write_bytes(text)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(text))
    expected = read(tmp_path / "c.txt", separator=separator)
    found = read(tmp_path / "c.txt.gz", separator=separator)
    assert found.info.hash == expected.info.hash
    assert found.info.extent == expected.info.extent
    assert np.array_equal(found.train, expected.train)
    assert np.array_equal(found.test, expected.test)


def test_a_preparation_goes_on_in_the_middle_of_a_compressed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.sources.json_lines.PIECE", 1_000)
    monkeypatch.setattr("trainer.sources.compression.BLOCK", 700)
    write_jsonl(tmp_path / "c.jsonl", TEXTS)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress((tmp_path / "c.jsonl").read_bytes()))
    source = find_source(DataConfig(corpus=str(tmp_path / "c.jsonl.gz")), tmp_path)
    whole = [text for piece in source.pieces() for text in piece.texts()]
    pieces = list(source.pieces())
    assert len(pieces) > 10
    before = [text for piece in pieces[:7] for text in piece.texts()]
    after = [text for piece in source.pieces(pieces[6].resume) for text in piece.texts()]
    assert before + after == whole


def test_memory_is_bounded_however_large_the_text_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.sources.readers.PIECE", 2**13)
    monkeypatch.setattr("trainer.sources.readers.CUT_REACH", 2**10)
    monkeypatch.setattr("trainer.sources.compression.BLOCK", 2**13)
    text = " ".join(TEXTS * 60).encode()
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(text))
    source = find_source(DataConfig(corpus=str(tmp_path / "c.txt.gz")), tmp_path)
    assert source.size == len(text)
    tracemalloc.start()
    read_bytes = sum(len(text.content) for piece in source.pieces() for text in piece.texts())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read_bytes == len(text)
    assert most < len(text) / 4


def test_splits_are_known_by_the_names_of_compressed_files(tmp_path: Path) -> None:
    for name, texts in {"train": TEXTS[:200], "valid": TEXTS[200:]}.items():
        content = write_jsonl(tmp_path / name, texts).read_bytes()
        (tmp_path / name).unlink()
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(content))
    info = read(tmp_path).info
    assert info.extent == "300 documents (the files valid*.jsonl are for testing)"


def test_compressed_files_beside_others_are_ambiguous_until_a_pattern_chooses(
    tmp_path: Path,
) -> None:
    content = write_jsonl(tmp_path / "c.jsonl", TEXTS).read_bytes()
    alone = read(tmp_path).info.hash
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(content))
    with pytest.raises(CorpusError) as refused:
        read(tmp_path)
    assert 'holds 1 .jsonl and 1 .jsonl.gz files; choose with data.pattern = "*.jsonl"' in str(
        refused.value
    )
    assert read(tmp_path, pattern="*.jsonl").info.hash == alone

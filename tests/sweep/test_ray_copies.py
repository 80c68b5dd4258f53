"""Copies of run directories: what arrives, and when, without a cluster."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sweep.executors.ray import copies
from sweep.executors.ray.copies import Copy, Update, read_update
from sweep.executors.ray.node_copies import CORPUS, DONE, NodeCopies


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def follow(original: Path, copy: Copy) -> int:
    """Bring a copy up to date; returns the bytes that were sent."""
    sent, complete = 0, False
    while not complete:
        update = read_update(original, copy.known)
        copy.apply(update)
        sent += sum(len(piece.content) for piece in update.pieces)
        complete = update.is_complete
    return sent


def test_a_copy_follows_every_change_and_sends_of_a_growing_file_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "UPDATE_BYTES", 1000)
    original, copy = tmp_path / "original", Copy(tmp_path / "copy")
    (original / "checkpoints" / "step-1").mkdir(parents=True)
    (original / "lock").write_text("1\n")
    (original / "events.jsonl").write_bytes(b"a" * 50)
    large = random.Random(1).randbytes(3500)
    (original / "checkpoints" / "step-1" / "state").write_bytes(large)
    assert follow(original, copy) == 50 + 3500
    with (original / "events.jsonl").open("ab") as file:
        file.write(b"b" * 7)
    assert follow(original, copy) == 7
    (original / "checkpoints" / "step-1" / "state").unlink()
    (original / "result.json").write_bytes(b"{}")
    assert follow(original, copy) == 2
    replaced = original / ".new"
    replaced.write_bytes(b"c")
    replaced.rename(original / "events.jsonl")  # a resumed run drops what came after its checkpoint
    assert follow(original, copy) == 1
    (original / "lock").unlink()
    assert content(copy.folder) == content(original)


def test_a_result_arrives_after_all_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "UPDATE_BYTES", 10)
    original, copy = tmp_path / "original", Copy(tmp_path / "copy")
    original.mkdir()
    for name in ("weights.safetensors", "result.json", "log.txt"):
        (original / name).write_bytes(b"x" * 25)
    complete = False
    while not complete:
        update = read_update(original, copy.known)
        copy.apply(update)
        complete = update.is_complete
        if "result.json" in content(copy.folder):
            assert content(copy.folder) == content(original)
    assert content(copy.folder) == content(original)


def test_a_node_keeps_a_corpus_once_it_has_arrived_and_replaces_old_copies_of_a_run(
    tmp_path: Path,
) -> None:
    corpus, node = tmp_path / "bytes-1", NodeCopies(str(tmp_path / "disk"))
    corpus.mkdir()
    (corpus / "train.bin").write_bytes(b"tokens")
    assert not node.prepare("/runs/a", 1, corpus.name)
    for _ in range(2):  # two runs may bring it at the same time
        node.accept(CORPUS + corpus.name, read_update(corpus, {}))
        assert not node.prepare("/runs/b", 1, corpus.name) or node.prepare("/runs/b", 1, None)
        node.accept(DONE + corpus.name, Update(pieces=[], removed=[], is_complete=True))
    assert content(tmp_path / "disk" / "runs" / "cache") == {"bytes-1/train.bin": b"tokens"}
    (node.place_of("/runs/a") / "old").touch()
    assert node.prepare("/runs/a", 2, corpus.name)
    assert content(node.place_of("/runs/a")) == {"lock": b"2\n"}

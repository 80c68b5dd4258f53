"""`sweep data` prepares, lists and removes corpora."""

from __future__ import annotations

import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import numpy as np
import pytest

from sweep.queue.owner import this_process
from sweep.store.store import Store
from sweep.workload.job import Job
from tests.sweep.one_by_one import OneByOne
from trainer.corpora.corpus import Corpus, CorpusInfo, save_corpus
from trainer.corpora.prepare import IN_MEMORY_BYTES

Run = Callable[..., subprocess.CompletedProcess[str]]
TEXTS = [f"Document {i}: größer.\n" + "word " * (i % 7) for i in range(300)]


@pytest.fixture
def folder(empty: Path, study_text: str) -> Path:
    """A study beside the text that it reads."""
    lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS]
    (empty / "mine.jsonl").write_text("".join(lines))
    data = '[baseline.data]\ncorpus = "mine.jsonl"\n\n'
    (empty / "s.toml").write_text(study_text.replace("[baseline.model]", data + "[baseline.model]"))
    return empty


def corpora(sweep: Run, folder: Path) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(
        sweep(folder, "data", "list", "--format", "json").stdout
    )
    return listed


@pytest.mark.slow
def test_a_corpus_is_prepared_listed_and_removed(folder: Path, sweep: Run) -> None:
    done = sweep(folder, "data", "prepare", "s.toml")
    [entry] = corpora(sweep, folder)
    train, test, hashed = entry["train_tokens"], entry["test_tokens"], str(entry["hash"])
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == (
        f"mine.jsonl (bytes) is ready: {train:,} training and {test:,} test tokens in 300 "
        "documents (0.1 of the documents are for testing, by the SHA-256 of their text), hash "
        f"{hashed[:16]}.\n"
    )
    size = sum(len(text.encode()) + 1 for text in TEXTS)
    assert (int(str(train)) + int(str(test)), entry["documents"]) == (size, 300)
    files = (folder / str(entry["folder"])).iterdir()
    assert entry["bytes"] == sum(path.stat().st_size for path in files)
    titles, _, row = sweep(folder, "data", "list").stdout.strip().splitlines()
    assert titles.split() == ["corpus", "tokenizer", "MB", "training", "test", "documents", "hash"]
    assert row.split()[:2] + row.split()[3:] == [
        "mine.jsonl", "bytes", f"{train:,}", f"{test:,}", "300", hashed[:12],
    ]  # fmt: skip
    removed = sweep(folder, "data", "remove", hashed[:8])
    assert removed.stdout == f"mine.jsonl-bytes-{hashed[:16]} removed, 0.0 MB.\n"
    assert list((folder / "runs" / "cache").iterdir()) == []
    assert sweep(folder, "data", "list").stdout == (
        "No corpus is prepared in runs/cache; `sweep data prepare STUDY`.\n"
    )


@pytest.mark.slow
def test_another_tokenizer_makes_another_corpus_and_an_ambiguous_name_is_refused(
    folder: Path, sweep: Run
) -> None:
    sweep(folder, "data", "prepare", "s.toml")
    sweep(folder, "data", "prepare", "s.toml", "--override", "data.tokenizer=bpe-300")
    assert [entry["tokenizer"] for entry in corpora(sweep, folder)] == ["bpe-300", "bytes"]
    refused = sweep(folder, "data", "remove", "mine.jsonl")
    assert re.fullmatch(
        r"sweep: 'mine.jsonl' may be mine.jsonl-bpe-300-\w{16} and mine.jsonl-bytes-\w{16}; name "
        r"one of these folders\n",
        refused.stderr,
    )
    assert refused.returncode == 2
    assert len(corpora(sweep, folder)) == 2


def test_an_unknown_corpus_cannot_be_removed(folder: Path, sweep: Run) -> None:
    refused = sweep(folder, "data", "remove", "yours")
    assert refused.stderr == (
        "sweep: no corpus 'yours' in runs/cache; `sweep data list` shows all corpora\n"
    )
    assert refused.returncode == 2


def test_a_corpus_smaller_than_one_batch_is_refused_before_anything_is_written(
    folder: Path, sweep: Run
) -> None:
    (folder / "mine.jsonl").write_text(json.dumps({"text": "No more than this."}) + "\n")
    refused = sweep(folder, "data", "prepare", "s.toml", "--override", "data.test_share=0.01")
    assert refused.stderr == (
        "sweep: s.toml: arm 'baseline': the mine.jsonl corpus in bytes tokens is smaller than one "
        "batch: its training split has 19 tokens, and train.batch_size x model.context is 128; "
        "use smaller batches\n"
    )
    assert refused.returncode == 2
    assert not (folder / "runs").exists()


@pytest.mark.slow
def test_a_corpus_that_unfinished_runs_need_is_removed_only_with_force(
    filled: Store, tmp_path: Path, sweep: Run
) -> None:
    filled.engine.dispose()
    tokens = np.zeros(100, dtype=np.uint16)
    info = CorpusInfo("mine", "bytes", "c", 1, 100, 100)
    save_corpus(Corpus(info, tokens, tokens, np.ones(257, np.int64)), tmp_path / "runs" / "cache")
    refused = sweep(tmp_path, "data", "remove", "mine")
    assert refused.stderr == (
        "sweep: mine-bytes-c is needed by runs that are not finished: 2 of tiny; finish them, or "
        "remove it anyway with --force\n"
    )
    assert refused.returncode == 2
    assert len(corpora(sweep, tmp_path)) == 1
    removed = sweep(tmp_path, "data", "remove", "mine", "--force")
    assert removed.stdout.splitlines() == [
        "mine-bytes-c removed, 0.0 MB.",
        "The results of 4 runs of tiny stay; new seeds or arms prepare it again.",
    ]
    assert corpora(sweep, tmp_path) == []


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_corpus_that_unfinished_runs_of_no_study_need_is_kept(
    store: Store, jobs: list[Job], state: str, tmp_path: Path, sweep: Run
) -> None:
    queue = OneByOne(store, this_process())
    queue.enqueue(jobs)
    if state == "running":
        assert all(queue.claim(job.run_id) for job in jobs)
    store.engine.dispose()
    tokens = np.zeros(100, dtype=np.uint16)
    info = CorpusInfo("mine", "bytes", jobs[0].corpus_hash, 1, 100, 100)
    save_corpus(Corpus(info, tokens, tokens, np.ones(257, np.int64)), tmp_path / "runs" / "cache")
    refused = sweep(tmp_path, "data", "remove", "mine")
    assert refused.returncode == 2
    assert "4 of `sweep noise` or an earlier plan; finish them" in refused.stderr
    assert len(corpora(sweep, tmp_path)) == 1


@pytest.mark.slow
def test_unfinished_and_damaged_corpora_are_listed_as_such_and_can_be_removed(
    folder: Path, sweep: Run
) -> None:
    sweep(folder, "data", "prepare", "s.toml")
    [entry] = corpora(sweep, folder)
    (folder / str(entry["folder"]) / "test.bin").unlink()
    aside = folder / "runs" / "cache" / ".preparing-other"
    aside.mkdir()
    (aside / "train.bin").write_bytes(b"abcd")
    listed = sweep(folder, "data", "list").stdout
    assert ".preparing-other  not finished  0.0" in re.sub(r" {3,}", "  ", listed)
    assert re.search(r"mine.jsonl-bytes-\w+ +damaged +0.0", listed)
    for name in (aside.name, Path(str(entry["folder"])).name):
        assert sweep(folder, "data", "remove", name).returncode == 0
    assert corpora(sweep, folder) == []


def write_large(folder: Path) -> None:
    """Text that is too large to be encoded in memory."""
    line = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\n"
    (folder / "a-text-with-a-rather-long-name.txt").write_text(
        line * (IN_MEMORY_BYTES // len(line) + 1)
    )


LARGE = ("--override", "data.corpus=a-text-with-a-rather-long-name.txt")


def test_a_pipe_gets_one_line_and_no_progress_bar(folder: Path, sweep: Run) -> None:
    write_large(folder)
    first, second = sweep(folder, "data", "prepare", "s.toml", *LARGE).stdout.splitlines()
    assert first == "Preparing a-text-with-a-rather-long-name.txt (bytes)."
    assert second.startswith("a-text-with-a-rather-long-name.txt (bytes) is ready: 30,")
    again = sweep(folder, "data", "prepare", "s.toml", *LARGE).stdout.splitlines()
    assert again == [second], "a corpus is prepared once"


def on_a_terminal(folder: Path, environment: dict[str, str], *words: str) -> str:
    """Return what a command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "sweep", *words],
        cwd=folder,
        env={**environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 2**16):
                said += part
        except OSError:  # EIO: the other end is closed
            pass
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())


@pytest.mark.nightly
def test_a_terminal_shows_a_progress_bar_with_the_time_left(
    folder: Path, environment: dict[str, str], gpt2_vocabulary: Path
) -> None:
    write_large(folder)
    words = ("data", "prepare", "s.toml", *LARGE, "--override", "data.tokenizer=gpt2")
    said = on_a_terminal(
        folder, {**environment, "TIKTOKEN_CACHE_DIR": str(gpt2_vocabulary)}, *words
    )
    frames = re.split(r"[\r\n]+", said)
    bars = [frame for frame in frames if "tokens" in frame and "%" in frame]
    assert all(bar.startswith("…rather-long-name.txt (gpt2) ") for bar in bars), bars
    assert any(re.search(r" \d+% \d\.\dM tokens \d:\d\d:\d\d left$", bar) for bar in bars), bars
    assert max(len(frame) for frame in frames) <= 80

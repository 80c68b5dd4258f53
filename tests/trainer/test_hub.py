"""Datasets of the hub, over HTTP: a server of our own answers, refuses, or says nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from tests.patience import PATIENCE
from tests.trainer.fake_hub import COMMIT, serve, silent_name_server
from trainer.corpora.corpus import open_corpus
from trainer.corpora.tokenizer import ByteTokenizer, train_tokenizer

FIND = """
import sys, time
import huggingface_hub.hf_api
from pathlib import Path
from trainer.sources.catalogue import find_source
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
began = time.monotonic()
try:
    print(find_source(DataConfig(corpus=sys.argv[1]), Path(sys.argv[2]), online=True).origin().revision)
except CorpusError as error:
    print(error)
print(time.monotonic() - began)
"""
KNOWN = """
import sys
from pathlib import Path
from trainer.sources.catalogue import find_source
from trainer.recipe import DataConfig
print(find_source(DataConfig(corpus=sys.argv[1]), Path(sys.argv[2])).origin().revision)
print(*sorted({"datasets", "huggingface_hub"} & set(sys.modules)))
"""
PREPARE = """
import sys, time
from pathlib import Path
import trainer.sources.hub, trainer.corpora.prepare
from trainer.sources.catalogue import find_source
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
trainer.sources.hub.PIECE, trainer.sources.hub.ROWS_PER_BATCH, trainer.corpora.prepare.SAVE_SECONDS = 2**15, 64, 0.0
data, cache = DataConfig(corpus=sys.argv[1], tokenizer=sys.argv[3]), Path(sys.argv[2])
def report(progress, share):
    print(progress.documents, flush=True)
    time.sleep(float(sys.argv[4]))
try:
    source = find_source(data, cache, online=True)
    print(trainer.corpora.prepare.prepare_corpus(data, source, cache, report).info.folder)
except CorpusError as error:
    print(error)
"""
TEXTS = {
    name: [f"{name} {i}: größer. " + "word " * (i % 50) for i in range(documents)]
    for name, documents in {
        "train-0": 1_000,
        "train-1": 1_500,
        "validation": 500,
        "test": 9,
    }.items()
}
SERVE = """
import sys
from pathlib import Path
from tests.trainer.fake_hub import serve
with serve(Path(sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""
IMPATIENT = "import time; wait = time.sleep; time.sleep = lambda s: wait(min(s, 0.05))"
"""The libraries' waits between their tries are half a minute each time."""
OFFLINE = "what works offline: python-stdlib, local files, and corpora that `sweep data list` shows"
NOWHERE = "http://127.0.0.1:9"
"""An address without a server."""


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the hub serves: text in parquet files, ready tokens, a gated text."""
    folder = tmp_path_factory.mktemp("hub")
    for name in ("some/text", "some/tokens", "gated/text"):
        (folder / name / "data").mkdir(parents=True)
    for name, texts in TEXTS.items():
        table = pa.table({"id": list(range(len(texts))), "text": texts})
        pq.write_table(table, folder / f"some/text/data/{name}.parquet", row_group_size=333)
    shutil.copytree(folder / "some" / "text", folder / "gated" / "text", dirs_exist_ok=True)
    rng = np.random.default_rng(1)
    for name in ("train", "validation"):
        tokens = rng.integers(0, 300, 5_000).astype(np.uint16)
        save_file({"tokens": tokens}, folder / "some" / "tokens" / f"{name}.safetensors")
    words = [f"the {first}{second} of it" for first in "abcdefgh" for second in "ijklmnop"]
    (folder / "some" / "tokens" / "tokenizer.json").write_bytes(train_tokenizer("bpe-300", words))
    return folder


@pytest.fixture(scope="module")
def hub(datasets: Path) -> Iterator[str]:
    with serve(datasets) as address:
        yield address


def start(root: Path, code: str, *words: object, **environment: str) -> subprocess.Popen[str]:
    """Start a process that uses the hub at HF_ENDPOINT and is not logged in."""
    quiet = {
        k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()
    }
    return subprocess.Popen(
        [sys.executable, "-c", code, *(str(word) for word in words)],
        cwd=root,
        env={**quiet, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def say(root: Path, code: str, *words: object, **environment: str) -> list[str]:
    process = start(root, code, *words, **environment)
    said = process.communicate(timeout=PATIENCE)[0].splitlines()
    assert process.returncode == 0
    return said


def prepare(root: Path, cache: Path, name: str, tokenizer: str, **environment: str) -> list[str]:
    environment |= {"HF_HOME": str(cache / "home")}
    return say(root, PREPARE, name, cache, tokenizer, 0, **environment)


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory, hub: str) -> Path:
    """The folder of the text, prepared without a break."""
    cache = tmp_path_factory.mktemp("whole")
    return cache / prepare(root, cache, "some/text", "bytes", HF_ENDPOINT=hub)[-1]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.nightly
def test_a_killed_preparation_continues_its_stream_and_ends_with_the_same_bytes(
    root: Path, tmp_path: Path, hub: str, whole: Path
) -> None:
    at = {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "home")}
    for documents in (200, 1_100):  # while the one split is read, and the other
        process = start(root, PREPARE, "some/text", tmp_path, "bytes", 0.02, **at)
        assert process.stdout
        next(line for line in process.stdout if int(line) >= documents)
        process.kill()
        process.communicate()
    lost = prepare(root, tmp_path, "some/text", "bytes", HF_ENDPOINT=NOWHERE)[-1]
    assert lost.startswith(f"data.corpus = 'some/text': {NOWHERE} could not be reached (")
    begun, *_, last = prepare(root, tmp_path, "some/text", "bytes", HF_ENDPOINT=hub)
    assert 1_100 <= int(begun) < 3_000
    assert contents(tmp_path / last) == contents(whole)


@pytest.mark.nightly
def test_a_connection_lost_during_reading_is_reported_and_finished_work_is_kept(
    root: Path, tmp_path: Path, datasets: Path
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, datasets],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    address = server.stdout.readline().strip()
    at = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home")}
    code = f"{IMPATIENT}\n{PREPARE}"
    process = start(root, code, "some/text", tmp_path, "bytes", 0.05, **at)
    assert process.stdout
    next(line for line in process.stdout if int(line) > 0)
    server.kill()
    server.communicate()
    said, errors = process.communicate(timeout=PATIENCE)
    assert said.splitlines()[-1].startswith(
        f"data.corpus = 'some/text': {address} could not be reached ("
    )
    assert errors == ""
    [aside] = tmp_path.glob(".preparing-*")
    assert (aside / "progress.json").exists()


def test_a_datasets_own_validation_split_is_for_testing(whole: Path) -> None:
    corpus = open_corpus(whole)
    train, test = (
        ByteTokenizer().decode(tokens.tolist()).decode().split("<|endoftext|>")[:-1]
        for tokens in (corpus.train, corpus.test)
    )
    assert train == TEXTS["train-0"] + TEXTS["train-1"]
    assert test == TEXTS["validation"]
    assert corpus.info.split == (
        "the dataset's split validation is for testing; its split test stays unread"
    )
    assert (corpus.info.documents, corpus.info.revision) == (3_000, COMMIT)


def test_token_files_are_downloaded_once_with_their_tokenizer(
    root: Path, tmp_path: Path, datasets: Path, hub: str
) -> None:
    folder = prepare(root, tmp_path, "some/tokens", "bpe-300", HF_ENDPOINT=hub)[-1]
    corpus = open_corpus(tmp_path / folder)
    theirs = datasets / "some" / "tokens"
    assert (tmp_path / folder / "train.bin").read_bytes() == corpus.train.tobytes()
    assert corpus.train.tobytes() == (theirs / "train.safetensors").read_bytes()[-10_000:]
    assert corpus.test.tobytes() == (theirs / "validation.safetensors").read_bytes()[-10_000:]
    tokenizer = (theirs / "tokenizer.json").read_bytes()
    assert (tmp_path / folder / "tokenizer.json").read_bytes() == tokenizer
    shutil.rmtree(tmp_path / folder)
    assert prepare(root, tmp_path, "some/tokens", "bpe-300", HF_ENDPOINT=NOWHERE)[-1] == folder


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "gated/text",
            (
                "this dataset is gated; accept its terms at {hub}/datasets/gated/text, then log in "
                "with `hf auth login` or set HF_TOKEN"
            ),
        ),
        (
            "some/other",
            (
                "there is no such dataset on the Hugging Face Hub, or it is private; check the name, "
                "or log in with `hf auth login`"
            ),
        ),
    ],
)
def test_a_dataset_that_the_hub_refuses_gives_a_message_and_leaves_nothing_behind(
    root: Path, tmp_path: Path, hub: str, name: str, sentence: str
) -> None:
    said = prepare(root, tmp_path, name, "bytes", HF_ENDPOINT=hub)[-1]
    assert said == f"data.corpus = {name!r}: {sentence.format(hub=hub)}"
    assert {path.name for path in tmp_path.iterdir()} <= {"home", "hub.json"}


def test_a_dataset_is_looked_up_once_and_then_read_at_its_commit(
    root: Path, tmp_path: Path, hub: str
) -> None:
    assert say(root, FIND, "some/text", tmp_path, HF_ENDPOINT=hub)[0] == COMMIT
    again = say(root, KNOWN, "some/text", tmp_path, HF_ENDPOINT=NOWHERE)
    assert again == [COMMIT, ""], "no request is made, and no heavy package imported"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HF_ENDPOINT": NOWHERE}, f"{NOWHERE} could not be reached ("),
        ({"HF_HUB_OFFLINE": "1"}, "it cannot be read from the hub, as HF_HUB_OFFLINE is set; "),
    ],
)
def test_without_a_network_a_message_says_what_works_offline(
    root: Path, tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    began = time.monotonic()
    said = say(root, FIND, "some/text", tmp_path, **environment)[0]
    assert time.monotonic() - began < 30
    assert said.startswith(f"data.corpus = 'some/text': {reason}")
    assert said.endswith(OFFLINE)


@pytest.mark.slow
def test_a_hub_that_never_answers_times_out_within_seconds(root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        said, seconds = say(root, FIND, "some/text", tmp_path, HF_ENDPOINT=address)
    assert float(seconds) < 30
    assert said.startswith(f"data.corpus = 'some/text': {address} could not be reached (")
    assert said.endswith(OFFLINE)


@pytest.mark.slow
def test_a_name_server_that_hangs_times_out_within_seconds(root: Path, tmp_path: Path) -> None:
    with silent_name_server(tmp_path) as before:
        words = [*before, sys.executable, "-c", FIND]
        wrapped = f"import os, sys; os.execvp({words[0]!r}, {words!r} + sys.argv[1:])"
        said, seconds = say(
            root, wrapped, "some/text", tmp_path / "cache", HF_ENDPOINT="http://hub.example"
        )
    assert float(seconds) < 30
    assert said.startswith("data.corpus = 'some/text': http://hub.example could not be reached (")
    assert said.endswith(OFFLINE)

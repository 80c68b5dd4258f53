from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.patience import PATIENCE
from trainer.corpora.corpus import Corpus, open_corpus, save_corpus
from trainer.corpora.prepare import load_small
from trainer.errors import CorpusError
from trainer.recipe import DataConfig, Recipe
from trainer.sources.standard_library import Document, StandardLibrary, content_hash

DOCUMENTS = [Document("a.py", b"x = 1\n"), Document("b.py", b"y = 2\n")]


def test_the_hash_depends_only_on_paths_texts_and_split() -> None:
    known = "d665309b24bb7c2b884cfcaedceacb850eba3786028addee89c7082965423a56"
    assert content_hash(DOCUMENTS, DataConfig()) == known
    assert content_hash([DOCUMENTS[0], Document("b.py", b"y = 3\n")], DataConfig()) != known
    assert content_hash([DOCUMENTS[0], Document("c.py", b"y = 2\n")], DataConfig()) != known


def test_the_hash_depends_on_the_boundaries_of_documents() -> None:
    one, two = [Document("a", b"xb\n1\ny")], [Document("a", b"x"), Document("b", b"y")]
    assert content_hash(one, DataConfig()) != content_hash(two, DataConfig())


def standard_library() -> Corpus:
    made = load_small(DataConfig(), StandardLibrary(DataConfig()))
    assert made
    return made


def test_the_corpus_of_one_machine_is_always_the_same() -> None:
    first, second = (standard_library() for _ in range(2))
    assert first.info == second.info
    assert np.array_equal(first.train, second.train)


def test_a_saved_corpus_is_mapped_as_it_was(corpus: Corpus, tmp_path: Path) -> None:
    mapped = open_corpus(save_corpus(corpus, tmp_path / "new" / "cache"))
    assert mapped.info == corpus.info
    for name in ("train", "test", "byte_lengths"):
        saved = getattr(mapped, name)
        assert isinstance(saved, np.memmap)
        assert np.array_equal(saved, getattr(corpus, name))


def test_a_corpus_that_was_never_saved_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_corpus(tmp_path / "python-stdlib-bytes-0123")


@pytest.mark.parametrize("name", ["train.bin", "test.bin", "byte_lengths.bin"])
def test_a_truncated_file_is_refused_with_a_message(
    corpus: Corpus, tmp_path: Path, name: str
) -> None:
    folder = save_corpus(corpus, tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-1])
    with pytest.raises(CorpusError) as refused:
        open_corpus(folder)
    assert str(refused.value) == (
        f"{folder} is damaged ({name} has {len(whole) - 1} bytes where {len(whole)} are "
        "expected); remove this folder and run again"
    )


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"a": 1}', b"[]", b"\xff"])
@pytest.mark.parametrize("name", ["corpus.json", "train.bin"])
def test_a_missing_or_invalid_file_is_refused_with_a_message(
    corpus: Corpus, tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = save_corpus(corpus, tmp_path)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(CorpusError, match=r"is damaged \(.+\); remove this folder and run again"):
        open_corpus(folder)


def test_two_processes_that_save_one_corpus_at_once_both_succeed(
    root: Path, tmp_path: Path
) -> None:
    code = (
        "import sys, pathlib\n"
        "from trainer.corpora.corpus import open_corpus, save_corpus\n"
        "from trainer.corpora.prepare import load_small\n"
        "from trainer.recipe import DataConfig\n"
        "from trainer.sources.standard_library import StandardLibrary\n"
        "cache = pathlib.Path(sys.argv[1])\n"
        "corpus = load_small(DataConfig(), StandardLibrary(DataConfig()))\n"
        "print(flush=True); sys.stdin.readline()\n"  # both begin to save together
        "print(open_corpus(save_corpus(corpus, cache)).info.hash)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [
        subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    hashes = {process.communicate(timeout=PATIENCE)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    info = standard_library().info
    assert hashes == {info.hash}
    assert [path.name for path in tmp_path.iterdir()] == [info.folder]


def test_a_context_longer_than_the_text_is_refused_with_a_message(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe(
        {"model.context": 60_000, "train.tokens": 480_000, "evaluation.chunk_tokens": 60_000}
    )
    with pytest.raises(CorpusError) as refused:
        corpus.check_fits(recipe)
    assert str(refused.value) == (
        "model.context = 60000 is longer than the python-stdlib corpus in bytes tokens, whose "
        "training split has 60000; use a smaller context"
    )


def test_a_split_without_text_is_refused_and_the_message_says_how_it_was_split(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    info = replace(corpus.info, documents=2, split="0.1 of the documents are for testing")
    with pytest.raises(CorpusError) as refused:
        replace(corpus, info=info, test=corpus.test[:0]).check_fits(make_recipe({}))
    assert str(refused.value) == (
        "the python-stdlib corpus in bytes tokens has no text for testing (documents: 2; 0.1 of "
        "the documents are for testing); use more text, or another data.test_share"
    )


def test_more_chunks_than_the_test_text_has_are_refused_with_a_message(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"evaluation.chunks": 90, "evaluation.start_token": 240})
    with pytest.raises(CorpusError) as refused:
        corpus.check_fits(recipe)
    assert str(refused.value) == (
        "evaluation asks for 90 chunks of 64 tokens from token 240, but the test split of the "
        "python-stdlib corpus in bytes tokens has 6000; use fewer chunks"
    )


def test_text_that_is_just_long_enough_fits(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"evaluation.chunks": 90, "evaluation.start_token": 239})
    corpus.check_fits(recipe)  # 239 + 90 x 64 inputs, and one more token as the last target
    with pytest.raises(CorpusError):
        replace(corpus, test=corpus.test[:-1]).check_fits(recipe)

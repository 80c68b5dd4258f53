from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.patience import PATIENCE
from trainer.corpora.tokenizer import BytePairTokenizer, ByteTokenizer, load_tokenizer
from trainer.recipe import vocabulary_size


@pytest.fixture(scope="module")
def gpt2(gpt2_vocabulary: Path) -> Iterator[BytePairTokenizer]:
    """The real tokenizer, from the vocabulary that lies beside the repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
        yield cast("BytePairTokenizer", load_tokenizer("gpt2"))


@given(st.text())
def test_byte_tokens_are_the_bytes_of_the_text(text: str) -> None:
    tokens = ByteTokenizer().encode(text.encode())
    assert tokens.dtype == np.uint16
    assert bytes(tokens.tolist()) == text.encode()


def test_gpt2_tokens_equal_those_of_gpt2(gpt2: BytePairTokenizer) -> None:
    assert gpt2.encode(b"Hello world").tolist() == [15_496, 995]
    # Text that looks like a special token is text.
    assert gpt2.end_of_text not in gpt2.encode(b"<|endoftext|>")


@pytest.mark.parametrize("name", ["bytes", "gpt2"])
def test_the_byte_length_of_every_token_is_known(name: str, request: pytest.FixtureRequest) -> None:
    tokenizer = load_tokenizer(name) if name == "bytes" else request.getfixturevalue("gpt2")
    lengths = tokenizer.byte_lengths()
    text = "def f(x):\n    return 'Zoë — 三' * x\n".encode()
    assert lengths.shape == (vocabulary_size(name),) == (tokenizer.vocabulary,)
    assert lengths[tokenizer.encode(text)].sum() == len(text)
    assert lengths[tokenizer.end_of_text] == 0


def test_without_network_or_cache_gpt2_is_refused_quickly_with_a_message(
    root: Path, tmp_path: Path
) -> None:
    code = (
        "from trainer.errors import CorpusError\n"
        "from trainer.corpora.tokenizer import load_tokenizer\n"
        "try: load_tokenizer('gpt2')\n"
        "except CorpusError as error: print(error)"
    )
    nowhere = "http://127.0.0.1:9"  # the discard port, without a server
    environment = {
        **{name: value for name, value in os.environ.items() if name.lower() != "no_proxy"},
        "TIKTOKEN_CACHE_DIR": str(tmp_path),
        "HTTPS_PROXY": nowhere,
        "https_proxy": nowhere,
    }
    began = time.monotonic()
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert time.monotonic() - began < 60
    assert finished.stdout == (
        "data.tokenizer = 'gpt2' needs GPT-2's vocabulary, which is downloaded once and could not "
        "be reached; connect to the network, or save "
        "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/vocab.bpe as "
        "6d1cbeee0f20b3d9449abfede4726ed8212e3aee and "
        "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/encoder.json as "
        f"6c7ea1a7e38e3a7f062df639a5b80947f075ffe6 in {tmp_path} (TIKTOKEN_CACHE_DIR may name "
        "another folder with files of these names), or use data.tokenizer = 'bytes'\n"
    )

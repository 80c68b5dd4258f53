"""An exported run, loaded by transformers: the same tokens, the same logits, the same text."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

from model.gpt import GPT
from tests.trainer.own_tokenizers import roberta
from trainer.corpora.tokenizer import Tokenizer, train_tokenizer
from trainer.errors import WeightsError
from trainer.recipe import vocabulary_size
from trainer.rundir.directory import RunDirectory
from trainer.sampling import Sampling, sample
from trainer.sources.standard_library import standard_library
from trainer.tokenizer_names import name_of
from trainer.tokens import TOKENIZER_FILE
from trainer.weights.export import export
from trainer.weights.pretrained import open_pretrained
from trainer.weights.tokenizer_files import find_tokenizer
from trainer.weights.weights import load_model

Weights = Callable[..., tuple[RunDirectory, GPT]]

OWN_FILE = roberta().to_str().encode()
OWN = name_of(OWN_FILE, 400, 2)
"""A tokenizer from a file, which cuts and pads texts and puts tokens around them."""
TOKENIZERS = ("bytes", "gpt2", "bpe-400", OWN)
TEXT = """\
Der schnelle braune Fuchs. Ταχεία αλώπηξ. Съешь же ещё этих мягких булок. いろはにほへと 天地玄黃,宇宙洪荒。
키스의 고유조건은 입술끼리 만나야. صِف خَلقَ خَودِ — דג סקרן. ऋषियों को सताने वाले. เป็นมนุษย์สุดประเสริฐ ງູຈົ່ວ ∀x∈ℝ: ⌈x⌉ 👩‍👩‍👧‍👦🏳️‍🌈
\t\x00\x1b[2J<|endoftext|> e\u0301 \u00a0\u2003\u3000 12٣४ Ⅷ ½ I'll we've 'S\r\n   def f(self):  return {'a': [1]}  \n\n """
EXACT = 1e-5


@pytest.fixture(autouse=True, scope="module")
def _vocabulary(request: pytest.FixtureRequest) -> Iterator[None]:
    """GPT-2's vocabulary, where there is one."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            patch.setenv("TIKTOKEN_CACHE_DIR", str(request.getfixturevalue("gpt2_vocabulary")))
        except pytest.skip.Exception:
            patch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
        yield


@pytest.fixture(scope="module")
def make(
    tmp_path_factory: pytest.TempPathFactory, make_weights: Weights, request: pytest.FixtureRequest
) -> Callable[..., tuple[RunDirectory, GPT]]:
    """Makes a run of two layers with a tokenizer."""

    def make_it(tokenizer: str, **model: Any) -> tuple[RunDirectory, GPT]:  # noqa: ANN401
        if tokenizer == "gpt2":
            request.getfixturevalue("gpt2_vocabulary")
        changes = {"model.layers": 2, "data.tokenizer": tokenizer}
        changes |= {f"model.{name}": value for name, value in model.items()}
        run, network = make_weights(tmp_path_factory.mktemp("run"), changes)
        if tokenizer.startswith("bpe"):
            texts = [TEXT, *(document.text.decode() for document in standard_library()[:20])]
            (run.path / TOKENIZER_FILE).write_bytes(train_tokenizer(tokenizer, texts))
        if tokenizer == OWN:
            (run.path / TOKENIZER_FILE).write_bytes(OWN_FILE)
        return run, network

    return make_it


@pytest.fixture(scope="module", params=TOKENIZERS)
def both(
    request: pytest.FixtureRequest, make: Weights, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tokenizer, Any]:
    """A tokenizer of ours, and what transformers makes of its files."""
    run, _ = make(request.param, context=64)
    folder = tmp_path_factory.mktemp("exported") / "model"
    export(run, folder, "")
    return find_tokenizer(open_pretrained(run.path)), AutoTokenizer.from_pretrained(folder)


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("tie_embeddings", [True, False])
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_transformers_computes_the_logits_of_the_run(
    tokenizer: str, tie_embeddings: bool, qkv_bias: bool, make: Weights, tmp_path: Path
) -> None:
    run, ours = make(tokenizer, tie_embeddings=tie_embeddings, qkv_bias=qkv_bias)
    export(run, tmp_path / "model", "# A card\n")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    back = load_model(open_pretrained(tmp_path / "model"))
    read = torch.randint(0, vocabulary_size(tokenizer), (3, 16))
    with torch.no_grad():
        logits = ours(read)
        assert (theirs(read).logits - logits).abs().max() <= EXACT
        assert back(read).equal(logits)
    assert logits.std() > 0.1
    assert theirs.config.tie_word_embeddings == tie_embeddings
    assert theirs.dtype == torch.float32
    assert (tmp_path / "model" / "README.md").read_text() == "# A card\n"


def test_with_large_weights_the_run_rounds_no_more_than_transformers_does(
    make: Weights, tmp_path: Path
) -> None:
    """Float32 itself is coarser than 1e-5 there: both lie that far from what float64 gives."""
    run, ours = make("bytes", init_std=1.0, width=64)
    export(run, tmp_path / "model", "")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    read = torch.randint(0, 257, (8, 16), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        logits = ours(read)
        other = theirs(read).logits
        exact = theirs.double()(read).logits
    assert logits.abs().max() > 20
    assert (logits - exact).std() < 1.5 * (other - exact).std()


def test_transformers_reads_the_tokens_of_the_run_in_many_scripts(
    both: tuple[Tokenizer, Any],
) -> None:
    ours, theirs = both
    ids = ours.encode(TEXT.encode()).tolist()
    assert theirs(TEXT)["input_ids"] == ids
    assert theirs.decode(ids) == TEXT
    assert (theirs.eos_token_id, len(theirs)) == (ours.end_of_text, ours.vocabulary)


@settings(max_examples=150)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_transformers_reads_the_tokens_of_the_run_in_any_text(
    both: tuple[Tokenizer, Any], text: str
) -> None:
    ours, theirs = both
    assert theirs(text)["input_ids"] == ours.encode(text.encode()).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_an_exported_tokenizer_is_read_back_as_it_was(
    tokenizer: str, make: Weights, tmp_path: Path
) -> None:
    run, _ = make(tokenizer)
    export(run, tmp_path / "model", "")
    ours, again = (find_tokenizer(open_pretrained(p)) for p in (run.path, tmp_path / "model"))
    assert again.encode(TEXT.encode()).tolist() == ours.encode(TEXT.encode()).tolist()
    assert (again.vocabulary, again.end_of_text) == (ours.vocabulary, ours.end_of_text)


def test_a_transformers_pipeline_generates_the_same_text_as_the_run(
    make: Weights, tmp_path: Path
) -> None:
    run, ours = make("bytes", context=32)
    export(run, tmp_path / "model", "")
    write = pipeline("text-generation", str(tmp_path / "model"))
    said = write("def f", max_new_tokens=12, do_sample=False, return_full_text=False)
    greedy = sample(ours, b"def f", Sampling(tokens=12, temperature=0), 256)
    assert said[0]["generated_text"] == bytes(greedy).decode(errors="replace")


def test_an_export_is_complete_and_leaves_no_temporary_files(make: Weights, tmp_path: Path) -> None:
    export(make("bytes")[0], tmp_path / "new" / "model", "")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]
    assert {path.name for path in (tmp_path / "new" / "model").iterdir()} == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_an_empty_folder_is_filled_and_one_in_use_is_refused(make: Weights, tmp_path: Path) -> None:
    run, _ = make("bytes")
    (tmp_path / "model").mkdir()
    export(run, tmp_path / "model", "")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    with pytest.raises(WeightsError, match="exists and is not empty; name another folder"):
        export(run, tmp_path / "model", "")
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    with pytest.raises(WeightsError, match="exists and is not a folder; name another"):
        export(run, tmp_path / "model" / "config.json", "")


def test_a_missing_tokenizer_is_reported(make: Weights, tmp_path: Path) -> None:
    run, _ = make("bpe-400")
    (run.path / TOKENIZER_FILE).unlink()
    with pytest.raises(WeightsError) as refused:
        export(run, tmp_path / "model", "")
    assert str(refused.value) == (
        f"{run.path} does not keep the tokenizer.json of its data.tokenizer = 'bpe-400'"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported_and_leaves_nothing_behind(make: Weights, tmp_path: Path) -> None:
    run, _ = make("bytes")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, before[1]))
    try:
        with pytest.raises(WeightsError, match=r"model cannot be written \(.*\); free some"):
            export(run, tmp_path / "model", "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []

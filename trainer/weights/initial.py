"""Initial weights of a run: find them, and check that they are for its tokenizer."""

from __future__ import annotations

from pathlib import Path

from trainer.corpora.corpus import Corpus
from trainer.corpora.tokenizer import Tokenizer, load_tokenizer, parse_tokenizer
from trainer.errors import WeightsError
from trainer.recipe import VOCABULARY
from trainer.sources.lookup import look_up_one
from trainer.weights.pretrained import Pretrained, open_pretrained
from trainer.weights.tokenizer_files import check_same_tokens


def find_weights(word: str, beside: Path | None = None) -> Pretrained:
    """Open the folder or checkpoint that `train.initial_weights` names.

    A relative path is looked up in the working directory and in `beside`, the study's folder.
    Raises WeightsError if there is none, or two.
    """
    where = f"train.initial_weights = {word!r}"
    found = look_up_one(word, beside, where, WeightsError)
    if found is None:
        raise WeightsError(
            f"{where}: there is no such folder or file{f', also not in {beside}' if beside else ''}; "
            "name the folder of a finished run, of a GPT-2 in Hugging Face's format (`hf download "
            "openai-community/gpt2 --local-dir gpt2` fetches OpenAI's) or of a model of Raschka's book "
            "(model.json and a safetensors file), or a ckpt.pt of nanoGPT's"
        )
    return open_pretrained(found.resolve())


def check_tokens(weights: Pretrained, name: str, corpus: Corpus | None, cache: Path) -> None:
    """Raise WeightsError unless the weights are for the tokenizer `name` of a corpus.

    A tokenizer that lies with its corpus is not checked before that is prepared.
    """
    if corpus is None and name not in VOCABULARY:
        return
    check_same_tokens(weights, _tokenizer(name, corpus, cache), name)


def _tokenizer(name: str, corpus: Corpus | None, cache: Path) -> Tokenizer:
    if corpus is not None and corpus.tokenizer is not None:  # not saved yet
        return parse_tokenizer(corpus.tokenizer, corpus.info.corpus, name)
    return load_tokenizer(name, cache / corpus.info.folder if corpus else None)

"""Tokenizers of the kinds that people have, made with Hugging Face's `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from trainer.sources.standard_library import standard_library

TEXTS = [document.text.decode() for document in standard_library()[:6]]
BYTEWISE = pre_tokenizers.ByteLevel(add_prefix_space=False)
ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def make(specials: list[str], words: Any = BYTEWISE, **model: Any) -> Tokenizer:  # noqa: ANN401
    """A BPE of 400 tokens, the special ones first."""
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = words
    learner = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, show_progress=False, initial_alphabet=ALPHABET
    )
    tokenizer.train_from_iterator(TEXTS, learner)
    return tokenizer


def roberta() -> Tokenizer:
    """End-of-text in the middle, tokens around each text, cut to 8 tokens and padded."""
    tokenizer = make(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding()
    return tokenizer


def neox() -> Tokenizer:
    """End-of-text first, runs of spaces as added tokens, and a normalizer."""
    tokenizer = make(["<|endoftext|>", "<|padding|>"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in (8, 4, 2)])
    return tokenizer


def llama() -> Tokenizer:
    """Its own rule for words, and words of the vocabulary whole."""
    rule = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+")
    parts = [
        pre_tokenizers.Split(rule, "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    names = ["<|begin_of_text|>", "<|end_of_text|>"]
    return make(names, pre_tokenizers.Sequence(parts), ignore_merges=True)


def smol() -> Tokenizer:
    """Single digits."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return make(["<|endoftext|>"], pre_tokenizers.Sequence([digits, BYTEWISE]))


KINDS: Mapping[str, Callable[[], Tokenizer]] = {
    "roberta": roberta,
    "neox": neox,
    "llama": llama,
    "smol": smol,
}


def write(tokenizer: Tokenizer, folder: Path, **changes: Any) -> Path:  # noqa: ANN401  (JSON)
    """Write its tokenizer.json, with some fields changed; returns the path."""
    folder.mkdir(exist_ok=True)
    content = json.loads(tokenizer.to_str()) | changes
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content, ensure_ascii=False))
    return path

"""Tokenizers of weights: read those of a folder, and write one as files for transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from trainer.corpora.tokenizer import (
    Tokenizer,
    byte_letters,
    load_tokenizer,
    make_tokenizer,
)
from trainer.errors import WeightsError
from trainer.recipe import VOCABULARY
from trainer.tokens import END_OF_TEXT, TOKENIZER_FILE
from trainer.weights.pretrained import Pretrained

_LETTERS = {byte: letter for letter, byte in byte_letters().items()}


def find_tokenizer(source: Pretrained) -> Tokenizer:
    """The tokenizer of a folder of weights. Raises WeightsError or CorpusError if there is none."""
    folder, content = source.folder, _content(source.folder)
    if content is not None:
        found = _gpt2_like(folder, content)
    elif source.tokenizer or source.vocabulary == VOCABULARY["gpt2"]:
        found = _load(source.tokenizer or "gpt2", folder)
    else:
        raise WeightsError(
            f"{folder} has no {TOKENIZER_FILE}, so the meaning of its tokens is unknown"
        )
    if found.vocabulary != source.vocabulary:
        raise WeightsError(
            f"{folder}: its tokenizer has {found.vocabulary} tokens and its model "
            f"{source.vocabulary}; they do not belong together"
        )
    return found


def check_same_tokens(source: Pretrained, tokenizer: Tokenizer, name: str) -> None:
    """Raise WeightsError unless the tokens of a folder equal those of `tokenizer`, named `name`."""
    theirs, ids = find_tokenizer(source), range(tokenizer.end_of_text)
    same = theirs.vocabulary == tokenizer.vocabulary
    if not same or any(theirs.decode([i]) != tokenizer.decode([i]) for i in ids):
        raise WeightsError(
            f"{source.folder} has other tokens ({theirs.vocabulary} of them) than data.tokenizer "
            f"= {name!r} ({tokenizer.vocabulary}), so that its weights stand for other text, and "
            "its loss for something else; use the tokenizer that they were trained with"
        )


def _content(folder: Path) -> dict[str, Any] | None:
    """The content of tokenizer.json, or of the older vocab.json and merges.txt; None without any."""
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    try:
        if (folder / TOKENIZER_FILE).exists():
            return dict(json.loads((folder / TOKENIZER_FILE).read_bytes()))
        if not (vocabulary.exists() and merges.exists()):
            return None
        lines = merges.read_text("utf-8").splitlines()
        pairs = [line for line in lines if line and not line.startswith("#version")]
        return {"model": {"vocab": json.loads(vocabulary.read_bytes()), "merges": pairs}}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise WeightsError(f"the tokenizer in {folder} cannot be read: {error}") from error


def _gpt2_like(folder: Path, content: Mapping[str, Any]) -> Tokenizer:
    """A byte-level BPE that splits text into words like GPT-2. Raises WeightsError for others."""
    try:
        _check_cuts(content)
        return make_tokenizer(dict(content), str(folder))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"the tokenizer in {folder} is not a byte-level BPE like GPT-2's ({error}), and no other "
            "can be read"
        ) from error


def _check_cuts(content: Mapping[str, Any]) -> None:
    cut = content.get("pre_tokenizer") or {"type": "ByteLevel"}
    into_words = cut.get("use_regex", True) or not content["model"]["merges"]
    plain = not cut.get("add_prefix_space", False) and not content.get("normalizer")
    if cut["type"] != "ByteLevel" or not into_words or not plain:
        raise ValueError("it does not split text into words as GPT-2 does")


def tokenizer_files(name: str, folder: Path, context: int) -> dict[str, bytes]:
    """The files by name, for the tokenizer `name` of the run in `folder`.

    Raises CorpusError or WeightsError if the tokenizer cannot be loaded.
    """
    kept = folder / TOKENIZER_FILE
    content = kept.read_bytes() if kept.exists() else _to_json(_load(name, folder))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
        # "<|endoftext|>" in a text is plain text, as in training.
        "split_special_tokens": True,
    }
    return {
        TOKENIZER_FILE: content,
        "tokenizer_config.json": json.dumps(settings, indent=1).encode(),
    }


def _load(name: str, folder: Path) -> Tokenizer:
    """Load a tokenizer that does not depend on a corpus. Raises WeightsError for `bpe-N`."""
    if name not in VOCABULARY:
        raise WeightsError(
            f"{folder} does not keep the {TOKENIZER_FILE} of its data.tokenizer = {name!r}"
        )
    return load_tokenizer(name)


def _to_json(tokenizer: Tokenizer) -> bytes:
    """The `tokenizer.json` of `bytes` or `gpt2`."""
    from tokenizers import Tokenizer as JsonTokenizer
    from tokenizers import decoders, models, pre_tokenizers

    words = [tokenizer.decode([token]) for token in range(tokenizer.end_of_text)]
    vocabulary = {_spell(word): token for token, word in enumerate(words)}
    merges = [(_spell(first), _spell(second)) for first, second in recover_merges(words)]
    written = JsonTokenizer(models.BPE(vocabulary, merges))
    written.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False,
        use_regex=bool(merges),  # without merges there is no need to split into words
    )
    written.decoder = decoders.ByteLevel()
    written.add_special_tokens([END_OF_TEXT])
    return written.to_str().encode()


def _spell(word: bytes) -> str:
    """Bytes in the spelling of a `tokenizer.json`."""
    return "".join(_LETTERS[byte] for byte in word)


def recover_merges(words: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """The merges of a byte-pair encoding, from its words in the order of their merges.

    The merges before a word reduce its bytes to two parts; the word's own merge joins these.
    """
    ranks = {word: rank for rank, word in enumerate(words)}
    return [_last_merge(word, ranks) for word in words if len(word) > 1]


def _last_merge(word: bytes, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    parts = [word[i : i + 1] for i in range(len(word))]
    while len(parts) > 2:
        pairs = [first + second for first, second in pairwise(parts)]
        best = min(range(len(pairs)), key=lambda i: ranks.get(pairs[i], len(ranks)))
        parts[best : best + 2] = [pairs[best]]
    return parts[0], parts[1]

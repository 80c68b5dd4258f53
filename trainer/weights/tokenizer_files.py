"""Tokenizers of weights: read those of a folder, and write one as files for transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from trainer.corpora.tokenizer import Tokenizer, byte_letters, load_tokenizer
from trainer.corpora.tokenizer_json import SAMPLE, JsonTokenizer
from trainer.corpora.tokenizer_paths import content_of, end_of_text_of
from trainer.errors import CorpusError, WeightsError
from trainer.recipe import VOCABULARY
from trainer.tokens import END_OF_TEXT, TOKENIZER_FILE
from trainer.weights.pretrained import Pretrained, most_rows

_LETTERS = {byte: letter for letter, byte in byte_letters().items()}


def find_tokenizer(source: Pretrained) -> Tokenizer:
    """The tokenizer of some weights. Raises WeightsError or CorpusError if there is none."""
    if source.tokenizer is not None:
        return _load(source.tokenizer, source.folder)
    folder = source.folder if source.folder.is_dir() else source.folder.parent
    content = content_of(folder)
    gpt2 = VOCABULARY["gpt2"]
    if content is not None:
        end = end_of_text_of(content, folder, str(folder))
        found: Tokenizer = JsonTokenizer(content, end, str(folder))
    elif gpt2 <= source.rows <= most_rows(gpt2):
        found = load_tokenizer("gpt2")
    else:
        raise WeightsError(
            f"{folder} has no {TOKENIZER_FILE}, so the meaning of its tokens is unknown"
        )
    if not found.vocabulary <= source.rows <= most_rows(found.vocabulary):
        raise WeightsError(
            f"{folder}: its tokenizer has {found.vocabulary} tokens and its model "
            f"{source.rows}; they do not belong together"
        )
    return found


def check_same_tokens(source: Pretrained, tokenizer: Tokenizer, name: str) -> None:
    """Raise WeightsError unless the tokens of some weights equal those of `tokenizer`, named `name`.

    Either may have further tokens, such as one for padding, that no text is encoded with.
    """
    theirs = find_tokenizer(source)
    shared = range(min(theirs.vocabulary, tokenizer.vocabulary))
    ends = theirs.end_of_text, tokenizer.end_of_text
    same = ends[0] == ends[1] and all(
        theirs.decode([i]) == tokenizer.decode([i]) for i in shared if i != ends[0]
    )
    if not same or _sample(theirs) != _sample(tokenizer):
        raise WeightsError(
            f"{source.folder} has other tokens ({theirs.vocabulary} of them) than data.tokenizer "
            f"= {name!r} ({tokenizer.vocabulary}), so that its weights stand for other text, and "
            "its loss for something else; use the tokenizer that they were trained with"
        )


def _sample(tokenizer: Tokenizer) -> list[int] | None:
    """The tokens of a short text, which tell how text is split into words; None if it has none."""
    try:
        return list(map(int, tokenizer.encode(SAMPLE.encode())))
    except CorpusError:
        return None


def tokenizer_files(name: str, folder: Path, context: int) -> dict[str, bytes]:
    """The files by name, for the tokenizer `name` of the run in `folder`.

    Raises CorpusError or WeightsError if the tokenizer cannot be loaded.
    """
    kept = folder / TOKENIZER_FILE
    tokenizer = _load(name, folder)
    content = _as_trained(kept.read_bytes()) if kept.exists() else _to_json(tokenizer)
    end = tokenizer.decode([tokenizer.end_of_text]).decode()
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "bos_token": end,
        "eos_token": end,
        "pad_token": end,
        "clean_up_tokenization_spaces": False,
        # Before version 5, transformers would add token_type_ids, which most models refuse.
        "model_input_names": ["input_ids", "attention_mask"],
        # The name of the end-of-text token in a text is plain text, as in training.
        "split_special_tokens": True,
    }
    return {
        TOKENIZER_FILE: content,
        "tokenizer_config.json": json.dumps(settings, indent=1).encode(),
    }


def _as_trained(content: bytes) -> bytes:
    """A `tokenizer.json` that encodes a text as in training: whole, and with no token around it."""
    fields = json.loads(content)
    changes: dict[str, Any] = {
        name: None for name in ("truncation", "padding") if fields.get(name) is not None
    }
    if (fields.get("post_processor") or {"type": "ByteLevel"})["type"] != "ByteLevel":
        changes["post_processor"] = None
    if fields.get("decoder") is None:
        changes["decoder"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    if not changes:
        return content
    return json.dumps(fields | changes, ensure_ascii=False).encode()


def _load(name: str, folder: Path) -> Tokenizer:
    """Load the tokenizer of the run in `folder`. Raises WeightsError if the run does not keep it."""
    if name not in VOCABULARY and not (folder / TOKENIZER_FILE).exists():
        raise WeightsError(
            f"{folder} does not keep the {TOKENIZER_FILE} of its data.tokenizer = {name!r}"
        )
    return load_tokenizer(name, folder)


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

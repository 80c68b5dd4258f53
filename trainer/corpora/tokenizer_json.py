"""Byte-level tokenizers in the format of Hugging Face's `tokenizers`, run by that library.

A tokenizer is accepted if decoding gives back each text unchanged, whatever its ids, its rules for
words and its added tokens. Every text is checked when it is encoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.corpora.tokenizer import byte_letters
from trainer.errors import CorpusError
from trainer.tokenizer_names import MAX_VOCABULARY
from trainer.tokens import Tokens

if TYPE_CHECKING:
    import tokenizers

SAMPLE = "Hello  World 42:\n\tdef f(x): return 'x'\n"
"""A text that a tokenizer must give back when it is read, before a corpus is."""


class JsonTokenizer:
    """A byte-level tokenizer from a `tokenizer.json`; see `trainer.corpora.tokenizer.Tokenizer`."""

    def __init__(self, content: bytes, end_of_text: int, where: str) -> None:
        """Read it; `where` names it in errors. Raises CorpusError if it is not byte-level."""
        self._where = where
        self._library = _load(content, where)
        self._words = _words(self._library, where)
        self.vocabulary = len(self._words)
        self.end_of_text = end_of_text
        known = set("".join(self._library.get_vocab(with_added_tokens=False)))
        letters = {byte: letter for letter, byte in byte_letters().items()}
        self.encode("".join(c for c in SAMPLE if letters[ord(c)] in known).encode())

    def encode(self, text: bytes) -> Tokens:
        """Token ids of a text. Raises CorpusError if the tokens do not stand for exactly this text."""
        [encoded] = self._library.encode_batch_fast([text.decode()], add_special_tokens=False)
        ids: list[int] = encoded.ids
        words = self._words
        back = b"".join([words[i] for i in ids])
        if back != text:
            raise CorpusError(f"{self._where} {_changed(text, back)}{self._lacking()}")
        tokens = np.array(ids, dtype=np.uint16)
        if (tokens == self.end_of_text).any():
            name = words[self.end_of_text].decode()
            raise CorpusError(
                f"{self._where} reads {name!r} in a text as the end of the text; mark that token as "
                '"special": true in "added_tokens"'
            )
        return tokens

    def decode(self, tokens: Sequence[int]) -> bytes:
        try:
            return b"".join(self._words[int(token)] for token in tokens)
        except IndexError as error:
            raise KeyError(*error.args) from error

    def _lacking(self) -> str:
        """What to do if there are bytes without a token."""
        if len({word for word in self._words if len(word) == 1}) == 256:
            return ""
        return (
            ", or make it again with initial_alphabet = ByteLevel.alphabet(): it lacks some bytes"
        )

    def byte_lengths(self) -> NDArray[np.int64]:
        lengths = np.array([len(word) for word in self._words], dtype=np.int64)
        lengths[self.end_of_text] = 0
        return lengths


def read_json(content: bytes, where: str) -> dict[str, Any]:
    """The content of a `tokenizer.json`. Raises CorpusError if it is not a byte-level BPE tokenizer."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"{where} is not a tokenizer.json of Hugging Face's `tokenizers`: it is not JSON"
        ) from error
    model = fields.get("model") if isinstance(fields, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise CorpusError(
            f"{where} is not a tokenizer.json of Hugging Face's `tokenizers`: it has no model with "
            "a vocabulary"
        )
    if reason := _why_not(fields):
        raise CorpusError(
            f"{where} is not a byte-level BPE tokenizer that gives back every text as it was: "
            f"{reason}. Use another, or bytes, gpt2 or bpe-N"
        )
    return dict(fields)


def _why_not(fields: Mapping[str, Any]) -> str | None:
    """Why a tokenizer changes text, or cannot hold all text; None if nothing says so."""
    model = fields["model"]
    if model.get("type", "BPE") != "BPE":
        return f"its model is {model['type']}"
    if model.get("dropout"):
        return f"it leaves out merges at random (its model has dropout = {model['dropout']})"
    parts = [
        part
        for name in ("normalizer", "pre_tokenizer")
        for part in _parts(fields.get(name))
        if part.get("type") != "Sequence"
    ]
    bytewise = [part for part in parts if part.get("type") == "ByteLevel"]
    if not bytewise:
        return "its pre_tokenizer has no ByteLevel"
    if any(part.get("add_prefix_space", False) for part in bytewise):
        return (
            "it puts a space before each text (its pre_tokenizer has add_prefix_space = true); "
            "set that to false"
        )
    kinds = {str(part.get("type")) for part in _parts(fields.get("normalizer"))}
    if changing := sorted(kinds - {"Sequence", "ByteLevel", "NFC"}):  # NFC: checked text by text
        return f"its normalizer changes text ({', '.join(changing)})"
    return None


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  (JSON)
    """A normalizer or pre_tokenizer, and those that it consists of."""
    if isinstance(value, dict):
        yield value
        for name in ("normalizers", "pretokenizers"):
            for part in value.get(name) or ():
                yield from _parts(part)


def _load(content: bytes, where: str) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer

    read_json(content, where)
    try:
        library = Tokenizer.from_str(content.decode())
    except Exception as error:  # the library raises nothing narrower
        raise CorpusError(f"{where} cannot be read by `tokenizers`: {error}") from error
    library.no_truncation()
    library.no_padding()
    library.encode_special_tokens = True  # text that looks like a special token is text
    return library


def _words(library: tokenizers.Tokenizer, where: str) -> list[bytes]:
    """The bytes that each id stands for; none for an id that is not used."""
    letters = byte_letters()
    added = library.get_added_tokens_decoder()
    vocabulary = library.get_vocab(with_added_tokens=True)
    size = 1 + max(vocabulary.values(), default=-1)
    if not 1 < size <= MAX_VOCABULARY:
        raise CorpusError(
            f"{where} has {size:,} token ids, and there can be 2 to {MAX_VOCABULARY:,}: a token is "
            "stored in two bytes"
        )
    words = [b""] * size
    for word, i in vocabulary.items():
        try:
            spelled = word.encode() if i in added else bytes(letters[letter] for letter in word)
        except KeyError as error:
            raise CorpusError(
                f"{where} is not byte-level: its token {i} has the letter {error.args[0]!r}, which "
                "stands for no byte"
            ) from error
        words[i] = spelled
    return words


def _changed(text: bytes, back: bytes) -> str:
    """Say where a text and what its tokens stand for differ first."""
    place = next(
        (i for i, (a, b) in enumerate(zip(text, back, strict=False)) if a != b),
        min(len(text), len(back)),
    )
    near = slice(max(0, place - 8), place + 16)
    before, after = (ascii(part[near].decode(errors="replace")) for part in (text, back))
    return (
        f"does not give back the text: {before} becomes {after}. A tokenizer must keep every byte; "
        "use another, or bytes, gpt2 or bpe-N"
    )

"""Tokenizers: text to token ids and back. Each has an end-of-text token between documents.

`bytes` and `gpt2` do not depend on a corpus. `bpe-N` is made from the training text of a corpus,
`file-...` was read from a file of the user. Both are stored as `tokenizer.json`, in the format of Hugging
Face's `tokenizers`, in the corpus's folder below `runs/cache/`. `load_tokenizer(name, folder)` loads
any of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.errors import CorpusError
from trainer.recipe import VOCABULARY, DataConfig, vocabulary_size
from trainer.sources.time_limit import NETWORK_TIMEOUT, call_within, interruptible
from trainer.tokenizer_names import is_named, parse_name
from trainer.tokens import END_OF_TEXT, TOKENIZER_FILE, Tokens

if TYPE_CHECKING:
    from tiktoken import Encoding


MAX_WORD_BYTES = 1_000
"""Longest word that a tokenizer is made from. A tokenizer of text without longer words does not
depend on it."""


class Tokenizer(Protocol):
    """Methods that a corpus needs."""

    @property
    def vocabulary(self) -> int:
        """Number of token ids, end-of-text included."""

    @property
    def end_of_text(self) -> int:
        """The id that ends each document."""

    def encode(self, text: bytes) -> Tokens:
        """Token ids of a document in UTF-8, without the end-of-text token."""

    def decode(self, tokens: Sequence[int]) -> bytes:
        """The bytes of some tokens, which may begin and end within a character.

        To decode a text that grows token by token, use `codecs.getincrementaldecoder("utf-8")`.
        Raises KeyError for an id beyond the vocabulary.
        """

    def byte_lengths(self) -> NDArray[np.int64]:
        """Bytes of text per token id, int64 (vocabulary,); 0 for end-of-text."""


_BYTES = {**{byte: bytes([byte]) for byte in range(256)}, 256: END_OF_TEXT.encode()}


class ByteTokenizer:
    """One token per byte of UTF-8."""

    vocabulary = vocabulary_size("bytes")
    end_of_text = 256

    def encode(self, text: bytes) -> Tokens:
        return np.frombuffer(text, dtype=np.uint8).astype(np.uint16)

    def decode(self, tokens: Sequence[int]) -> bytes:
        return b"".join(_BYTES[int(token)] for token in tokens)

    def byte_lengths(self) -> NDArray[np.int64]:
        lengths = np.ones(self.vocabulary, dtype=np.int64)
        lengths[self.end_of_text] = 0
        return lengths


class BytePairTokenizer:
    """GPT-2's byte-pair encoding (Radford et al. 2019, section 2.2), computed by tiktoken."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self.vocabulary = encoding.n_vocab
        self.end_of_text = encoding.eot_token

    def encode(self, text: bytes) -> Tokens:
        ids = self._encoding.encode_to_numpy(text.decode(), disallowed_special=())
        return ids.astype(np.uint16)

    def decode(self, tokens: Sequence[int]) -> bytes:
        return self._encoding.decode_bytes([int(token) for token in tokens])

    def byte_lengths(self) -> NDArray[np.int64]:
        ids = range(self.end_of_text)
        lengths = [len(self._encoding.decode_single_token_bytes(i)) for i in ids]
        return np.array([*lengths, 0], dtype=np.int64)


def load_tokenizer(name: str, folder: Path | None = None) -> Tokenizer:
    """Load the tokenizer of a recipe's `data.tokenizer`; `folder` has the `tokenizer.json` of others.

    Raises CorpusError if its vocabulary is not cached and cannot be downloaded, or if the file is
    missing or another one.
    """
    if name == "bytes":
        return ByteTokenizer()
    if name == "gpt2":
        return BytePairTokenizer(_gpt2())
    if folder is None:
        raise CorpusError(
            f"data.tokenizer = {name!r} is made from a corpus; name the folder of one that is "
            "prepared"
        )
    return read_tokenizer(folder / TOKENIZER_FILE, name)


def end_of_text_id(name: str) -> int:
    """The id of the end-of-text token of the tokenizer `name`."""
    named = parse_name(name)
    return named.end_of_text if named else vocabulary_size(name) - 1


def document_border(data: DataConfig) -> int | None:
    """The id of the token that attention does not cross; None if it crosses all."""
    return end_of_text_id(data.tokenizer) if data.mask_documents else None


def read_tokenizer(path: Path, name: str = "bpe-N") -> Tokenizer:
    """The tokenizer `name` from a file in the format of Hugging Face's `tokenizers`.

    Raises CorpusError if the file is not one.
    """
    try:
        return parse_tokenizer(path.read_bytes(), str(path), name)
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror or error})") from error


def parse_tokenizer(content: bytes, where: str, name: str = "bpe-N") -> Tokenizer:
    """Parse the `tokenizer.json` of the tokenizer `name`. Raises CorpusError if it is not that."""
    if named := parse_name(name):
        from trainer.corpora.tokenizer_json import JsonTokenizer

        if not is_named(content, named):
            raise CorpusError(f"{where} is not the tokenizer {name}; restore that file")
        return JsonTokenizer(content, named.end_of_text, where)
    try:
        return make_tokenizer(json.loads(content), where)
    except (ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{where} is not a byte-level BPE tokenizer of Hugging Face's ({error}); remove the "
            "folder that it lies in and prepare the corpus again"
        ) from error


def make_tokenizer(content: dict[str, Any], name: str) -> BytePairTokenizer:
    """The tokenizer that the content of a `tokenizer.json` describes.

    Raises ValueError, TypeError or KeyError for another kind of tokenizer.
    """
    from tiktoken import Encoding
    from tiktoken_ext.openai_public import r50k_pat_str

    ranks = _ranks(content)
    special = {END_OF_TEXT: len(ranks)}
    return BytePairTokenizer(
        Encoding(name, pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens=special)
    )


def train_tokenizer(name: str, texts: Iterable[str]) -> bytes:
    """Make the `tokenizer.json` of `bpe-N` from some texts: the same for the same texts.

    Words of more than MAX_WORD_BYTES are cut to that length first, since the time to merge a word
    grows with the square of its length. Memory grows with the distinct words. Raises CorpusError if
    the texts are too small.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Trained

    wanted = vocabulary_size(name)
    made = Trained(models.BPE())
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    cut = pre_tokenizers.Split(Regex(f".{{{MAX_WORD_BYTES}}}"), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([words, cut])
    made.decoder = decoders.ByteLevel()
    learner = trainers.BpeTrainer(
        vocab_size=wanted - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    interruptible(lambda read: made.train_from_iterator(read, learner), texts)
    made.pre_tokenizer = words
    if made.get_vocab_size() != wanted - 1:
        most = made.get_vocab_size() + 1
        raise CorpusError(
            f"data.tokenizer = {name!r} cannot be made: the training text yields no more than "
            f"{most} tokens; use {f'bpe-{most}' if most > VOCABULARY['bytes'] else 'bytes'}"
        )
    made.add_special_tokens([END_OF_TEXT])
    return made.to_str().encode()


def _gpt2() -> Encoding:
    """GPT-2's tokenizer; only a download has a timeout, not reading the cache."""
    import tiktoken

    try:
        if _missing_gpt2():
            return call_within(NETWORK_TIMEOUT, lambda: tiktoken.get_encoding("gpt2"))
        return tiktoken.get_encoding("gpt2")
    except (OSError, ValueError) as error:  # unreachable, or a wrong file
        files = " and ".join(f"{url} as {path.name}" for path, url in _missing_gpt2().items())
        raise CorpusError(
            "data.tokenizer = 'gpt2' needs GPT-2's vocabulary, which is downloaded once and "
            f"could not be reached; connect to the network, or save {files} in {_tiktoken_cache()} "
            "(TIKTOKEN_CACHE_DIR may name another folder with files of these names), or use "
            "data.tokenizer = 'bytes'"
        ) from error


def _tiktoken_cache() -> Path:
    """The folder in which tiktoken keeps files (`tiktoken.load.read_file_cached`)."""
    usual = Path(tempfile.gettempdir(), "data-gym-cache")
    names = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")
    return next((Path(os.environ[name]) for name in names if name in os.environ), usual)


def _missing_gpt2() -> dict[Path, str]:
    """Files of GPT-2 that tiktoken's cache lacks, and where each is downloaded from.

    A file's name there is the SHA-1 of its address.
    """
    urls = {_tiktoken_cache() / hashlib.sha1(url.encode()).hexdigest(): url for url in _GPT2}  # noqa: S324  (a file's name)
    return {path: url for path, url in urls.items() if not path.exists()}


_GPT2 = [
    f"https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/{name}"
    for name in ("vocab.bpe", "encoder.json")
]


def _ranks(content: dict[str, Any]) -> dict[bytes, int]:
    """The id of each token except the last, by its bytes; the id is also the rank of its merge.

    Raises ValueError or KeyError for another kind of tokenizer.
    """
    letters = byte_letters()
    vocabulary = dict(content["model"]["vocab"])
    vocabulary.pop(END_OF_TEXT, None)  # GPT-2's own file lists it with the others
    ranks = {bytes(letters[letter] for letter in word): i for word, i in vocabulary.items()}
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError("ids are missing, or the end-of-text token is not the last")
    pairs = (m if isinstance(m, list) else m.split(" ") for m in content["model"]["merges"])
    merged = [vocabulary[first + second] for first, second in pairs]
    if merged != list(range(256, len(ranks))):
        raise ValueError("its ids are not in the order of its merges")
    return ranks


def byte_letters() -> dict[str, int]:
    """The byte of each letter in a `tokenizer.json`; printable bytes stand for themselves.

    GPT-2's `bytes_to_unicode` (https://github.com/openai/gpt-2, src/encoder.py).
    """
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = {chr(byte): byte for byte in printed}
    return letters | {chr(256 + i): byte for i, byte in enumerate(others)}

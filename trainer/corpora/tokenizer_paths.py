"""Find the tokenizer that a path names, and its end-of-text token."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trainer.corpora.tokenizer_json import JsonTokenizer, read_json
from trainer.errors import CorpusError
from trainer.sources.lookup import look_up_one
from trainer.tokenizer_names import name_of
from trainer.tokens import END_OF_TEXT, TOKENIZER_FILE

MAX_BYTES = 64_000_000
"""Maximum size of a file that describes a tokenizer."""
END_NAMES = (
    END_OF_TEXT,
    "<|end_of_text|>",
    "<|endofdocument|>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "<EOS>",
    "[EOS]",
    "<eod>",
    "<|end|>",
    "<|im_end|>",
    "<｜end▁of▁sentence｜>",
)
"""Names of end-of-text tokens, for a tokenizer that no file beside it describes."""
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json")
"""Files of transformers that name the end-of-text token as `eos_token`."""
_NAMED = re.compile(r"bytes|gpt2|bpe-.*|file-.*")


class TokenizerFile(NamedTuple):
    """A tokenizer that was read from a file."""

    name: str
    """The name that it has in a recipe, see `trainer.tokenizer_names`."""
    content: bytes
    """Its `tokenizer.json`."""


def find_tokenizer_file(word: str, beside: Path | None = None) -> TokenizerFile | None:
    """The tokenizer whose file or folder is the value of `data.tokenizer`; None if it is a name.

    A relative path is looked up in the working directory and in `beside`, the study's folder.
    Raises CorpusError if it is no path either, or if the tokenizer cannot be used.
    """
    if _NAMED.fullmatch(word):
        return None
    where = f"data.tokenizer = {word!r}"
    if found := look_up_one(word, beside, where, CorpusError):
        return _read(found, where)
    if not re.search(r"[/\\]|\.json$", word):
        return None
    raise CorpusError(
        f"{where}: there is no such file or folder{f', also not in {beside}' if beside else ''}; "
        "name a tokenizer.json or its folder (`hf download OWNER/NAME "
        "tokenizer.json tokenizer_config.json --local-dir DIR` fetches one from the hub), or use "
        "bytes, gpt2 or bpe-N"
    )


def _read(path: Path, where: str) -> TokenizerFile:
    folder = path if path.is_dir() else path.parent
    content = content_of(folder) if path.is_dir() else read_file(path)
    if content is None:
        raise CorpusError(
            f"{where}: {path} has no {TOKENIZER_FILE}, and no vocab.json with a merges.txt"
        )
    end = end_of_text_of(content, folder, where)
    made = JsonTokenizer(content, end, where)
    return TokenizerFile(name_of(content, made.vocabulary, end), content)


def read_file(path: Path) -> bytes:
    """The content of a file. Raises CorpusError if it is not a file, is too large or unreadable."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise CorpusError(f"{path} is not a file of at most {MAX_BYTES // 10**6} MB")
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror or error})") from error


def content_of(folder: Path) -> bytes | None:
    """The tokenizer.json of a folder, or one made of its vocab.json and merges.txt; None without."""
    if (folder / TOKENIZER_FILE).exists():
        return read_file(folder / TOKENIZER_FILE)
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    if not (vocabulary.exists() and merges.exists()):
        return None
    words = _json(vocabulary)
    try:
        lines = read_file(merges).decode().splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{merges} is not UTF-8 text") from error
    pairs = [line for line in lines if line and not line.startswith("#version")]
    return _written(words, pairs)


def _written(words: Mapping[str, int], merges: list[str]) -> bytes:
    """A tokenizer.json of GPT-2's kind."""
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [
        {"id": words[name], "content": name, **flags, "special": True}
        for name in END_NAMES
        if name in words
    ]
    content = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": bytewise,
        "decoder": bytewise,
        "model": {"type": "BPE", "vocab": words, "merges": merges},
    }
    return json.dumps(content, sort_keys=True).encode()


def end_of_text_of(content: bytes, folder: Path, where: str) -> int:
    """The id of a tokenizer's end-of-text token: as a file beside it says, or by a known name.

    Raises CorpusError if it has none.
    """
    ids = _ids(read_json(content, where))
    for name in _BESIDE:
        named = _json(folder / name).get("eos_token") if (folder / name).is_file() else None
        named = named.get("content") if isinstance(named, dict) else named
        if named is None:
            continue
        if named not in ids:
            raise CorpusError(
                f"{where}: {folder / name} has eos_token = {named!r}, which is not one of its tokens"
            )
        return ids[str(named)]
    known = next((name for name in END_NAMES if name in ids), None)
    if known is not None:
        return ids[known]
    raise CorpusError(
        f"{where} has no end-of-text token: none of its tokens is called {', '.join(END_NAMES[:5])} "
        "or the like. If it has one by another name, write "
        f'{{"eos_token": "NAME"}} to {folder / _BESIDE[0]}; if it has none, add one with '
        f'`Tokenizer.add_special_tokens(["{END_OF_TEXT}"])`'
    )


def _ids(fields: Mapping[str, Any]) -> dict[str, int]:
    """The id of each token, by its name."""
    vocabulary = fields["model"]["vocab"]
    words = dict(vocabulary) if isinstance(vocabulary, dict) else {}
    added = fields.get("added_tokens") or ()
    return words | {str(each["content"]): int(each["id"]) for each in added}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON") from error
    if not isinstance(content, dict):
        raise CorpusError(f"{path} is not a JSON object")
    return content

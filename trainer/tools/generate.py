"""Generate text with a run or an exported model.

Reads a `Request` as JSON on standard input. Writes UTF-8 on standard output as it is generated,
beginning with the prompt.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from model.config import Config
from trainer.corpora.tokenizer import Tokenizer
from trainer.errors import WeightsError
from trainer.sampling import Sampling, sample
from trainer.tools.child import answer
from trainer.training.precision import full_float32
from trainer.weights.pretrained import open_pretrained
from trainer.weights.tokenizer_files import find_tokenizer
from trainer.weights.weights import load_model
from trainer.words import counted


class Request(Config):
    """A model, a prompt and the sampling settings."""

    folder: str
    """A finished run or an exported model."""
    prompt: str
    """The beginning of the text; empty for the beginning of a document."""
    sampling: Sampling
    safe: bool
    """Replace control characters, which could move a terminal's cursor, by �."""


def generate(request: Request) -> Iterator[str]:
    """The text piece by piece, in whole characters, beginning with the prompt.

    Raises WeightsError if there is no model, or its context is too short for the prompt.
    """
    source = open_pretrained(Path(request.folder))
    tokenizer = find_tokenizer(source)
    prompt = tokenizer.encode(request.prompt.encode()).tolist() or [tokenizer.end_of_text]
    if len(prompt) > source.config.context:
        raise WeightsError(
            f"the prompt has {counted(len(prompt), 'token')}, and the context of this model is "
            f"{source.config.context}; shorten it"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(source, vocabulary=tokenizer.vocabulary).to(device)
    yield request.prompt
    with full_float32():
        tokens = sample(model, prompt, request.sampling, tokenizer.end_of_text)
        yield from whole_characters(tokenizer, tokens)


def whole_characters(tokenizer: Tokenizer, tokens: Iterable[int]) -> Iterator[str]:
    """Decode tokens that may be parts of characters; � for invalid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in tokens:
        yield decoder.decode(tokenizer.decode([token]))
    yield decoder.decode(b"", final=True)


def shown(text: str) -> str:
    """The text with � for characters that are unsafe in a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def _write(content: bytes) -> None:
    request = Request.model_validate_json(content)
    for piece in generate(request):
        sys.stdout.buffer.write((shown(piece) if request.safe else piece).encode())
        sys.stdout.buffer.flush()
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Answer the request on standard input; returns the exit status."""
    return answer(_write)

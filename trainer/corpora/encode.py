"""Text to tokens in threads, on all cores: tiktoken and the readers release the GIL."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from trainer.corpora.tokenizer import Tokenizer
from trainer.sources.source import Piece, Source, stretches
from trainer.tokens import Tokens

TOKENIZER_SAMPLE_BYTES = 100_000_000
"""Most bytes of training text to make a tokenizer from: memory grows with distinct words."""


class Encoded(NamedTuple):
    """The tokens of a piece."""

    train: Tokens
    test: Tokens
    documents: int
    """Documents that end in the piece."""


def encode_piece(tokenizer: Tokenizer, piece: Piece) -> Encoded:
    """Encode the documents of a piece, each followed by the end-of-text token."""
    end = np.array([tokenizer.end_of_text], dtype=np.uint16)
    parts: dict[bool, list[Tokens]] = {False: [end[:0]], True: [end[:0]]}
    documents = 0
    for content, is_test, ends in piece.texts():
        side = parts[is_test]
        if isinstance(content, bytes):
            side.extend(tokenizer.encode(stretch) for stretch in stretches(content))
        else:
            side.append(content)
            documents += int((content == tokenizer.end_of_text).sum())
        if ends:
            side.append(end)
            documents += 1
    return Encoded(np.concatenate(parts[False]), np.concatenate(parts[True]), documents)


def encode_pieces(
    source: Source,
    tokenizer: Tokenizer,
    resume: Any = None,  # noqa: ANN401  (JSON)
) -> Iterator[tuple[Piece, Encoded]]:
    """Every piece after `resume` with its tokens, in order; two per core are encoded ahead."""
    cores = os.cpu_count() or 1
    waiting: deque[tuple[Piece, Future[Encoded]]] = deque()
    pool = ThreadPoolExecutor(cores)
    try:
        for piece in source.pieces(resume):
            waiting.append((piece, pool.submit(encode_piece, tokenizer, piece)))
            if len(waiting) > 2 * cores:
                first, encoded = waiting.popleft()
                yield first, encoded.result()
        while waiting:
            first, encoded = waiting.popleft()
            yield first, encoded.result()
    finally:
        pool.shutdown(cancel_futures=True)


def training_texts(source: Source) -> Iterator[str]:
    """Training text to make a tokenizer from: all of it, or pieces spread over a large corpus."""
    stride = max(1, -(-(source.size or 0) // TOKENIZER_SAMPLE_BYTES))
    taken = 0
    for piece in islice(source.pieces(), 0, None, stride):
        for content, is_test, _ in piece.texts():
            if isinstance(content, bytes) and not is_test:
                taken += len(content)
                yield content.decode()
        if taken >= TOKENIZER_SAMPLE_BYTES:
            return

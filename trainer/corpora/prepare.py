"""Token files are made once: resumable after a kill, and by one process at a time.

runs/cache/NAME-TOKENIZER-HASH/             a corpus that is ready
runs/cache/.preparing-NAME-TOKENIZER-HASH/  one that is being made, with
    lock, progress.json                     who makes it, and how far the files below are
    train.bin, test.bin, tokenizer.json     kept up to the point that progress.json names
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from trainer.corpora.corpus import (
    PREPARING,
    Corpus,
    CorpusInfo,
    find_corpus,
    folder_name,
    open_corpus,
    write_rest,
)
from trainer.corpora.encode import Encoded, encode_pieces, training_texts
from trainer.corpora.tokenizer import Tokenizer, load_tokenizer, parse_tokenizer, train_tokenizer
from trainer.errors import CorpusError, UnreachableError
from trainer.files import FULL, lock, sync, write_json, write_whole
from trainer.recipe import DataConfig
from trainer.sources.source import Origin, Piece, Source
from trainer.tokens import TOKENIZER_FILE

PROGRESS = "progress.json"

IN_MEMORY_BYTES = 2**25
"""Bytes of text up to which a corpus is encoded in memory: to plan with, and to be checked."""

SAVE_SECONDS = 5.0
"""How long what has been encoded may not be on the disk yet."""

Report = Callable[["Progress", float | None], None]
"""Told how far the work is; the share of it that is done, where that is known."""


@dataclass
class Progress:
    """How far a preparation is: what `progress.json` holds."""

    resume: Any = None
    """Where the source goes on."""
    size: int = 0
    """Bytes of text that are encoded."""
    train: int = 0
    test: int = 0
    documents: int = 0

    def share(self, data: DataConfig, size: int | None) -> float | None:
        """How much of the work is done, 0 to 1; None when nobody knows."""
        shares = [self.size / size] if size else []
        shares += [self.train / data.max_tokens] if data.max_tokens else []
        return min(1.0, max(shares)) if shares else None


def _no_report(_progress: Progress, _share: float | None) -> None:
    pass


def prepare_corpus(
    data: DataConfig, source: Source, cache: Path, report: Report = _no_report
) -> Corpus:
    """Map the corpus from the cache; where it is not there, make its token files first.

    When another process is making them, wait, and take over if it dies. Raises CorpusError when
    the text cannot be read or the disk is full, and then leaves nothing behind; what was done
    when the process is interrupted or killed is kept, and is where the next one goes on.
    """
    origin = source.origin()
    found = find_corpus(data.tokenizer, origin.hash, cache)
    if found is not None:
        return found
    final = cache / folder_name(data, origin.hash)
    aside = cache / f"{PREPARING}{final.name}"
    with _exclusive(aside, final):
        if not final.exists():
            with _removed_on_failure(aside):
                _Preparation(data, source, origin, aside).run(report)
                aside.rename(final)
                for name in ("lock", PROGRESS):
                    (final / name).unlink(missing_ok=True)
                sync(cache)
    return open_corpus(final)


@contextlib.contextmanager
def _removed_on_failure(aside: Path) -> Iterator[None]:
    """Leave nothing behind of a corpus that cannot be made; errors of the disk as CorpusError."""
    try:
        yield
    except UnreachableError:
        if not (aside / PROGRESS).exists():  # nothing to go on from
            shutil.rmtree(aside, ignore_errors=True)
        raise
    except CorpusError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise _unwritable(aside.parent, error) from error


def load_small(data: DataConfig, source: Source) -> Corpus | None:
    """A corpus encoded in memory, none of it written; None when it is not small."""
    if source.size is None or source.size > IN_MEMORY_BYTES:
        return None
    tokenizer, made = tokenizer_of(data, source)
    import numpy as np

    encoded = [each for _, each in encode_pieces(source, tokenizer)]
    train = np.concatenate([each.train for each in encoded])[: data.max_tokens]
    test = np.concatenate([each.test for each in encoded])
    documents = sum(each.documents for each in encoded)
    info = CorpusInfo.of(data, source.origin(), documents, (len(train), len(test)))
    return Corpus(info, train, test, tokenizer.byte_lengths(), made)


def tokenizer_of(data: DataConfig, source: Source) -> tuple[Tokenizer, bytes | None]:
    """The tokenizer of a corpus and, where it is the corpus's own, its `tokenizer.json`."""
    if not data.tokenizer.startswith("bpe-"):
        return load_tokenizer(data.tokenizer), None
    theirs: Path | None = getattr(source, "tokenizer", None)
    if theirs is None:
        made = train_tokenizer(data.tokenizer, training_texts(source))
    elif theirs.exists():
        made = theirs.read_bytes()
    else:
        raise CorpusError(
            f"data.tokenizer = {data.tokenizer!r} cannot be made from ready tokens; put the "
            f"{TOKENIZER_FILE} that they were made with beside them, or name bytes or gpt2"
        )
    tokenizer = parse_tokenizer(made, str(theirs or data.corpus))
    if data.tokenizer != f"bpe-{tokenizer.vocabulary}":
        raise CorpusError(
            f"{theirs} has {tokenizer.vocabulary} tokens, where data.tokenizer = "
            f"{data.tokenizer!r}; use bpe-{tokenizer.vocabulary}"
        )
    return tokenizer, made


class _Preparation:
    """The making of one corpus in the folder `aside`."""

    def __init__(self, data: DataConfig, source: Source, origin: Origin, aside: Path) -> None:
        self._data = data
        self._source = source
        self._origin = origin
        self._aside = aside
        self._progress = self._read_progress()
        self._saved = time.monotonic()

    def _read_progress(self) -> Progress:
        try:
            return Progress(**json.loads((self._aside / PROGRESS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return Progress()

    def run(self, report: Report) -> None:
        """Go on where the files end, until they are whole."""
        data, progress = self._data, self._progress
        size = self._source.size
        report(progress, None)  # how long a tokenizer takes to make, nobody knows
        tokenizer = self._tokenizer()
        report(progress, progress.share(data, size))
        with (
            self._open("train.bin", progress.train) as train,
            self._open("test.bin", progress.test) as test,
        ):
            try:
                for piece, encoded in self._encoded(tokenizer):
                    self._write(piece, encoded, train, test)
                    report(progress, progress.share(data, size))
                    if self._has_enough():
                        break
            except (UnreachableError, KeyboardInterrupt):
                self._save(train, test)
                raise
            _flush(train, test)
        counts = progress.train, progress.test
        info = CorpusInfo.of(data, self._origin, progress.documents, counts)
        write_rest(self._aside, info, tokenizer.byte_lengths())

    def _write(self, piece: Piece, encoded: Encoded, train: IO[bytes], test: IO[bytes]) -> None:
        progress, most = self._progress, self._data.max_tokens
        wanted = encoded.train if most is None else encoded.train[: most - progress.train]
        train.write(wanted.data)
        test.write(encoded.test.data)
        progress.resume = piece.resume
        progress.size += piece.size
        progress.train += len(wanted)
        progress.test += len(encoded.test)
        progress.documents += encoded.documents
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._save(train, test)

    def _encoded(self, tokenizer: Tokenizer) -> Iterator[tuple[Piece, Encoded]]:
        if not self._has_enough():
            yield from encode_pieces(self._source, tokenizer, self._progress.resume)

    def _has_enough(self) -> bool:
        return self._data.max_tokens is not None and self._progress.train >= self._data.max_tokens

    def _tokenizer(self) -> Tokenizer:
        if (self._aside / TOKENIZER_FILE).exists():
            return load_tokenizer(self._data.tokenizer, self._aside)
        tokenizer, made = tokenizer_of(self._data, self._source)
        if made is not None:
            write_whole(self._aside / TOKENIZER_FILE, made)
        return tokenizer

    def _open(self, name: str, tokens: int) -> IO[bytes]:
        """A file to go on writing after its first `tokens`."""
        path = self._aside / name
        path.touch()
        os.truncate(path, 2 * tokens)
        return path.open("ab")

    def _save(self, *files: IO[bytes]) -> None:
        """The files first: what `progress.json` names is there."""
        _flush(*files)
        write_json(self._aside / PROGRESS, asdict(self._progress))
        self._saved = time.monotonic()


def _flush(*files: IO[bytes]) -> None:
    for file in files:
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _exclusive(aside: Path, final: Path) -> Iterator[None]:
    """Within it nobody else works in `aside`, or `final` is there; the system ends it with us."""
    while True:
        try:
            aside.mkdir(parents=True, exist_ok=True)
            file = (aside / "lock").open("w")
        except FileNotFoundError:  # finished, or given up, just now
            continue
        except OSError as error:
            raise _unwritable(aside.parent, error) from error
        with file:
            lock(file.fileno(), wait=True)
            try:
                ours = os.fstat(file.fileno()).st_ino == (aside / "lock").stat().st_ino
            except FileNotFoundError:
                ours = False
            if ours or final.exists():
                yield
                if ours and aside.exists():  # made again while the other one finished
                    shutil.rmtree(aside, ignore_errors=True)
                return


def _unwritable(cache: Path, error: OSError) -> CorpusError:
    return CorpusError(
        f"{cache} cannot be written ({error.strerror or error}); "
        + (
            "nothing of the corpus is left there: free some space and prepare it again, or choose "
            "another folder with --runs DIR"
            if error.errno in FULL
            else "choose another folder with --runs DIR"
        )
    )

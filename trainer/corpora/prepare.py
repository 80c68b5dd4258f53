"""Prepare token files once per corpus, in one process at a time; resumes after a kill.

runs/cache/NAME-TOKENIZER-HASH/             a finished corpus
runs/cache/.preparing-NAME-TOKENIZER-HASH/  a corpus in preparation, with
    lock, progress.json                     the preparing process's lock, and its progress
    train.bin, test.bin, tokenizer.json     valid up to the tokens counted in progress.json
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

from trainer.corpora.cache_folders import PREPARING, folder_name
from trainer.corpora.corpus import (
    Corpus,
    CorpusInfo,
    find_corpus,
    open_corpus,
    write_rest,
)
from trainer.corpora.corpus_tokenizer import tokenizer_of
from trainer.corpora.encode import Encoded, encode_pieces
from trainer.corpora.tokenizer import Tokenizer, load_tokenizer
from trainer.errors import CorpusError, UnreachableError
from trainer.files import FULL, lock, sync, write_json, write_whole
from trainer.recipe import DataConfig
from trainer.sources.source import Origin, Piece, Source
from trainer.tokens import TOKENIZER_FILE

PROGRESS = "progress.json"

IN_MEMORY_BYTES = 2**25
"""Maximum bytes of text of a corpus that is encoded in memory to plan and check a study."""

SAVE_SECONDS = 5.0
"""Seconds between two saves of the progress."""

Report = Callable[["Progress", float | None], None]
"""Called with the progress and the share of the work that is done; None if that is unknown."""


@dataclass
class Progress:
    """The progress of a preparation; the content of `progress.json`."""

    resume: Any = None
    """`Piece.resume` of the last piece that was written."""
    size: int = 0
    """Bytes of text encoded so far."""
    train: int = 0
    """Training tokens written so far."""
    test: int = 0
    """Test tokens written so far."""
    documents: int = 0

    def share(self, data: DataConfig, size: int | None) -> float | None:
        """The share of the work that is done, 0 to 1; None if it is unknown."""
        shares = [self.size / size] if size else []
        shares += [self.train / data.max_tokens] if data.max_tokens else []
        return min(1.0, max(shares)) if shares else None


def _no_report(_progress: Progress, _share: float | None) -> None:
    pass


def prepare_corpus(
    data: DataConfig,
    source: Source,
    cache: Path,
    report: Report = _no_report,
    tokenizer_file: bytes | None = None,
) -> Corpus:
    """Make the token files of a corpus, unless they are in the cache, and memory-map them.

    `tokenizer_file` is the `tokenizer.json` of a tokenizer from a file. If another process is making them, wait, and take over if it dies. Raises CorpusError if the
    text cannot be read or the disk is full; then no files are left. If the process is interrupted
    or killed, its files are kept, and the next call continues from them.
    """
    origin = source.origin()
    found = find_corpus(data.tokenizer, origin.hash, cache)
    if found is not None:
        return found
    final = cache / folder_name(data.corpus, data.tokenizer, origin.hash)
    aside = cache / f"{PREPARING}{final.name}"
    with _exclusive(aside, final):
        if not final.exists():
            with _removed_on_failure(aside):
                _Preparation(data, source, origin, aside, tokenizer_file).run(report)
                aside.rename(final)
                for name in ("lock", PROGRESS):
                    (final / name).unlink(missing_ok=True)
                sync(cache)
    return open_corpus(final)


@contextlib.contextmanager
def _removed_on_failure(aside: Path) -> Iterator[None]:
    """Remove the folder `aside` if the corpus cannot be made; raise disk errors as CorpusError."""
    try:
        yield
    except UnreachableError:
        if not (aside / PROGRESS).exists():  # nothing to continue
            shutil.rmtree(aside, ignore_errors=True)
        raise
    except CorpusError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise _unwritable_error(aside.parent, error) from error


def load_small(
    data: DataConfig, source: Source, tokenizer_file: bytes | None = None
) -> Corpus | None:
    """Encode a small corpus in memory, without writing files; None if it is large."""
    if source.size is None or source.size > IN_MEMORY_BYTES:
        return None
    tokenizer, made = tokenizer_of(data, source, tokenizer_file)
    import numpy as np

    encoded = [each for _, each in encode_pieces(source, tokenizer)]
    train = np.concatenate([each.train for each in encoded])[: data.max_tokens]
    test = np.concatenate([each.test for each in encoded])
    documents = sum(each.documents for each in encoded)
    info = CorpusInfo.of(data, source.origin(), documents, (len(train), len(test)))
    return Corpus(info, train, test, tokenizer.byte_lengths(), made)


class _Preparation:
    """Makes the token files of one corpus in the folder `aside`."""

    def __init__(
        self,
        data: DataConfig,
        source: Source,
        origin: Origin,
        aside: Path,
        tokenizer_file: bytes | None,
    ) -> None:
        self._data = data
        self._source = source
        self._tokenizer_file = tokenizer_file
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
        """Make the token files, continuing from `progress.json`."""
        data, progress = self._data, self._progress
        size = self._source.size
        report(progress, None)  # how long making a tokenizer takes is unknown
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
        tokenizer, made = tokenizer_of(self._data, self._source, self._tokenizer_file)
        if made is not None:
            write_whole(self._aside / TOKENIZER_FILE, made)
        return tokenizer

    def _open(self, name: str, tokens: int) -> IO[bytes]:
        """Open a token file to append to it, after cutting it to its first `tokens` tokens."""
        path = self._aside / name
        path.touch()
        os.truncate(path, 2 * tokens)
        return path.open("ab")

    def _save(self, *files: IO[bytes]) -> None:
        """Sync the files, then write `progress.json`: it must never count tokens that are missing."""
        _flush(*files)
        write_json(self._aside / PROGRESS, asdict(self._progress))
        self._saved = time.monotonic()


def _flush(*files: IO[bytes]) -> None:
    for file in files:
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _exclusive(aside: Path, final: Path) -> Iterator[None]:
    """Hold the lock of `aside` within a `with` block, or none if `final` exists by then.

    Waits for the lock, which the kernel releases when the process that holds it ends.
    """
    while True:
        try:
            aside.mkdir(parents=True, exist_ok=True)
            file = (aside / "lock").open("w")
        except FileNotFoundError:  # another process just finished or gave up
            continue
        except OSError as error:
            raise _unwritable_error(aside.parent, error) from error
        with file:
            lock(file.fileno(), wait=True)
            try:
                is_current = os.fstat(file.fileno()).st_ino == (aside / "lock").stat().st_ino
            except FileNotFoundError:
                is_current = False
            if is_current or final.exists():
                yield
                if is_current and aside.exists():  # created while the other process finished
                    shutil.rmtree(aside, ignore_errors=True)
                return


def _unwritable_error(cache: Path, error: OSError) -> CorpusError:
    return CorpusError(
        f"{cache} cannot be written ({error.strerror or error}); "
        + (
            "nothing of the corpus is left there: free some space and prepare it again, or choose "
            "another folder with --runs DIR"
            if error.errno in FULL
            else "choose another folder with --runs DIR"
        )
    )

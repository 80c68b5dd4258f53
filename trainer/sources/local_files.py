"""Local text: a file, or files of one kind in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from trainer.errors import CorpusError
from trainer.recipe import DataConfig
from trainer.sources.file_hashes import FileHashes, HashedText
from trainer.sources.file_kinds import ARROW, COMPRESSIBLE, JSON_LINES, TEXT
from trainer.sources.file_splits import name_below
from trainer.sources.folders import Selection
from trainer.sources.json_lines import JsonLines
from trainer.sources.readers import (
    OneText,
    Part,
    Reader,
    SeparatedTexts,
    WholeText,
    begins_with_bom,
    has_several,
)
from trainer.sources.source import Origin, Piece, Text, digest, first_names, part_of_one, split_rule
from trainer.sources.text_errors import reading
from trainer.tokens import END_OF_TEXT

SEPARATOR_HINT = (
    f"there are several {END_OF_TEXT}, which are trained on as text; with "
    f'data.separator = "{END_OF_TEXT}" they separate documents'
)


class LocalFiles:
    """A corpus of files of one kind."""

    def __init__(self, data: DataConfig, selection: Selection, cache: Path) -> None:
        self._data = data
        self._own = selection.split
        self._paths = self._own.paths if self._own else selection.paths
        self._root = selection.root
        self._named_rule = selection.rule
        self._kind = selection.kind
        self._alone = len(selection.paths) == 1
        self._hashes = FileHashes(cache)

    @property
    def is_plain_text(self) -> bool:
        """True if the files are text, without rows or columns."""
        return self._kind == TEXT

    @cached_property
    def _hashed(self) -> list[HashedText]:
        if self._kind in COMPRESSIBLE:
            return self._hashes.of_texts(self._paths)
        return self._hashes.of(self._paths)

    @cached_property
    def _is_marked(self) -> bool:
        """True if a text begins with a byte-order mark.

        Part of the hash, since the mark was three bytes of the text in 0.1.0.
        """
        return self.is_plain_text and any(begins_with_bom(text.file) for text in self._hashed)

    @cached_property
    def _has_separators(self) -> bool:
        """True if a text has separators that are read as text."""
        return (
            self.is_plain_text
            and not self._data.separator
            and has_several(self._hashed[0].file, END_OF_TEXT)
        )

    @cached_property
    def _readers(self) -> dict[Path, Reader]:
        return {text.file.path: self._reader(text) for text in self._hashed}

    def _share(self, path: Path) -> float:
        """The share of a file that is for testing: 0 or 1 if the file's name decides."""
        return float(path in self._own.testing) if self._own else self._data.test_share

    def _reader(self, text: HashedText) -> Reader:
        file, column = text.file, self._data.text_column
        share = self._share(file.path)
        if self.is_plain_text and self._data.separator:
            return SeparatedTexts(file, self._data.separator, share)
        if self.is_plain_text:
            whole = WholeText(file, for_testing=part_of_one(bytes.fromhex(text.hash)) < share)
            return OneText(file, share) if self._alone else whole
        if self._kind == JSON_LINES:
            return JsonLines(file, column, share)
        if self._kind == ARROW:
            from trainer.sources.arrow_files import ArrowRows

            return ArrowRows(file.path, column, share)
        from trainer.sources.parquet import ParquetRows

        return ParquetRows(file.path, column, share)

    def origin(self) -> Origin:
        column = [] if self.is_plain_text else [self._data.text_column]
        split = [self._own.words] if self._own else []
        separator = [f"separated by {self._data.separator}"] if self._data.separator else []
        mark = ["without byte-order mark"] if self._is_marked else []
        kind = f"{'one ' if self._alone else ''}{self._kind}"
        root = self._paths[0].parent if self._alone else self._root
        hashes = [text.hash for text in self._hashed]
        return Origin(
            digest(self._data, kind, [*split, *column, *separator, *mark, *hashes]),
            first_names([name_below(path, root) for path in self._paths]),
            None,
            self._split(),
            self._is_one_text,
        )

    @property
    def _is_one_text(self) -> bool:
        return self._alone and self.is_plain_text and not self._data.separator

    def _split(self) -> str:
        return f"{self._rule()}; {SEPARATOR_HINT}" if self._has_separators else self._rule()

    def _rule(self) -> str:
        if self._named_rule:
            return self._named_rule
        share = self._data.test_share
        return (
            f"the last {share:g} of the text is for testing"
            if self._is_one_text
            else split_rule(share)
        )

    @cached_property
    def size(self) -> int:
        total = 0
        for path, reader in self._readers.items():
            with reading(path):
                total += reader.size()
        if not total:
            raise CorpusError(
                f"data.corpus = {self._data.corpus!r} is empty: there is no text in it"
            )
        return total

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        first, start = resume or (0, 0)
        for index in range(first, len(self._paths)):
            path = self._paths[index]
            with reading(path):
                for part in self._readers[path].parts(start):
                    yield Piece(part.size, [index, part.end], partial(self._read, path, part))
            start = 0

    def _read(self, path: Path, part: Part) -> Iterator[Text]:
        with reading(path):
            yield from part.texts()
            self._hashes.check(path)  # the text that was read is the text that was hashed

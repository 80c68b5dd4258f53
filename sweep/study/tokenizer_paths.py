"""Paths of tokenizers in a study file: replaced by names that tell the tokenizers' content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweep.errors import StudyError
from trainer.errors import UserError
from trainer.recipe import vocabulary_size

FIELD = "data.tokenizer"


def name_tokenizers(
    content: Mapping[str, Any], source: str
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A copy of a study's content with names for paths, and each file's content by its name.

    Paths are relative to the working directory or to the folder of `source`, the study file. Raises
    StudyError if a file cannot be used as a tokenizer.
    """
    names = _Names(source)
    named = dict(content)
    if isinstance(content.get("baseline"), dict):
        named["baseline"] = names.put_into(content["baseline"], "[baseline.data]")
    if isinstance(content.get("interventions"), dict):
        named["interventions"] = {
            key: each | {"set": names.put_into(each["set"], f"[interventions.{key}]")}
            if isinstance(each, dict) and isinstance(each.get("set"), dict)
            else each
            for key, each in content["interventions"].items()
        }
    return named, names.files


class _Names:
    """Names the tokenizers of one study file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.files: dict[str, bytes] = {}

    def put_into(self, table: dict[str, Any], where: str) -> dict[str, Any]:
        """A copy of a table that may set `data = { tokenizer = ... }` or `"data.tokenizer" = ...`."""
        named = dict(table)
        data = table.get("data")
        if isinstance(data, dict) and "tokenizer" in data:
            named["data"] = data | {"tokenizer": self._name(data["tokenizer"], where)}
        if FIELD in table:
            named[FIELD] = self._name(table[FIELD], where)
        return named

    def _name(self, word: Any, where: str) -> Any:  # noqa: ANN401  (any TOML value)
        if not isinstance(word, str) or _is_name(word):
            return word
        from trainer.corpora.tokenizer_paths import find_tokenizer_file

        try:
            found = find_tokenizer_file(word, Path(self._source).parent)
        except UserError as error:
            raise StudyError(f"{self._source}: {where} {error}") from error
        if found is None:
            return word
        self.files[found.name] = found.content
        return found.name


def _is_name(word: str) -> bool:
    try:
        vocabulary_size(word)
    except ValueError:
        return False
    return True

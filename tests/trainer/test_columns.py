"""The column of text: every type that holds text, fields of objects, and refusals with a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trainer.texts import TEXTS, documents, read, write_jsonl, write_parquet
from trainer.errors import CorpusError

FEW = TEXTS[:60]
BYTES = [text.encode() for text in FEW]


def parquet(path: Path, **columns: Any) -> Path:  # noqa: ANN401  (arrays)
    pq.write_table(pa.table(columns), path, row_group_size=25)
    return path


@pytest.mark.parametrize(
    "column",
    [
        pa.array([*FEW, None, ""], pa.string()),
        pa.array([*FEW, None, ""], pa.large_string()),
        pa.array([*FEW, None, ""], pa.string_view()),
        pa.array([*FEW, None, ""]).dictionary_encode(),
        pa.array([*BYTES, None, b""], pa.binary()),
        pa.array([*BYTES, None, b""], pa.large_binary()),
        pa.array([*BYTES, None, b""], pa.binary_view()),
    ],
    ids=lambda column: str(column.type),
)
def test_every_type_that_holds_text_gives_the_same_documents(tmp_path: Path, column: Any) -> None:  # noqa: ANN401  (an array)
    found = read(parquet(tmp_path / "c.parquet", text=column))
    assert documents(found) == documents(read(write_parquet(tmp_path / "d.parquet", FEW)))


ROWS = [{"id": 1, "meta": {"text": text, "n": [2]}} for text in FEW]


@pytest.mark.parametrize("missing", [{}, {"meta": None}, {"meta": {"text": None}}])
def test_a_name_with_a_dot_is_a_field_of_objects(tmp_path: Path, missing: dict[str, Any]) -> None:
    plain = documents(read(write_jsonl(tmp_path / "c.jsonl", FEW)))
    rows = [*ROWS, missing, {"id": 2}]
    (tmp_path / "n.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert documents(read(tmp_path / "n.jsonl", text_column="meta.text")) == plain
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "n.parquet", row_group_size=25)
    assert documents(read(tmp_path / "n.parquet", text_column="meta.text")) == plain


def test_a_name_that_has_a_dot_comes_before_a_field_of_objects(tmp_path: Path) -> None:
    plain = documents(read(write_jsonl(tmp_path / "c.jsonl", FEW)))
    rows = [{"x": "no", "meta": {"text": "no"}, "meta.text": text} for text in FEW]
    (tmp_path / "n.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert documents(read(tmp_path / "n.jsonl", text_column="meta.text")) == plain
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "n.parquet")
    assert documents(read(tmp_path / "n.parquet", text_column="meta.text")) == plain
    deep = [{"a": {"b.c": {"d": text}}} for text in FEW]
    (tmp_path / "d.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in deep))
    assert documents(read(tmp_path / "d.jsonl", text_column="a.b.c.d")) == plain


TWICE = pa.Table.from_arrays([pa.array(FEW), pa.array(FEW)], names=["text", "text"])
REFUSED = {
    "numbers": ({"text": pa.array([1])}, "its column 'text' holds int64, not text; name the one"),
    "messages": (
        {"text": pa.array([[{"role": "user", "content": "x"}]])},
        "has lists in 'text', not text; write the messages or parts of each row into one string",
    ),
    "objects": (
        {"text": pa.array([{"a": "x", "b": "y"}])},
        "has objects in 'text', not text; their fields: text.a, text.b; name the one with the text",
    ),
    "no column": (
        {"meta": pa.array([{"text": "x"}])},
        "has no column 'text'; its columns: meta, meta.text; name the one with the text",
    ),
    "not utf-8": (
        {"text": pa.array([b"a", b"\xff"])},
        "row 0 of row group 0 and on: the text 1 rows from there is not UTF-8 at its byte 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_type_of_parquet_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    columns, sentence = REFUSED[name]
    with pytest.raises(CorpusError) as refused:
        read(parquet(tmp_path / "c.parquet", **columns))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            '{"text": "a", "text": "b"}',
            "line 1, at byte 0, has more than one column 'text'; rename",
        ),
        ('{"text": [{"role": "user"}]}', "line 1, at byte 0, has lists in 'text', not text; write"),
        (
            '{"text": {"a": 1, "b": 2}}',
            "has objects in 'text', not text; their fields: text.a, tex",
        ),
        ('{"text": 5}', "line 1, at byte 0, has int in 'text', not text"),
        ('{"text": "\\ud800"}', "line 1, at byte 0, has half a character in 'text'"),
        ('{"meta": {"text": "a"}}', "has no column 'text'; its columns: meta, meta.text; name"),
        ('[{"text": "a"}]', "is not a JSON object; each line of the file is one, such as"),
        ('[{"text": "a"}]', '; convert it: python -c "import json; [print(json.dumps(row)) for'),
        ('{\n"text": "a"}', "for row in [json.load(open('c.jsonl'))]]\" > c-lines.jsonl"),
    ],
)
def test_a_line_of_json_without_one_text_is_refused_with_a_remedy(
    tmp_path: Path, line: str, sentence: str
) -> None:
    (tmp_path / "c.jsonl").write_text(f"{line}\n")
    with pytest.raises(CorpusError) as refused:
        read(tmp_path / "c.jsonl")
    assert sentence in str(refused.value)


def test_two_columns_of_text_are_refused_and_two_others_are_not(tmp_path: Path) -> None:
    pq.write_table(TWICE, tmp_path / "c.parquet")
    with pytest.raises(CorpusError, match="has more than one column 'text'; rename or remove"):
        read(tmp_path / "c.parquet")
    pq.write_table(TWICE.rename_columns(["x", "x"]).append_column("text", TWICE[0]), tmp_path / "d")
    (tmp_path / "d").rename(tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet").info.documents == 60
    (tmp_path / "d.jsonl").write_text('{"text": "a", "id": 1, "id": 2}\n' * 60)
    assert read(tmp_path / "d.jsonl").info.documents == 60

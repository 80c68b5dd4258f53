"""The queries of docs/database.md, on the database of a study that was trained."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text()
QUERIES = dict(re.findall(r"\*\*([^*\n]+)\*\*[^`]*```sql\n(.*?)```", PAGE, re.DOTALL))
EMPTY = {"Attempts that failed, and why"}
"""Queries that find nothing in a study without failures."""


def test_the_page_has_ten_queries() -> None:
    assert len(QUERIES) == PAGE.count("```sql") == 10


@pytest.mark.parametrize("title", QUERIES)
def test_a_documented_query_answers(title: str, folder: Path) -> None:
    database = sqlite3.connect(f"file:{folder / 'runs' / 'sweep.db'}?mode=ro", uri=True)
    found = database.execute(QUERIES[title].replace("'interventions'", "'tiny'")).fetchall()
    database.close()
    assert bool(found) is (title not in EMPTY)
    assert all(None not in row for row in found)

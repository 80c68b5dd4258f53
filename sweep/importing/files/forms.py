"""The form of a file, told by its content: a suffix may be wrong or missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sweep.errors import ResultsError
from sweep.importing.files.content import read_content
from sweep.importing.files.csv_files import read_csv
from sweep.importing.files.databases import database_remedy
from sweep.importing.files.json_files import read_json
from sweep.importing.files.logs import check_no_log
from sweep.importing.files.parquet_files import read_parquet
from sweep.importing.files.table import Table
from sweep.importing.files.text import Text, read_text

SQLITE = b"SQLite format 3\x00"
PARQUET = b"PAR1"
OTHER_FORMS: Mapping[bytes, str] = {
    b"PK\x03\x04": "is a spreadsheet or a .zip; save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "is an old Excel file; save the sheet as CSV",
    b":W&B": (
        "is the binary log of a W&B run; export the runs as CSV from the site, or write "
        "`[vars(run) for run in wandb.Api().runs(...)]` as JSON"
    ),
    b"ARROW1": "is an Arrow file; write it as Parquet: pandas.read_feather(FILE).to_parquet(OUT)",
    b"\x89HDF": "is an HDF5 file; write its table as CSV: pandas.read_hdf(FILE).to_csv(OUT)",
    b"\x93NUMPY": "is an array of numpy; write it as CSV with the names of the columns above",
    b"%PDF": "is a PDF; results are read from CSV, JSON, JSON Lines and Parquet",
    b"<": "is a web page or XML; results are read from CSV, JSON, JSON Lines and Parquet",
    **dict.fromkeys(
        [bytes([0x80, version]) for version in range(2, 6)],
        "is a pickle, which could run any program; write it as CSV: pandas.read_pickle(FILE)"
        ".to_csv(OUT)",
    ),
}
"""By the bytes that a file begins with: why it is not read, and what to do."""


def read_table(path: Path) -> Table:
    """Read a file of results: Parquet, JSON, JSON Lines, CSV and its relatives.

    Raises ResultsError for a file that cannot be read or is none of these.
    """
    content = read_content(path)
    if content.startswith(PARQUET):
        return read_parquet(content, path)
    if content.startswith(SQLITE):
        raise ResultsError(f"{path} {database_remedy(path)}")
    for magic, remedy in OTHER_FORMS.items():
        if content.lstrip().startswith(magic):
            raise ResultsError(f"{path} {remedy}")
    text = read_text(content, path)
    if _is_json(text, path):
        return read_json(text, path)
    check_no_log(text, path)
    return read_csv(text, path)


def _is_json(text: Text, path: Path) -> bool:
    """True for text that begins as JSON; lines of a log may begin with `[` or `{'`."""
    start = text.content.lstrip()[:2]
    if start.startswith(b"{"):
        return start != b"{'"
    named = any(suffix.lower().startswith((".json", ".ndjson")) for suffix in path.suffixes)
    return start.startswith(b"[") and (named or start[1:].strip() in {b"", b"{", b"[", b"]"})

"""The forms of files that an import reads: separators, encodings, compression, JSON, Parquet."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sqlite3
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from sweep.errors import ResultsError
from sweep.importing.files import content, table
from sweep.importing.files.forms import OTHER_FORMS
from tests.sweep.exports import Reader

ROWS = [("baseline", "1", "2.5"), ("clip", "1", "2.25")]
CSV = "arm,seed,loss\nbaseline,1,2.5\nclip,1,2.25\n"
RECORDS = [{"arm": "baseline", "seed": 1, "loss": 2.5}, {"arm": "clip", "seed": 1, "loss": 2.25}]
COLUMNS = {name: [record[name] for record in RECORDS] for name in RECORDS[0]}


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


TABLES: dict[str, str | bytes] = {
    "tabs": CSV.replace(",", "\t"),
    "semicolons": CSV.replace(",", ";"),
    "bars": CSV.replace(",", "|"),
    "blanks": "arm      seed  loss\nbaseline    1   2.5\nclip        1  2.25\n",
    "a table as pandas prints it": pd.read_csv(io.StringIO(CSV), dtype=str).to_string(),
    "decimal commas": CSV.replace(",", ";").replace(".", ","),
    "decimal commas between tabs": CSV.replace(",", "\t").replace(".", ","),
    "the line of a spreadsheet": "sep=;\n" + CSV.replace(",", ";"),
    "UTF-8 with a mark": CSV.encode("utf-8-sig"),
    "UTF-16": CSV.encode("utf-16"),
    "UTF-16, the other order": b"\xfe\xff" + CSV.encode("utf-16-be"),
    "UTF-16 without a mark": CSV.encode("utf-16-le"),
    "gzip": gzip.compress(CSV.encode()),
    "bzip2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
    "Zstandard": pa.compress(CSV.encode(), codec="zstd", asbytes=True),
    "line ends of Windows": CSV.replace("\n", "\r\n"),
    "blanks before quotation marks": 'arm, seed, "loss"\nbaseline, "1", "2.5"\nclip, 1, 2.25\n',
    "comments": "# by a script\n\n" + CSV.replace("clip", "# half\nclip"),
    "the header of numpy.savetxt": "# " + CSV,
    "a separator at the end": CSV.replace("\n", ",\n"),
    "names of rows, as R writes them": CSV.replace("base", "1,base").replace("clip", "2,clip"),
    "a JSON array": json.dumps(RECORDS, indent=2),
    "JSON Lines": "\n".join(map(json.dumps, RECORDS)),
    "JSON Lines with a mark": "\ufeff" + "\n".join(map(json.dumps, RECORDS)),
    "JSON with columns and data": json.dumps(
        {"columns": list(COLUMNS), "data": [list(record.values()) for record in RECORDS]}
    ),
    "JSON by column": json.dumps(COLUMNS),
    "JSON by column and row": pd.DataFrame(RECORDS).to_json(),
    "JSON with a schema": pd.DataFrame(RECORDS).to_json(orient="table", index=False),
    "JSON with more around": json.dumps({"date": "today", "results": RECORDS}),
}


@pytest.mark.parametrize("form", TABLES)
def test_the_content_of_a_file_tells_its_form_and_not_its_suffix(read: Reader, form: str) -> None:
    for name in ("r.csv", "r.tsv", "r.json", "r.txt", "r"):
        assert read(read.write(name, TABLES[form])) == ROWS


def test_what_was_changed_or_left_out_is_told(read: Reader) -> None:
    for form, remark in (
        ("decimal commas", "Commas are decimal points in 'loss'."),
        ("comments", f"{read.folder / 'r.csv'}: comments were left out: line 5."),
    ):
        read(read.write("r.csv", TABLES[form]))
        assert read.remarks == [remark]


def test_text_in_latin_1_is_read_and_told(read: Reader) -> None:
    path = read.write("r.csv", CSV.replace("clip", "clipé").encode("latin-1"))
    assert read(path)[1] == ("clipé", "1", "2.25")
    assert read.remarks == [f"{path} is not UTF-8 (near byte 33): read as Windows-1252."]


def test_a_comma_between_thousands_is_not_taken_for_a_decimal_comma(read: Reader) -> None:
    path = read.write("r.tsv", "arm\tloss\nbaseline\t2,500\nclip\t12,250\n")
    assert read(path) == [("baseline", None, "2,500"), ("clip", None, "12,250")]
    assert read.remarks == []


def test_a_cell_may_have_line_ends_and_separators(read: Reader) -> None:
    path = read.write("r.csv", 'arm,loss,note\nbaseline,2.5,"a\nb"\nclip,2.25,"x, ""y"""\n')
    assert read.choose(path).further["note"].tolist() == ["a\nb", 'x, "y"']


def test_nested_json_has_columns_with_dotted_names(read: Reader) -> None:
    records = [{**record, "config": {"lr": {"peak": 0.1}}} for record in RECORDS]
    chosen = read.choose(read.write("r.json", json.dumps(records)))
    assert chosen.further["config.lr.peak"].tolist() == ["0.1", "0.1"]


def test_runs_by_name_are_read_from_json(read: Reader) -> None:
    runs = {"baseline-seed1": {"loss": 2.5}, "clip-seed1": {"loss": 2.25}}
    assert read(read.write("r.json", json.dumps(runs))) == ROWS


def test_index_levels_structs_and_categories_of_parquet_are_columns(read: Reader) -> None:
    frame = pd.DataFrame(RECORDS).assign(config=[{"lr": {"peak": 1}}, {"lr": {"peak": 2}}])
    path = read.folder / "r.parquet"
    frame.astype({"arm": "category"}).set_index(["arm", "seed"]).to_parquet(path)
    assert read(path) == ROWS
    assert read.choose(path).further["config.lr.peak"].tolist() == [1, 2]


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "bytes": (bytes(range(256)), "is binary (byte 0 at 0); results are read from CSV, JSON,"),
    "a gzip file that is cut off": (gzip.compress(CSV.encode())[:-9], "cannot be unpacked:"),
    "JSON that is cut off": (
        json.dumps(RECORDS, indent=1)[:-20],
        "line 9 is not JSON: '\"seed\": 1,'; the file is cut off",
    ),
    "brackets in brackets": ("[" * 99_999 + "]" * 99_999, "is nested too deeply to be results"),
    "objects in objects": ('{"a":' * 99_999 + "1" + "}" * 99_999, "is nested too deeply"),
    "a million columns": (",".join(map(str, range(10**6))), "has more than 20000 columns;"),
    "an open quotation mark": (
        'arm,"loss\n' + "a" * 10**6,
        "has 1000000 characters, and at most 100000 are read",
    ),
    "a number of thousands of digits": (f'[{{"loss": {"9" * 5000}}}]', "is not JSON: 'Exceeds"),
    "mixed records": ('[{"arm": "a"}, 3]', "record 2 is 3; it must be an object"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_hostile_content_is_refused_in_a_sentence(
    read: Reader, text: str | bytes, sentence: str
) -> None:
    with pytest.raises(ResultsError) as error:
        read(read.write("r.json", text))
    assert sentence in str(error.value)
    assert len(str(error.value)) < 600 + len(str(read.folder))


def test_rows_with_ever_new_columns_are_refused_before_they_fill_the_memory(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_CELLS", 1000)
    text = "\n".join(json.dumps({str(n): 1}) for n in range(40))
    with pytest.raises(
        ResultsError, match="has 32 columns in more than 31 rows; leave columns out"
    ):
        read(read.write("r.jsonl", text))


@pytest.mark.parametrize("magic", OTHER_FORMS)
def test_other_forms_are_refused_with_a_remedy(read: Reader, magic: bytes) -> None:
    with pytest.raises(ResultsError) as error:
        read(read.write("r.csv", magic + b"\x00\x01"))
    assert OTHER_FORMS[magic] in str(error.value)


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "MAX_UNPACKED", 1 << 20)
    path = read.write("r.csv.gz", gzip.compress(CSV.encode() * 100_000))
    with pytest.raises(ResultsError, match=r"has more than 1\.0 MB when it is unpacked; unpack it"):
        read(path)


def test_a_pipe_and_a_device_are_refused_at_once(read: Reader) -> None:
    os.mkfifo(read.folder / "r.csv")
    for path in (read.folder / "r.csv", Path("/dev/zero")):
        with pytest.raises(ResultsError, match="is not a regular file; save its output"):
            read(path)


def test_a_name_that_is_too_long_or_missing_is_refused(read: Reader) -> None:
    read.write("runs.csv", CSV)
    with pytest.raises(ResultsError, match="File name too long"):
        read(read.folder / ("a" * 5000))
    with pytest.raises(ResultsError, match=r"run\.csv does not exist; did you mean 'runs\.csv'\?"):
        read(read.folder / "run.csv")
    with pytest.raises(ResultsError, match="is a URL; download the file and import that"):
        read(Path("https://host/runs.csv"))


@pytest.mark.parametrize(
    ("tables", "remedy"),
    [
        (("studies", "trials", "trial_params"), ").trials_dataframe().to_csv('trials.csv')"),
        (("experiments", "runs", "latest_metrics"), "mlflow.search_runs(search_all_experiments="),
        (("studies", "arms", "members", "runs"), "is a database of sweep; its studies are there"),
        (("x",), "is a SQLite database; export the table of runs as CSV: sqlite3 -csv -header"),
    ],
)
def test_a_database_is_refused_with_the_command_that_exports_from_it(
    read: Reader, tables: tuple[str, ...], remedy: str
) -> None:
    path = read.folder / "x.db"
    connection = sqlite3.connect(path)
    for name in tables:
        connection.execute(f"CREATE TABLE {name} (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ResultsError) as error:
        read(path)
    assert remedy in str(error.value)
    assert path.read_bytes() == before
    assert os.listdir(read.folder) == ["x.db"]  # noqa: PTH208  (names only)

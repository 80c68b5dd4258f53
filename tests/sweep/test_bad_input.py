"""Whatever is wrong is said in one sentence, with exit status 2, before anything is written."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sweep.store.schema import SCHEMA_VERSION

Run = Callable[..., subprocess.CompletedProcess[str]]


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


def change(old: str, new: str) -> Callable[[Path], None]:
    """Makes a bad study of the good one."""

    def make(folder: Path) -> None:
        text = (folder / "s.toml").read_text()
        assert old in text
        (folder / "s.toml").write_text(text.replace(old, new))

    return make


def make_folder(folder: Path) -> None:
    (folder / "s.toml").unlink()
    (folder / "s.toml").mkdir()


def make_newer(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "new.db")) as connection, connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO schema_version VALUES (1000)")


BAD: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "a missing file": (
        lambda folder: (folder / "s.toml").unlink(),
        [],
        "s.toml does not exist; `sweep init s.toml` writes a study to start from",
    ),
    "broken TOML": (
        change("[design]", "[design"),
        [],
        "s.toml: not valid TOML: Expected ']' at the end of a table declaration (at line 29, column 8)",
    ),
    "a folder in place of a file": (
        make_folder,
        [],
        "s.toml is a folder; name a study file inside it, such as s.toml/x.toml",
    ),
    "a misspelt field": (
        change("model.dropout", "model.drop_out"),
        [],
        (
            "s.toml: line 23: [interventions.no-dropout] sets 'model.drop_out', which is not a recipe "
            "field; did you mean 'model.dropout'?"
        ),
    ),
    "a test text longer than the corpus": (
        change("chunks = 2", "chunks = 200000"),
        [],
        "s.toml: arm 'baseline': evaluation asks for 200,000 chunks of 64 tokens",
    ),
    "a context longer than the corpus": (
        lambda folder: [
            change("context = 16", "context = 1048576")(folder),
            change("chunk_tokens = 64", "chunk_tokens = 2097152")(folder),
            change("tokens = 2048", "tokens = 1000000000")(folder),
        ],
        [],
        "s.toml: arm 'baseline': evaluation asks for 2 chunks of 2097152 tokens",
    ),
    "a file where the folder of results should be": (
        lambda folder: (folder / "runs").write_text("mine"),
        [],
        "runs cannot be written (File exists); choose another folder with --runs DIR",
    ),
    "a file that is no database": (
        lambda folder: (folder / "x.db").write_text("no database\n" * 200),
        ["--db", "sqlite:///x.db"],
        (
            "x.db is damaged, or not a database (file is not a database); `sweep rebuild` "
            "creates it again from the run directories and keeps this file beside it; or name "
            "another with --db"
        ),
    ),
    "a database of a newer version": (
        make_newer,
        ["--db", "sqlite:///new.db"],
        (
            f"new.db was written by a newer sweep (schema 1000, this one knows {SCHEMA_VERSION}); "
            "update sweep, or name another database with --db"
        ),
    ),
    "no slot at all": (lambda _folder: None, ["--slots", "0"], "--slots 0 is not possible here"),
    "more slots than there can be": (
        lambda _folder: None,
        ["--slots", "100000"],
        "--slots 100000 is not possible here",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "options", "sentence"), BAD.values(), ids=BAD)
def test_bad_input_ends_with_two_and_one_sentence_and_writes_nothing(
    empty: Path,
    sweep: Run,
    prepare: Callable[[Path], object],
    options: list[str],
    sentence: str,
) -> None:
    prepare(empty)
    before = files(empty)
    done = sweep(empty, "run", "s.toml", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sweep: {sentence}")
    assert done.stderr.count("\n") == 1
    assert files(empty) == before
    assert not (empty / "runs").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["runn"], ["run"], ["report", "--format", "xml"], ["noise", "--seeds", "1"]]
)
def test_a_command_that_makes_no_sense_ends_with_two_and_no_traceback(
    empty: Path, sweep: Run, words: list[str]
) -> None:
    done = sweep(empty, *words)
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert "Traceback" not in done.stderr

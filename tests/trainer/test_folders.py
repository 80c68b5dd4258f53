"""Which files of a folder are the corpus: patterns, kinds, links; and text that is not UTF-8."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainer.texts import TEXTS, read, write_jsonl
from trainer.errors import CorpusError


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    """A folder of Markdown, reStructuredText and others."""
    folder = tmp_path / "manual"
    names = ["a.md", "guide/b.md", "guide/deep/c.md", "guide/d.rst", "src/e.py", "LICENSE"]
    for number, name in enumerate([*names, ".hidden.md", ".git/config.md"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{number} {name}\n" * 40)
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\xff")
    return folder


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.md", ("a.md", "guide/b.md", "guide/deep/c.md")),
        ("**/*.md", ("a.md", "guide/b.md", "guide/deep/c.md")),
        ("guide/*.md", ("b.md",)),
        ("guide/**", ("guide/b.md", "guide/d.rst", "guide/deep/c.md")),
        ("*.rst, *.py", ("guide/d.rst", "src/e.py")),
        ("./src/*", ("e.py",)),
        ("LICENSE,*.[mp][dy]", ("LICENSE", "a.md", "guide/b.md", "guide/deep/c.md", "src/e.py")),
    ],
)
def test_a_pattern_chooses_files_of_text_and_leaves_hidden_ones_out(
    manual: Path, pattern: str, files: tuple[str, ...]
) -> None:
    assert read(manual, pattern=pattern).info.files == files


def test_a_folder_of_unknown_kinds_says_what_there_is_and_what_to_write(manual: Path) -> None:
    with pytest.raises(CorpusError) as refused:
        read(manual)
    assert str(refused.value).endswith(
        f"{manual}: it holds no .txt, .jsonl or .parquet files, ready tokens or saved dataset, but "
        "3 .md, 1 without a suffix, 1 .rst, 1 .png and 1 .py; to read .md files as text, one "
        'document per file, write data.pattern = "*.md"'
    )


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("*.markdown", "data.pattern = '*.markdown' matches no file in "),
        ("*", "logo.png is a binary file, where text in UTF-8 is expected: byte 0 is not UTF-8;"),
    ],
)
def test_a_pattern_that_matches_nothing_or_too_much_is_refused(
    manual: Path, pattern: str, sentence: str
) -> None:
    with pytest.raises(CorpusError) as refused:
        read(manual, pattern=pattern)
    assert sentence in str(refused.value)


def test_a_pattern_that_matches_several_kinds_is_refused(manual: Path) -> None:
    write_jsonl(manual / "x.json", TEXTS)
    with pytest.raises(CorpusError) as refused:
        read(manual, pattern="*.md,*.json")
    assert "holds 3 text and 1 .json files that match '*.md,*.json'; choose with" in str(
        refused.value
    )
    assert read(manual, pattern="*.json").info.documents == 300


@pytest.mark.parametrize("corpus", ["a.md", "python-stdlib", "some/text"])
def test_a_pattern_is_refused_where_it_would_have_no_effect(manual: Path, corpus: str) -> None:
    path = manual / corpus if corpus == "a.md" else Path(corpus)
    with pytest.raises(
        CorpusError, match=r"^data.pattern = '\*.md' chooses files of a folder, and"
    ):
        read(path, pattern="*.md")


def test_linked_folders_elsewhere_are_read_once_and_loops_are_not_followed(
    manual: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    for name in ("x.md", "deep/y.md"):
        (elsewhere / name).write_text(f"{name}\n" * 40)
    (elsewhere / "deep" / "loop").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(manual)
    for name, target in {"up": tmp_path, "down": manual / "guide", "far": elsewhere}.items():
        (manual / name).symlink_to(target)
    (manual / "src" / "again").symlink_to(elsewhere)
    files = read(manual, pattern="*.md").info.files
    assert files == ("a.md", "far/deep/y.md", "far/x.md", "guide/b.md", "guide/deep/c.md")


def test_a_link_to_nothing_is_refused_and_a_loop_of_folders_is_not_followed(manual: Path) -> None:
    (manual / "guide" / "loop").symlink_to(manual)
    assert len(read(manual, pattern="*.md").info.files) == 3
    (manual / "guide" / "gone.md").symlink_to("nowhere")
    with pytest.raises(CorpusError, match=r"gone.md cannot be read \(No such file or directory\)"):
        read(manual, pattern="*.md")
    (manual / "guide" / "gone.md").unlink()
    (manual / "guide" / "itself.md").symlink_to("itself.md")
    with pytest.raises(CorpusError, match=r"itself.md cannot be read \(Too many levels of"):
        read(manual, pattern="*.md")


@pytest.mark.parametrize("name", ["notes.md", "enwik8", "main.py", "paper.tex"])
def test_a_file_that_is_named_is_one_text_whatever_its_suffix_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(" ".join(TEXTS))
    (tmp_path / "c.txt").write_text(" ".join(TEXTS))
    found, expected = read(tmp_path / name).info, read(tmp_path / "c.txt").info
    assert found.extent == "one text (the last 0.1 of the text is for testing)"
    assert found.hash == expected.hash


@pytest.mark.parametrize("name", ["c.json", "c.ndjson"])
def test_lines_of_json_may_have_other_suffixes_if_there_are_no_other_files(
    tmp_path: Path, name: str
) -> None:
    write_jsonl(tmp_path / name, TEXTS)
    assert read(tmp_path / name).info.documents == 300
    assert read(tmp_path).info.documents == 300
    (tmp_path / "c.txt").write_text(" ".join(TEXTS))
    assert read(tmp_path).info.files == ("c.txt",)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "c.csv",
            "c.csv is a table; convert it: python -c \"import pandas; pandas.read_csv('c.csv'",
        ),
        ("c.tar.gz", "c.tar.gz is an archive; unpack it, and name the folder"),
        ("c.pdf", "c.pdf is not text; save its text as .txt or .jsonl"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_what_to_do(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / name).write_text("a,b\n" * 40)
    for corpus in (tmp_path / name, tmp_path):
        with pytest.raises(CorpusError) as refused:
            read(corpus)
        assert sentence in str(refused.value)


TEXT = "Größe und Länge\n" * 40


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            TEXT.encode("latin-1"),
            "if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 'my text.txt' > 'my text-utf8.tx",
        ),
        (
            TEXT.encode("utf-16"),
            "is UTF-16, where UTF-8 is expected; convert it: iconv -f UTF-16 -t",
        ),
        (
            ("plain\n" * 40).encode("utf-16-le"),
            "has many NUL bytes, so it is not text in UTF-8; if it is UTF-16, convert it: iconv -f",
        ),
        (bytes(range(256)), "is a binary file, where text in UTF-8 is expected: byte 128 is not"),
    ],
)
def test_another_encoding_is_refused_with_the_line_that_converts_it(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "my text.txt").write_bytes(content)
    with pytest.raises(CorpusError) as refused:
        read(tmp_path / "my text.txt")
    assert sentence in str(refused.value)


def test_a_few_nul_characters_are_text(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a page of many words\0\n" * 40)
    assert read(tmp_path / "c.txt").train.tolist().count(0) > 30
    (tmp_path / "c.jsonl").write_text(f"{json.dumps({'text': 'a' + chr(0)})}\n" * 40)
    assert read(tmp_path / "c.jsonl").train.tolist().count(0) == 40


def test_a_line_that_is_too_long_to_parse_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.sources.json_lines.PIECE", 50)
    monkeypatch.setattr("trainer.sources.json_lines.MAX_LINE_BYTES", 200)
    lines = [json.dumps({"text": text}) for text in ["a", "b" * 120, "c" * 900, "d"]]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    with pytest.raises(CorpusError) as refused:
        read(tmp_path / "c.jsonl")
    assert "c.jsonl: line 3, at byte " in str(refused.value)
    assert "is longer than 200 bytes; each line" in str(refused.value)

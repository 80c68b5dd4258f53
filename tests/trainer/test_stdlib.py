from __future__ import annotations

from pathlib import Path

import pytest

from trainer.errors import CorpusError
from trainer.sources.standard_library import LEFT_OUT, Document, python_sources, standard_library


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return standard_library()


def test_the_standard_library_of_this_machine_is_megabytes_of_text(
    documents: list[Document],
) -> None:
    assert sum(len(d.text) for d in documents) > 5_000_000
    assert any(d.path == "argparse.py" for d in documents)


def test_reading_the_standard_library_twice_gives_the_same_documents_in_the_same_order(
    documents: list[Document],
) -> None:
    assert standard_library() == documents
    assert documents == sorted(documents, key=lambda d: (d.place, d.path))


def test_no_document_occurs_twice(documents: list[Document]) -> None:
    assert len({d.text for d in documents}) == len(documents)


def test_tests_and_third_party_code_are_left_out(documents: list[Document]) -> None:
    assert not [d.path for d in documents if LEFT_OUT & set(d.path.split("/")[:-1])]


def test_train_and_test_never_share_a_document_and_a_tenth_is_for_testing(
    documents: list[Document],
) -> None:
    train = {d.path for d in documents if d.place >= 0.1}
    test = {d.path for d in documents if d.place < 0.1}
    assert not train & test
    assert 0.05 < len(test) / len(documents) < 0.15


def test_the_split_of_a_document_depends_only_on_its_path() -> None:
    assert Document("json/decoder.py", b"a").place == Document("json/decoder.py", b"b").place
    assert Document("json/decoder.py", b"").place == pytest.approx(0.231_174, abs=1e-6)


def test_duplicate_and_non_utf8_files_are_skipped(tmp_path: Path) -> None:
    for path, text in {
        "kept.py": b"x = 1\n",
        "package/kept_too.py": "é = 2\n".encode(),
        "package/z_same_text.py": b"x = 1\n",
        "empty.py": b"",
        "latin1.py": b"# \xe9\n",
        "notes.txt": b"text",
        "test/test_x.py": b"x = 2\n",
        "package/tests/test_y.py": b"x = 3\n",
        "site-packages/other.py": b"x = 4\n",
        "config-3.11-x86_64/made.py": b"x = 5\n",
        "_sysconfigdata__linux.py": b"x = 6\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(text)
    (tmp_path / "lost.py").symlink_to(tmp_path / "gone.py")
    assert {d.path for d in python_sources(tmp_path)} == {"kept.py", "package/kept_too.py"}


def test_a_python_without_source_is_refused_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as refused:
        python_sources(tmp_path)
    assert str(refused.value) == (
        f"data.corpus = 'python-stdlib': no Python source under {tmp_path}; "
        "use a Python installed with its standard library as files"
    )

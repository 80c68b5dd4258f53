"""A file that is not a study file is refused with one sentence."""

from __future__ import annotations

from pathlib import Path

from tests.sweep.refusal import refusal


def test_a_missing_file_is_refused_with_the_command_that_writes_one(file: Path) -> None:
    assert refusal(file) == " does not exist; `sweep init s.toml` writes a study to start from"


def test_a_missing_file_is_refused_with_the_name_of_a_similar_one(
    file: Path, study_text: str
) -> None:
    file.with_name("shakespeare.toml").write_text(study_text)
    for name in ("shakespere.toml", "shakespeare", "Shakespeare.toml"):
        assert f"; did you mean {file.with_name('shakespeare.toml')}?" in refusal(
            file.with_name(name)
        )


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path) == f" is a folder; name a study file inside it, such as {tmp_path}/x.toml"
    )


def test_broken_toml_is_refused_with_line_and_column(file: Path) -> None:
    file.write_text('name = "tiny"\n[design\nseeds = 2\n')
    sentence = refusal(file)
    assert sentence.startswith("not valid TOML: Expected ']'")
    assert "(at line 2, column 8)" in sentence


def test_a_name_given_twice_is_refused_with_its_line(file: Path, study_text: str) -> None:
    file.write_text(study_text.replace("[interventions.clip]", "[interventions.no-dropout]"))
    sentence = refusal(file)
    assert "Cannot declare ('interventions', 'no-dropout') twice" in sentence
    line = study_text[: study_text.index("[interventions.clip]")].count("\n") + 1
    assert f"(at line {line}, column " in sentence


def test_a_file_that_is_not_utf_8_is_refused_with_the_position(file: Path) -> None:
    file.write_bytes(b'name = "\xff"')
    assert refusal(file) == " is not UTF-8 text (byte 8)"


def test_deep_nesting_and_endless_numbers_are_refused(file: Path) -> None:
    file.write_text("a = " + "[" * 5000 + "]" * 5000)
    assert refusal(file) == "not valid TOML: nested too deeply"
    file.write_text("a = " + "1" * 5000)
    assert refusal(file) == "not valid TOML: a number of thousands of digits"


def test_a_key_with_a_million_parts_is_refused_before_it_uses_all_memory(file: Path) -> None:
    file.write_text('name = "x"\n' + "a." * 1_000_000 + "a = 1")
    assert refusal(file) == "line 2 has more than 500 dots; break it in two"


def test_a_file_too_large_to_be_a_study_is_refused(file: Path) -> None:
    file.write_bytes(b"#" * 4_000_001)
    assert refusal(file) == " is larger than 4000000 bytes, too large for a study file"

"""The formats of `sweep report`, for a very small study that was really trained."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.reports.formats import FORMATS
from tests.sweep.said import loads

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

REPORT_KEYS = {
    "study",
    "plan_hash",
    "alpha",
    "correction",
    "family",
    "smallest_effect",
    "overrides",
    "family_growth",
    "noise",
    "noise_on_record",
    "stack",
    "arms",
}
NOT_OF_THE_BASELINE = {
    "n_shared",
    "effect",
    "ci_low",
    "ci_high",
    "standard_error",
    "df",
    "p",
    "p_adjusted",
    "method",
    "pairing_gain",
    "verdict",
    "seeds_to_settle",
    "p_paired",
    "p_welch",
    "p_permutation",
    "seconds_to_settle",
    "settling_seeds",
    "settling_runs",
    "settling_seconds",
    "settling_slots",
}
ARM_KEYS = NOT_OF_THE_BASELINE | {
    "arm",
    "interventions",
    "n_done",
    "n_diverged",
    "n_failed",
    "mean",
    "sd",
    "seconds",
}


@pytest.fixture(scope="module")
def reports(folder: Path, sweep: Run) -> dict[str, Done]:
    """What `sweep report` prints in each format."""
    return {form: sweep(folder, "report", "--format", form) for form in FORMATS}


def test_output_to_a_pipe_is_plain(
    finished: tuple[Path, Done], reports: dict[str, Done], sweep: Run
) -> None:
    folder, done = finished
    for text in (done.stdout, reports["table"].stdout, sweep(folder, "status").stdout):
        assert text
        assert "\x1b" not in text
        assert "\r" not in text


def test_the_json_report_has_every_key_and_null_for_missing_values(
    reports: dict[str, Done],
) -> None:
    done = reports["json"]
    assert (done.returncode, done.stderr) == (0, "")
    report = loads(done.stdout)
    assert report.keys() >= REPORT_KEYS
    assert (report["reproducible"]["exactly"], report["reproducible"]["roughly"]) == (6, 0)
    assert report["noise"].keys() == {"n", "mean", "sd", "ci_low", "ci_high", "shared"}
    assert (report["study"], report["family"], report["noise"]["n"]) == ("tiny", 2, 2)
    assert (report["alpha"], report["correction"]) == (0.05, "holm")
    assert [arm["arm"] for arm in report["arms"]] == ["baseline", "no-dropout", "clip"]
    for arm in report["arms"]:
        assert arm.keys() >= ARM_KEYS
        assert (arm["n_done"], arm["n_diverged"], arm["n_failed"]) == (2, 0, 0)
        assert arm["seconds"] > 0
    baseline, *others = report["arms"]
    assert {key for key in ARM_KEYS if baseline[key] is None} == NOT_OF_THE_BASELINE
    for arm in others:
        assert arm["interventions"] == [arm["arm"]]
        assert arm["effect"] == pytest.approx(arm["mean"] - baseline["mean"])
        assert arm["verdict"] in {"better", "worse", "negligible", "undecided"}


def test_csv_and_markdown_reports_agree_with_json(reports: dict[str, Done]) -> None:
    report = loads(reports["json"].stdout)
    rows = list(csv.DictReader(io.StringIO(reports["csv"].stdout)))
    assert [row["arm"] for row in rows] == [arm["arm"] for arm in report["arms"]]
    assert rows[0].keys() >= ARM_KEYS
    assert float(rows[2]["effect"]) == report["arms"][2]["effect"]
    assert rows[0]["effect"] == ""
    markdown = reports["md"].stdout
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert [line.split("|")[1].strip() for line in table[2:]] == ["baseline", "no-dropout", "clip"]
    assert set(table[1]) <= set("|-: ")


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_can_be_written_to_a_file(
    folder: Path, sweep: Run, reports: dict[str, Done], tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"report.{form}"
    name = {"md": "tiny", "csv": "s.toml"}.get(form)  # by name, by file, or the one last run
    words = [name] if name else []
    done = sweep(folder, "report", *words, "--format", form, "-o", file)
    assert (done.returncode, done.stdout) == (0, f"Written to {file}.\n")
    if form != "table":  # a file is as wide as it likes
        assert file.read_text() == reports[form].stdout
    assert "no-dropout" in file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "form"),
    [
        (written, each.name)
        for each in FORMATS.values()
        for suffix in each.suffixes
        for written in (suffix, suffix.upper())
    ],
)
def test_the_suffix_of_the_file_gives_the_format_unless_an_option_does(
    folder: Path, sweep: Run, reports: dict[str, Done], tmp_path: Path, suffix: str, form: str
) -> None:
    file = tmp_path / f"report{suffix}"
    assert sweep(folder, "report", "-o", file).returncode == 0
    if form != "table":  # a file is as wide as it likes
        assert file.read_text() == reports[form].stdout
    assert "no-dropout" in file.read_text()
    assert sweep(folder, "report", "-o", file, "--format", "csv").returncode == 0
    assert file.read_text() == reports["csv"].stdout


@pytest.mark.parametrize("command", ["report", "noise", "stack"])
@pytest.mark.parametrize("name", ["x.htmx", "x.MD.bak", "x.jsonl"])
def test_a_file_with_an_unknown_suffix_is_refused_before_anything_is_done(
    empty: Path, sweep: Run, command: str, name: str
) -> None:
    done = sweep(empty, command, "s.toml", "-o", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"sweep: -o {name}: no format has the suffix {Path(name).suffix!r}; end the name in .txt, "
        ".md, .csv, .json, .html, .htm or .tex, or name the format with --format\n"
    )
    assert [path.name for path in empty.iterdir()] == ["s.toml"]


def test_a_report_that_cannot_be_written_is_refused(folder: Path, sweep: Run) -> None:
    done = sweep(folder, "report", "-o", "no/such/folder/report.txt")
    assert done.returncode == 2
    assert done.stderr == (
        "sweep: no/such/folder/report.txt cannot be written: No such file or directory\n"
    )

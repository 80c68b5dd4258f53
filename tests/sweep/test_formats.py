"""The formats of a report: each has the same numbers, and shows every name as plain text."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.tables.table import signed
from sweep.commands.import_ import ImportRequest, import_results
from sweep.commands.noise import NoiseRequest, noise
from sweep.commands.report import ReportRequest, report
from sweep.reports.formats import DEFAULT_FORMAT, FORMATS, Format, file_suffixes, format_of_file
from sweep.reports.verdict_columns import settling_time, undecided
from sweep.store.rows import ReferenceRow
from sweep.terminal.units import supported_decimals
from sweep.verdicts.references import require_setup, save_reference
from sweep.workspace import Workspace
from tests.sweep.stores import Trainer, usual

HOSTILE = r"[b]a|_x_*{&}%$#~^\`<i>"
"""Characters that are markup to rich, Markdown or LaTeX."""
HOSTILE_ARMS = [
    HOSTILE,
    "*[x]",
    "\"--, ''",
    "-1",
    "%",
    r"\input{/etc/passwd}",
    "清洗 🎉 ąßé",
    "a" * 64,
]
ARMS = ("baseline", "no-dropout", "clip", "früh--清洗")
INTERVAL = ("ci_low_adjusted", "ci_high_adjusted")
Values = Mapping[str, Any]


def in_words(row: Values) -> list[str]:
    """An arm's name and values as a table shows them."""
    number = {
        key: float(row[key]) if row[key] not in {None, ""} else None
        for key in ("effect", "ci_low", "settling_seconds", *INTERVAL)
    }
    seeds = int(row["seeds_to_settle"] or 0) or None
    verdict = row["verdict"] or ""
    if verdict == "undecided":
        verdict = undecided(seeds, number["ci_low"])
    return [
        row["arm"],
        signed(number["effect"], supported_decimals(*(number[key] for key in INTERVAL), most=4)),
        verdict,
        settling_time(number["settling_seconds"]),
    ]


def in_json(text: str) -> list[list[str]]:
    content = json.loads(text)
    nothing = dict.fromkeys(content["arms"][0])
    references = [
        {**nothing, "arm": each["name"], "effect": each["difference"], "verdict": "reference"}
        for each in content["references"]
    ]
    return [in_words(row) for row in [*content["arms"], *references]]


def from_json(text: str) -> list[str]:
    return [" ".join(words) for words in in_json(text)]


def from_csv(text: str) -> list[str]:
    return [" ".join(in_words(row)) for row in csv.DictReader(io.StringIO(text))]


def from_markdown(text: str) -> list[str]:
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    return [SHOWN["md"](line.removeprefix("| ")) for line in table[2:]]


COMMANDS = {
    "less": "<",
    "bar": "|",
    "backslash": "\\",
    "asciitilde": "~",
    "asciicircum": "^",
    "asciigrave": "`",
    "greater": ">",
}


def from_latex(text: str) -> list[str]:
    body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    table = body.removesuffix(" \\\\\n").split(" \\\\\n")
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in table}) == 1
    return [typeset(line) for line in table]


def typeset(source: str) -> str:
    """The text that TeX sets for a line, for the commands used here."""
    source = source.replace(r"\char34", '"')
    source = re.sub(r"\\ifdefined\\Umathchar (.*?)\\else .*?\\fi", r"\1", source)
    tokens = re.findall(r"\\[a-zA-Z]+|\\.|.", source)
    deep = 0
    for token in tokens:
        deep += {"{": 1, "}": -1}.get(token, 0)
        assert deep >= 0
    assert deep == 0
    known = {"{": "", "}": "", "$": "", **{rf"\text{k}": v for k, v in COMMANDS.items()}}
    return "".join(known.get(token, token.removeprefix("\\")) for token in tokens)


def text_of(page: str) -> str:
    """What a browser shows of HTML, with the minus sign as in the other formats."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub("<[^>]*>", "", body)).replace("−", "-")


def from_html(page: str) -> list[str]:
    body = page.partition("<tbody")[2].partition("</tbody>")[0]
    rows = body.split("<tr")[1:]
    return [" ".join(map(text_of, re.findall(r"<t[hd] .*?</t[hd]>", row))) for row in rows]


SHOWN: dict[Format, Callable[[str], str]] = {
    "md": lambda text: re.sub(r"\\([!-/:-@[-`{-~])", r"\1", text),
    "latex": typeset,
    "html": text_of,
    **dict.fromkeys(("table", "csv", "json"), str),
}
"""By format: the text that a reader sees, from the text that is printed."""
READ: dict[Format, Callable[[str], list[str]]] = {
    "table": str.splitlines,
    "md": from_markdown,
    "csv": from_csv,
    "json": from_json,
    "latex": from_latex,
    "html": from_html,
}
"""By format: the lines of the table, from the text that is printed."""


def reference(test_text: str) -> ReferenceRow:
    return ReferenceRow(
        study="tiny",
        test_text=test_text,
        name=HOSTILE,
        folder="/elsewhere",
        weights_hash="w" * 64,
        test_loss=2.75,
        bits_per_byte=3.9,
        parameters=1234,
        context=16,
        evaluated=0.0,
        provenance={},
    )


@pytest.fixture
def show(train: Trainer, content: dict[str, Any]) -> Callable[[Format], str]:
    """Reports in a given format of a study with diverged, failed and removed arms and a reference."""
    dropped = {"because": "It was tried.", "set": {"optimizer.beta2": 0.99}}
    odd = {"because": "Why not.", "set": {"optimizer.clip_norm": 2.0}}
    content["interventions"] |= {"gone": dropped, "früh--清洗": odd}
    content["design"]["seeds"] = 3

    def outcome(arm: str, seed: int) -> dict[str, Any]:
        if (arm, seed) == ("clip", 2):
            nothing = {"test_loss": None, "chunk_losses": [], "cause": "loss is nan"}
            return {"state": "diverged", "diverged_at": 2, **nothing}
        if (arm, seed) == ("no-dropout", 3):
            return {"fail": True}
        return usual(arm, seed) | ({"test_loss": 2.5 + seed**2 / 50} if arm[0] == "f" else {})

    train(content, outcome)
    del content["interventions"]["gone"]
    train(content, outcome)
    store = train.store
    study = store.study("tiny")
    save_reference(store, reference(require_setup(store, study).hash))
    return lambda form: written(Workspace(train.folder / "runs"), form)


def written(workspace: Workspace, form: Format) -> str:
    file = workspace.folder / f"report.{form}"
    request = ReportRequest(form=form, output=file)
    assert report(workspace, request, Console(quiet=True)) == 0
    return file.read_text()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_same_arms_and_numbers(
    show: Callable[[Format], str], form: Format
) -> None:
    expected = in_json(show("json"))
    assert [words[0] for words in expected] == [*ARMS, HOSTILE]
    assert {words[2] for words in expected} >= {"reference", ""}
    assert any(words[2].startswith("undecided (+") and words[3] for words in expected)
    text = show(form)
    lines = READ[form](text)
    for name, *values in expected:
        [line] = [line for line in lines if f"{line.strip()} ".startswith(f"{name} ")]
        absent = [value for value in values if value not in line]
        # A narrow terminal has no room for the last column beside diverged runs.
        assert absent in ([], values[2:] if form == "table" and "  to settle" not in text else [])


def test_no_two_formats_have_the_same_file_suffix() -> None:
    assert len(file_suffixes()) == len(set(file_suffixes()))
    for each in FORMATS.values():
        assert {format_of_file(Path(f"x{suffix}")) for suffix in each.suffixes} <= {each.name}
    assert format_of_file(None) == format_of_file(Path("x")) == DEFAULT_FORMAT


@pytest.mark.parametrize("form", ["table", "md", "latex", "html"])
def test_formats_for_people_have_the_lines_above_and_below_the_table(
    show: Callable[[Format], str], form: Format
) -> None:
    shown = SHOWN[form](show(form))
    for sentence in (
        "alpha 0.05, holm over a family of 4; smallest effect worth having 0.01; plan ",
        "Tried, and no longer in the study: gone (3 done, mean 2.6",
        "Means are over the runs that converged.",
        f"{HOSTILE}: 2.7500 nats per token",
    ):
        assert sentence in shown


@pytest.fixture
def imported(tmp_path: Path) -> Workspace:
    """An imported study: its arms may have any names."""
    rows = [(arm, 2 + place / 8) for place, arm in enumerate(["baseline"] * 5 + HOSTILE_ARMS)]
    with (tmp_path / "r.csv").open("w") as file:
        csv.writer(file).writerows([("arm", "loss"), *rows])
    workspace = Workspace(tmp_path / "runs")
    import_results(
        workspace, ImportRequest(files=[tmp_path / "r.csv"], study="x"), Console(quiet=True)
    )
    return workspace


@pytest.mark.parametrize("form", FORMATS)
def test_sweep_noise_has_every_format_too(imported: Workspace, form: Format) -> None:
    file = imported.folder / "noise"
    request = NoiseRequest("x", 2, None, form, file)
    assert noise(imported, request, Console(quiet=True), Console(quiet=True)) == 0
    shown = SHOWN[form](file.read_text())
    for place, arm in enumerate(HOSTILE_ARMS, 5):
        name = json.dumps(arm)[1:-1] if form == "json" else arm
        assert name in (shown.replace('""', '"') if form == "csv" else shown)
        assert f"{2 + place / 8}" in shown


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_with_any_name_of_an_arm(imported: Workspace) -> None:
    (imported.folder / "all.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{written(imported, 'latex')}\\end{{document}}\n"
    )
    words = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex")
    done = subprocess.run(
        words, cwd=imported.folder, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout

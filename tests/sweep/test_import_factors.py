"""`sweep import --factors`: published factorials come out of a CSV."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmarks.published import FILTRATION
from sweep.commands.import_ import ImportRequest
from sweep.errors import ResultsError
from sweep.importing.factors import parse_factors
from sweep.importing.fields import Field
from sweep.importing.settings import Settings
from sweep.metrics.metric import Direction
from sweep.reports.document import Document
from sweep.reports.formats import FORMATS
from sweep.reports.verdict_text import report_document
from sweep.verdicts.judge import make_report
from tests.sweep.importer import Importer

FACTORS = "A,B,C,D"
FULL = [row[::-1] for row in product((-1, 1), repeat=4)]


def csv(rows: list[tuple[Any, ...]], values: list[float], names: str = FACTORS) -> str:
    lines = [",".join([*map(str, row), str(y)]) for row, y in zip(rows, values, strict=True)]
    return "\n".join([f"{names},rate", *lines, ""])


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., str]:
    """Import a text with factors; returns what the command prints."""
    importer = Importer(tmp_path)

    def run(text: str, factors: str = FACTORS, **columns: str) -> str:
        file = tmp_path / "r.csv"
        file.write_text(text)
        named = {Field.LOSS: "rate", **{Field(name): column for name, column in columns.items()}}
        settings = Settings(direction=Direction.MAXIMIZE)
        return importer.request(
            ImportRequest(
                files=[file],
                study="x",
                columns=named,
                settings=settings,
                factors=parse_factors(factors),
            )
        )

    return run


def document(folder: Path) -> Document:
    store = Importer(folder).workspace.open_to_read()
    return report_document(make_report(store, store.study("x")))


def effects(folder: Path) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document(folder).content["design"]["effects"]}


def test_the_filtration_rate_comes_out_of_a_file_with_its_effects(
    take: Callable[..., str], tmp_path: Path
) -> None:
    said = take(csv(FULL, FILTRATION))
    assert "the study has 16 arms, and 'A=-1 B=-1 C=-1 D=-1' is the baseline" in said
    found = effects(tmp_path)
    published = {"A": 21.625, "C": 9.875, "D": 14.625, "A × C": -18.125, "A × D": 16.625}
    assert {name: found[name]["effect"] for name in published} == pytest.approx(published)
    assert {name for name in found if found[name]["verdict"] != "undecided"} == set(published)
    design = document(tmp_path).content["design"]
    assert (design["kind"], design["mode"]) == ("imported factorial", "Lenth")
    assert design["column"] == "average effect over the other factors"
    assert len(design["half_normal"]) == 15


def test_a_half_fraction_is_recognised_and_its_aliases_are_named(
    take: Callable[..., str], tmp_path: Path
) -> None:
    half = [(row, y) for row, y in zip(FULL, FILTRATION, strict=True) if sum(row) % 4 == 0]
    take(csv([row for row, _ in half], [y for _, y in half]))
    found = effects(tmp_path)
    assert found["A × C"]["effect"] == -18.5
    assert found["A × C"]["aliases"] == ("+ B × D",)
    text = FORMATS["table"].write(document(tmp_path))
    assert "the same in every run (I): + A × B × C × D" in " ".join(text.split())


@pytest.mark.parametrize("form", FORMATS)
def test_the_effects_are_written_in_every_format(
    take: Callable[..., str], tmp_path: Path, form: str
) -> None:
    take(csv(FULL, FILTRATION))
    text = FORMATS[form].write(document(tmp_path))
    for_people = form not in {"csv", "json"}
    assert ("21.6 " if for_people else "21.625") in text.replace("<", " ")
    assert "average effect" in text or form == "csv"


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("-", "+"),
        ("low", "High"),
        ("off", "on"),
        (0, 1),
        (160, 180),
        ("1e-4", "0.001"),
        ("−1", "+1"),
    ],
)
def test_levels_may_be_signs_words_or_numbers(
    take: Callable[..., str], tmp_path: Path, low: object, high: object
) -> None:
    rows = [(*(low if each < 0 else high for each in row[:1]), *row[1:]) for row in FULL]
    take(csv(rows, FILTRATION))
    assert effects(tmp_path)["A"]["effect"] == 21.625


def test_repeated_runs_give_the_noise(take: Callable[..., str], tmp_path: Path) -> None:
    rows = [row[::-1] for row in product("-+", repeat=3)]
    first, second = [59, 74, 50, 69, 50, 81, 46, 79], [61, 70, 58, 67, 54, 85, 44, 81]
    take(csv([*rows, *rows], [*first, *second], "T,C,K"), "T,C,K")
    found = effects(tmp_path)
    assert found["T"]["effect"] == 23
    assert found["T × K"]["effect"] == 10
    assert found["T"]["standard_error"] == pytest.approx(1.4142, abs=1e-4)


def test_blocks_are_taken_from_the_column_of_seeds(
    take: Callable[..., str], tmp_path: Path
) -> None:
    # Montgomery, table 7.1: the chemical process of chapter 6, a 2^2 in three blocks.
    values = [28, 36, 18, 31, 25, 32, 19, 30, 27, 32, 23, 29]
    rows = [(a, b, block) for block in (1, 2, 3) for b, a in product((-1, 1), repeat=2)]
    take(csv(rows, values, "A,B,block"), "A,B", seed="block")
    found = effects(tmp_path)
    assert found["A"]["effect"] == pytest.approx(8.333, abs=5e-4)
    assert found["B"]["effect"] == pytest.approx(-5.0)
    assert found["A × B"]["effect"] == pytest.approx(1.667, abs=5e-4)
    assert found["A"]["n"] == 3


def test_centre_points_are_left_out_and_said(take: Callable[..., str], tmp_path: Path) -> None:
    said = take(csv([*FULL, (0, 0, 0, 0), (0, 0, 0, 0)], [*FILTRATION, 60, 61]))
    assert "2 centre points left out" in said
    assert effects(tmp_path)["A"]["effect"] == 21.625


def test_a_factor_with_three_levels_is_compared_level_by_level(
    take: Callable[..., str], tmp_path: Path
) -> None:
    rows = [*product((10, 20, 30), (-1, 1))] * 2
    values = [a / 10 + b + noise for noise in (0.1, -0.1) for a, b in rows[:6]]
    said = take(csv(rows, values, "A,B"), "A,B")
    assert "With more than two levels: 'A'. Each level is compared with the lowest" in said
    found = effects(tmp_path)
    assert found["A = 20"]["effect"] == pytest.approx(1)
    assert found["A = 30"]["effect"] == pytest.approx(2)


@pytest.mark.parametrize(
    ("text", "factors", "message"),
    [
        (csv(FULL, FILTRATION), "A,B,E", "r.csv has no column 'E' for --factors"),
        (csv(FULL, FILTRATION), "A,,B", "write the columns of the factors once each"),
        (csv(FULL, FILTRATION), "A,A", "write the columns of the factors once each"),
        (csv([(1, 2), (1, 3)], [1, 2], "A,B"), "A,B", "the factor 'A' is '1' in every row"),
        (csv([(1, ""), (2, 3)], [1, 2], "A,B"), "A,B", "row 1 has no level of the factor 'B'"),
        (
            csv([(n, n % 2) for n in range(13)], list(range(13)), "A,B"),
            "A,B",
            "the factor 'A' has 13 levels, and at most 12 are possible",
        ),
    ],
)
def test_a_factor_that_is_none_is_refused_with_the_reason(
    take: Callable[..., str], text: str, factors: str, message: str
) -> None:
    with pytest.raises(ResultsError) as refused:
        take(text, factors)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_second_import_adds_runs_to_the_same_factors(
    take: Callable[..., str], tmp_path: Path
) -> None:
    half = [(row, y) for row, y in zip(FULL, FILTRATION, strict=True) if sum(row) % 4 == 0]
    take(csv([row for row, _ in half], [y for _, y in half]))
    take(csv(FULL, FILTRATION))
    assert effects(tmp_path)["A"]["effect"] is not None
    with pytest.raises(ResultsError, match="the study has the factors"):
        take(csv(FULL, FILTRATION), "A,B,C")

"""Import of tables with one arm, of wide tables, and of cells that are no plain numbers."""

from __future__ import annotations

import pytest

from sweep.errors import ResultsError
from tests.sweep.importer import Importer


def losses(importer: Importer) -> dict[tuple[str, int], float | None]:
    return {(run["arm"], run["seed"]): run["test_loss"] for run in importer.runs()}


def test_a_file_with_one_arm_is_imported_and_the_report_says_so(importer: Importer) -> None:
    said = importer("arm,seed,loss\nclip,1,2.3\n clip ,2,2.4\nclip,3,2.5\n")
    assert "the study has one arm: 'clip' is the baseline." in said
    assert "The study has one arm, and nothing to compare it with; `sweep noise x`" in (
        importer.table()
    )


@pytest.mark.parametrize(
    "content",
    [
        "seed,baseline,clip\n1,2.3,2.2\n2,2.4,\n",
        "arm,seed1,seed_2\nbaseline,2.3,2.4\nclip,2.2,\n",
        "Name,s1,s2\nbaseline,2.3,2.4\nclip,2.2,\n",
    ],
)
def test_a_wide_table_has_a_run_in_each_cell(importer: Importer, content: str) -> None:
    said = importer(content)
    assert losses(importer) == {("baseline", 1): 2.3, ("baseline", 2): 2.4, ("clip", 1): 2.2}
    assert "Each of 2 columns was read as a" in said
    assert "of 'value' lower is better" in said


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("93%", "write it without the percent sign, in all rows"),
        ('"1,234.5"', "write it with a decimal point and without separators between thousands"),
        ("1'234", "without separators between thousands"),
        ("1_000", "without separators between thousands"),
    ],
)
def test_a_number_in_another_form_is_refused_with_the_form_that_is_read(
    importer: Importer, cell: str, remedy: str
) -> None:
    with pytest.raises(ResultsError) as error:
        importer(f"arm,loss\nbaseline,1\nclip,{cell}\nclip,{cell}\n")
    assert "which is not a number (and 1 more row like it); " in str(error.value)
    assert remedy in str(error.value)


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "Infinity"])
def test_a_loss_that_is_not_finite_is_told(importer: Importer, cell: str) -> None:
    said = importer(f"arm,loss\nbaseline,1\nclip,{cell}\n")
    assert "1 run with a loss that is not finite, counted as diverged: row 2." in said


def test_an_empty_loss_is_told(importer: Importer) -> None:
    assert "1 run without a loss, counted as failed: row 2." in importer(
        "arm,loss\nbaseline,1\nclip,\n"
    )


def test_equal_rows_without_a_seed_are_told(importer: Importer) -> None:
    said = importer("arm,loss\nbaseline,1.5\nclip,1.25\nclip,1.25\nclip,1.125\n")
    assert "2 runs without a seed but with the arm and loss of another, counted as" in said


def test_losses_that_are_all_below_0_are_asked_about(importer: Importer) -> None:
    content = "arm,metric\nbaseline,-2.5\nclip,-2.25\n"
    with pytest.raises(ResultsError, match="every loss is below 0, as a log-likelihood is"):
        importer(content, columns={"loss": "metric"})


def test_one_loss_far_below_the_others_is_asked_about(importer: Importer) -> None:
    with pytest.raises(ResultsError, match="row 3 has a loss below 0, and the other losses"):
        importer("arm,loss\nbaseline,2.5\nclip,2.25\nclip,-1\n")


def test_means_and_differences_of_a_wide_table_are_no_runs(importer: Importer) -> None:
    rows = "1,3.4,3.3,0.1\n2,3.41,3.31,0.1\nmean,3.405,3.305,0.1\n"
    said = importer("seed,baseline,clip,diff\n" + rows)
    assert "Left out, for it is made of other cells: diff, row 3." in said
    assert {arm: row["n_done"] for arm, row in importer.arms().items()} == {
        "baseline": 2,
        "clip": 2,
    }


def test_seeds_as_bare_numbers_above_the_columns_are_read(importer: Importer) -> None:
    assert "4 runs" in importer("arm,1,2,mean\nbaseline,3.4,3.41,3.405\nclip,3.3,3.31,3.305\n")


def test_a_column_of_seeds_is_known_under_other_names(importer: Importer) -> None:
    content = "arm,config.random_seed,loss\nbaseline,1,3.4\nclip,1,3.3\n"
    assert "runs pair by config.random_seed" in importer(content)

"""Whether runs with equal seeds pair: `sweep import --pairs`, `--no-pairs`, and what is said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from analysis.correlation import SeedCorrelation, fisher_interval
from sweep.cli import app
from sweep.errors import ResultsError
from sweep.reports.pairing_text import correlation_text
from tests.sweep.importer import PAIRED, Importer, csv

if TYPE_CHECKING:
    from pathlib import Path

UNSEEDED: list[tuple[object, ...]] = [(arm, loss) for arm, _, loss in PAIRED]
ALONE: list[tuple[object, ...]] = [row for row in PAIRED if row[0] == "baseline"]

HASH = "9ba7f7ac4e93c2005563c60a36106759c8f6ef0a2fd6d0f2e67f3daa7823a93e"
"""Of the plan of `PAIRED`, before there was a choice."""


def test_equal_seeds_pair_unless_the_import_says_otherwise(importer: Importer) -> None:
    said = importer(csv(PAIRED))
    assert "Runs pair by seed.\n" in said
    assert "compared as pairs (otherwise --no-pairs).\n" in said
    assert importer.report()["pairs"] is True
    assert importer.arms()["clip"]["p_paired"] is not None
    assert "compared as pairs.\n" in importer.table()


def test_with_no_pairs_equal_seeds_are_compared_as_unpaired(importer: Importer) -> None:
    said = importer(csv(PAIRED), pairs=False)
    assert "Runs with equal seeds do not pair.\n" in said
    assert "compared as unpaired (otherwise --pairs).\n" in said
    clip = importer.arms()["clip"]
    assert importer.report()["pairs"] is False
    assert (clip["n_shared"], clip["p_paired"], clip["pairing_gain"]) == (4, None, None)
    assert "compared as unpaired (--no-pairs).\n" in importer.table()


def test_import_and_report_give_the_correlation_with_its_interval_and_its_worth(
    importer: Importer,
) -> None:
    said = importer(csv(PAIRED))
    clip = importer.arms()["clip"]
    r, low, high = (clip[key] for key in ("correlation", "correlation_low", "correlation_high"))
    assert -1 <= low < r < high <= 1
    words = f"Equal seeds: correlation {r:.2f} ({low:.2f} to {high:.2f}), a pair is worth"
    assert words in said
    assert words in importer.table()
    assert f"worth {clip['pairing_gain']:.1f} unpaired runs" in said


def test_a_pair_of_arms_that_differ_by_the_same_everywhere_is_worth_no_long_number() -> None:
    found = [SeedCorrelation(arm="x", r=1.0, low=-1.0, high=1.0, n=3, gain=7.8e25)]
    assert correlation_text(found).endswith(", a pair is worth over 1,000 unpaired runs")


@pytest.mark.parametrize("pairs", [True, False])
def test_runs_that_share_a_stream_give_the_interval_of_their_independent_seeds(
    importer: Importer, pairs: bool
) -> None:
    rows = [
        (arm, init, order, 3.4 + init * init / 1000 + order * (7 - init) / 9000 + (arm == "a") / 99)
        for arm in ("baseline", "a")
        for init in range(5)
        for order in range(4)
    ]
    said = importer(csv(rows, "arm,init_seed,order_seed,loss"), pairs=pairs)
    arm = importer.arms()["a"]
    assert arm["n_shared"] == 4
    low, high = fisher_interval(arm["correlation"], 4, 0.05)
    assert (arm["correlation_low"], arm["correlation_high"]) == pytest.approx((low, high))
    assert f"correlation {arm['correlation']:.2f} ({low:.2f} to {high:.2f})" in said


def test_of_several_arms_the_smallest_and_the_largest_correlation_are_named(
    importer: Importer,
) -> None:
    more = [("drop", s, 2.6 - s / 100 + s % 2 / 1000) for s in range(1, 5)]
    said = importer(csv([*PAIRED, *more]))
    assert "Equal seeds: correlation with the baseline from -1.00 " in said
    assert " in 'drop' to " in said
    assert " in 'clip', a pair is worth 0.5 to " in said


def test_a_plan_that_pairs_is_stored_as_before_there_was_a_choice(importer: Importer) -> None:
    importer(csv(PAIRED))
    assert importer.report()["plan_hash"] == HASH
    importer(csv(PAIRED), pairs=True)
    assert importer.report()["plan_hash"] == HASH


def test_the_choice_is_kept_and_a_change_of_it_is_on_record(importer: Importer) -> None:
    importer(csv(PAIRED), pairs=False)
    importer(csv([*PAIRED, ("clip", 5, 2.4)]))
    assert importer.report()["pairs"] is False
    assert "results were known" not in importer.table()
    importer(csv(PAIRED), pairs=True)
    assert importer.report()["pairs"] is True
    assert "pairs false → true" in importer.table()
    assert "compared as pairs, as decided when results were known" in importer.table()


@pytest.mark.parametrize("rows", [UNSEEDED, [(arm, None, loss) for arm, loss in UNSEEDED]])
def test_a_file_without_seeds_does_not_say_that_runs_pair(
    importer: Importer, rows: list[tuple[object, ...]]
) -> None:
    text = csv([["" if cell is None else cell for cell in row] for row in rows])
    said = importer(text if len(rows[0]) == 3 else text.replace("arm,seed,loss", "arm,loss"))
    assert "Without seeds no runs pair.\n" in said
    assert "pair by" not in said
    assert "Equal seeds" not in said + importer.table()
    assert " over 4 runs (95% interval" in importer.table()


def test_a_file_with_one_arm_does_not_say_that_runs_pair(importer: Importer) -> None:
    said = importer(csv(ALONE))
    assert "There is one arm, so no runs pair.\n" in said
    assert "pair by" not in said


def test_runs_whose_seeds_the_baseline_lacks_are_said_not_to_pair(importer: Importer) -> None:
    said = importer(csv([(arm, seed + 10 * (arm == "clip"), loss) for arm, seed, loss in PAIRED]))
    assert "No runs pair, because no other arm has a seed of the baseline.\n" in said


def test_seeds_that_are_missing_in_part_are_counted(importer: Importer) -> None:
    said = importer(csv([*PAIRED, ("clip", "", 2.41), ("baseline", "", 2.52)]))
    assert "Runs pair by seed.\n" in said
    assert "2 runs without a seed pair with none.\n" in said
    assert importer.arms()["clip"]["n_shared"] == 4


@pytest.mark.parametrize(("rows", "why"), [(UNSEEDED, "it has no seeds"), (ALONE, "no other arm")])
def test_pairs_is_refused_where_nothing_can_pair(
    importer: Importer, rows: list[tuple[object, ...]], why: str
) -> None:
    header = "arm,loss" if len(rows[0]) == 2 else "arm,seed,loss"
    with pytest.raises(ResultsError, match=why):
        importer(csv(rows, header), pairs=True)


def test_noise_of_a_study_without_pairs_has_no_paired_row(importer: Importer) -> None:
    importer(csv(PAIRED), pairs=False)
    said = CliRunner().invoke(app, ["noise", "x", "--runs", str(importer.folder / "runs")]).output
    assert "No paired seeds: the plan says that equal seeds do not pair (--no-pairs)." in said
    assert "\n paired " not in said


def test_the_command_takes_the_option(tmp_path: Path) -> None:
    file, folder = tmp_path / "r.csv", tmp_path / "runs"
    file.write_text(csv(PAIRED))
    arguments = ["import", str(file), "--study", "x", "--no-pairs", "--runs", str(folder)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    shown = CliRunner().invoke(app, ["report", "x", "--runs", str(folder), "--format", "json"])
    assert json.loads(shown.output)["pairs"] is False

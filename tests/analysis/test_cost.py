"""The cost of further seeds."""

import math

import pandas as pd
import pytest

from analysis.cost import seconds_per_run, seconds_to_settle

RUNS = pd.DataFrame(
    [
        ("baseline", 10.0, "done"),
        ("baseline", 12.0, "done"),
        ("baseline", 500.0, "done"),
        ("wide", 60.0, "done"),
        ("wide", 1.0, "diverged"),
        ("imported", math.nan, "done"),
    ],
    columns=["arm", "seconds", "status"],
)


def test_further_seeds_cost_the_median_times_of_arm_and_baseline() -> None:
    per_run = seconds_per_run(RUNS)
    assert per_run == {"baseline": 12.0, "wide": 60.0}
    assert seconds_to_settle(3, "wide", "baseline", per_run) == 3 * (60 + 12)


def test_a_side_without_times_costs_as_much_as_the_other_and_without_any_times_the_cost_is_none() -> (
    None
):
    per_run = seconds_per_run(RUNS)
    assert seconds_to_settle(3, "imported", "baseline", per_run) == 3 * 24
    assert seconds_to_settle(3, "imported", "other", per_run) is None
    assert seconds_to_settle(None, "wide", "baseline", per_run) is None


def test_runs_without_times_are_refused() -> None:
    with pytest.raises(ValueError, match="no column 'seconds'"):
        seconds_per_run(RUNS.drop(columns="seconds"))

"""Reading runs: a wrong row is refused by name."""

import numpy as np
import pandas as pd
import pytest

from analysis.runs import STATUSES, read_runs

RUNS = pd.DataFrame(
    {"arm": ["a", "a", "b"], "seed": [2, 1, 1], "loss": [3.0, 4.0, 5.0], "status": "done"}
)


def test_runs_are_kept_by_arm_and_in_the_order_of_their_seeds() -> None:
    arms = read_runs(RUNS, ["b", "a", "c"])
    assert list(arms) == ["b", "a", "c"]
    assert arms["a"].losses == {(1,): 4.0, (2,): 3.0}
    assert arms["c"].losses == {}


def test_every_status_is_counted_once() -> None:
    runs = pd.DataFrame({"arm": "a", "seed": range(6), "loss": 1.0, "status": STATUSES})
    arm = read_runs(runs, ["a"])["a"]
    counts = (len(arm.losses), len(arm.diverged), arm.n_failed, arm.n_missing)
    assert counts == (1, 1, 1, 3)


def test_only_a_done_run_needs_a_loss() -> None:
    runs = RUNS.assign(loss=np.nan, status=["failed", "queued", "diverged"])
    assert read_runs(runs, ["a", "b"])["b"].diverged == {(1,)}


def test_all_seed_columns_that_are_present_make_the_seed() -> None:
    runs = RUNS.rename(columns={"seed": "init_seed"}).assign(dropout_seed=7)
    assert list(read_runs(runs, ["a", "b"])["b"].losses) == [(1, 7)]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (RUNS.drop(columns="status"), "no column 'status'; they have"),
        (RUNS.drop(columns="seed"), "no seed column; give one or more of"),
        (RUNS.assign(seed=[1, np.nan, 2]), "a run lacks a seed"),
        (RUNS.assign(arm="x"), r"arm 'x', seed 2: the plan has no such arm; it has \['a', 'b'\]"),
        (RUNS.assign(status="lost"), "arm 'a', seed 2: status 'lost' is none of"),
        (RUNS.assign(seed=1), "arm 'a', seed 1: occurs twice"),
        (RUNS.assign(loss=np.inf), "arm 'a', seed 2: is done with loss inf"),
        (RUNS.assign(loss=[1.0, np.nan, 1.0]), "arm 'a', seed 1: is done with loss nan"),
        (RUNS.assign(loss=[1.0, None, 1.0]), "arm 'a', seed 1: is done with loss nan"),
    ],
)
def test_runs_that_make_no_sense_are_refused_by_name(runs: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_runs(runs, ["a", "b"])

"""Noise by stream: layouts, estimates and refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.variance.streams import UndecidableError, crossed_layout, decompose

STREAMS = {"init": "init_seed", "order": "order_seed", "dropout": "dropout_seed"}
LEVELS = (3, 4, 5, 7, 9)


def latin(levels: int, sds: tuple[float, float, float], rest: float, seed: int) -> pd.DataFrame:
    """Simulated losses over the layout that `sweep noise --decompose` trains."""
    generator = np.random.default_rng(seed)
    cells = np.array(crossed_layout(levels, 3))
    effects = [generator.normal(0, sd, levels)[cells[:, i]] for i, sd in enumerate(sds)]
    losses = 2.3 + sum(effects) + generator.normal(0, rest, len(cells))
    return pd.DataFrame({"loss": losses, **dict(zip(STREAMS.values(), cells.T, strict=True))})


@pytest.mark.parametrize("levels", LEVELS)
def test_any_two_streams_of_the_layout_meet_once_in_every_pair(levels: int) -> None:
    cells = crossed_layout(levels, 3)
    assert len(cells) == levels**2
    for one, other in itertools.combinations(range(3), 2):
        assert len({(cell[one], cell[other]) for cell in cells}) == levels**2


@pytest.mark.parametrize("streams", [2, 3])
@pytest.mark.parametrize("levels", LEVELS)
def test_a_study_s_own_seeds_are_part_of_the_layout(levels: int, streams: int) -> None:
    assert {(seed,) * streams for seed in range(levels)} <= set(crossed_layout(levels, streams))


@pytest.mark.parametrize("levels", [1, 2, 6, 8])
def test_a_number_of_levels_without_such_a_layout_is_refused_with_those_that_have_one(
    levels: int,
) -> None:
    with pytest.raises(ValueError, match=f"{levels} levels .* take 4, or an odd number from 3 on"):
        crossed_layout(levels, 3)


def test_a_stream_that_makes_all_noise_is_found_and_the_others_are_zero() -> None:
    found = decompose(latin(4, (0.01, 0.0, 0.0), 1e-5, seed=1), STREAMS)
    assert found.streams["init"].share == pytest.approx(1.0, abs=1e-3)
    assert found.streams["order"].share == pytest.approx(0.0, abs=1e-3)
    p = found.streams["init"].p
    assert p is not None
    assert p < 1e-6


@pytest.mark.nightly
def test_moments_are_unbiased_and_intervals_cover_in_the_layout_that_is_trained() -> None:
    sds, rest, studies = (0.8, 0.3, 0.1), 0.2, 300
    found = [decompose(latin(4, sds, rest, seed), STREAMS) for seed in range(studies)]
    for stream, sd in zip(STREAMS, sds, strict=True):
        parts = [each.streams[stream] for each in found]
        moments = [part.variance for part in parts]
        error = float(np.std(moments)) / np.sqrt(studies)
        assert abs(float(np.mean(moments)) - sd**2) < 4 * error
        assert 0.92 <= np.mean([part.ci_low <= sd <= part.ci_high for part in parts]) <= 0.99


@pytest.mark.parametrize("seed", range(5))
def test_intervals_hold_the_estimate_with_runs_missing_too(seed: int) -> None:
    frame = latin(5, (0.8, 0.3, 0.1), 0.2, seed).drop(index=[2, 11])
    for part in decompose(frame, STREAMS).streams.values():
        assert part.ci_low <= max(part.variance, 0.0) ** 0.5 <= part.ci_high


def test_no_share_is_given_for_fewer_than_four_levels() -> None:
    found = decompose(latin(3, (0.8, 0.3, 0.1), 0.2, seed=1), STREAMS)
    assert [part.share for part in found.streams.values()] == [None, None, None]
    assert all(part.ci_high > part.sd for part in found.streams.values())


def test_only_levels_that_can_be_separated_from_the_other_streams_count() -> None:
    # The seven baseline runs of ../shared/data/reference_interventions.csv.
    pairs = [(42, 42), (22, 22), (67, 67), (42, 23), (42, 67), (23, 23), (67, 23)]
    losses = [3.691526, 3.673453, 3.653593, 3.681356, 3.680505, 3.673943, 3.664345]
    frame = pd.DataFrame(pairs, columns=["init_seed", "dropout_seed"]).assign(loss=losses)
    found = decompose(frame, {"init": "init_seed", "dropout": "dropout_seed"})
    assert found.method == "REML"
    init = found.streams["init"]
    assert (init.levels, init.separable, init.share) == (4, 3, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_seed": 7}, "order has one seed in all runs"),
        ({"order_seed": [0, 1, 2] * 3, "init_seed": [0, 1, 2] * 3}, "changes only together"),
        ({"loss": 2.5}, "losses of all runs are equal"),
    ],
)
def test_streams_that_cannot_be_separated_are_refused_with_the_reason(
    changes: dict[str, object], reason: str
) -> None:
    frame = latin(3, (0.8, 0.3, 0.1), 0.2, seed=1).assign(**changes)
    with pytest.raises(UndecidableError, match=reason):
        decompose(frame, STREAMS)


def test_no_more_runs_than_seeds_are_refused() -> None:
    frame = pd.DataFrame({"loss": [1.0, 2.0, 4.0], "init_seed": [1, 1, 2], "order_seed": [1, 2, 1]})
    with pytest.raises(UndecidableError, match="only as many runs as seed effects"):
        decompose(frame, {"init": "init_seed", "order": "order_seed"})


@settings(max_examples=50)
@given(
    seed=st.integers(0, 1000),
    shift=st.floats(-1e6, 1e6),
    scale=st.floats(1e-3, 1e3),
)
def test_sds_scale_with_the_unit_of_the_losses_and_shares_do_not_change(
    seed: int, shift: float, scale: float
) -> None:
    frame = latin(4, (0.8, 0.3, 0.1), 0.2, seed)
    moved = frame.assign(loss=shift + scale * frame["loss"])
    before, after = decompose(frame, STREAMS), decompose(moved, STREAMS)
    for stream, part in before.streams.items():
        other = after.streams[stream]
        assert other.share == pytest.approx(part.share, abs=1e-4)
        assert other.ci_high == pytest.approx(scale * part.ci_high, rel=1e-4)

"""The uncertainty of an effect from the choice of the test text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.chunks import chunk_effects
from analysis.effects import paired_t


def table(arms: dict[str, np.ndarray]) -> pd.DataFrame:
    """A frame of losses of shape (seeds, chunks)."""
    rows = [
        (arm, seed, chunk, loss)
        for arm, losses in arms.items()
        for (seed, chunk), loss in np.ndenumerate(losses)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "chunk", "loss"])


def study(difference: np.ndarray) -> pd.DataFrame:
    """A baseline with chunks of unequal difficulty, and an arm with given differences."""
    baseline = np.random.default_rng(0).normal(3.5, 0.5, difference.shape)
    return table({"baseline": baseline, "arm": baseline + difference})


def spread(mean: float, sd: float, seeds: int = 5, chunks: int = 64) -> np.ndarray:
    draw = np.random.default_rng(1).normal
    return mean + draw(0, sd, chunks) + draw(0, 1e-3, (seeds, 1)) + np.zeros((seeds, chunks))


def test_both_standard_errors_are_those_of_paired_differences() -> None:
    difference = spread(-0.02, 0.01)
    found = chunk_effects(study(difference))["arm"]
    over_chunks, over_seeds = paired_t(difference.mean(axis=0)), paired_t(difference.mean(axis=1))
    assert (found.n_seeds, found.n_chunks) == (5, 64)
    assert found.effect == pytest.approx(difference.mean())
    assert found.se_chunks == pytest.approx(over_chunks.standard_error)
    assert found.se_seeds == pytest.approx(over_seeds.standard_error)
    assert (found.ci_low, found.ci_high) == pytest.approx(over_chunks.interval(0.05))
    assert found.se_total**2 == pytest.approx(found.se_chunks**2 + (found.se_seeds or 0) ** 2)


def test_an_effect_spread_over_the_text_does_not_rest_on_few_chunks() -> None:
    found = chunk_effects(study(spread(-0.02, 0.01)))["arm"]
    assert not found.rests_on_few_chunks
    assert found.carried_by is not None
    assert found.carried_by > 30


def test_an_effect_in_three_chunks_of_sixty_four_rests_on_them() -> None:
    difference = spread(0.0005, 0.0001)
    difference[:, [3, 30, 31]] -= 0.2
    found = chunk_effects(study(difference))["arm"]
    assert found.effect < 0
    assert found.carried_by == 3
    assert found.rests_on_few_chunks


def test_an_effect_on_few_chunks_is_found_although_the_interval_excludes_zero() -> None:
    difference = np.full((3, 400), 1e-6)
    difference[:, :5] = -0.05
    found = chunk_effects(study(difference))["arm"]
    assert found.ci_high < 0
    assert found.carried_by == 5
    assert found.rests_on_few_chunks


def test_an_effect_with_zero_in_its_interval_over_text_rests_on_few_chunks() -> None:
    found = chunk_effects(study(spread(-0.001, 0.05)))["arm"]
    assert found.ci_low < 0 < found.ci_high
    assert found.rests_on_few_chunks


def test_a_negligible_effect_may_be_larger_on_other_text() -> None:
    found = chunk_effects(study(spread(0.0, 0.01)))["arm"]
    assert not found.outside(0.01)
    assert found.outside(0.001)


@given(st.integers(2, 6), st.integers(2, 12), st.integers(0, 99))
def test_the_effect_is_gone_without_the_chunks_that_carry_it_and_not_without_one_fewer(
    seeds: int, chunks: int, seed: int
) -> None:
    difference = np.random.default_rng(seed).normal(0, 0.01, (seeds, chunks))
    found = chunk_effects(study(difference))["arm"]
    signed = np.sort(difference.mean(axis=0) * np.sign(found.effect))
    assert found.carried_by is not None
    assert signed[: chunks - found.carried_by].sum() <= 1e-12
    assert signed[: chunks - found.carried_by + 1].sum() > -1e-12


def test_one_seed_has_no_error_over_seeds_and_equal_arms_have_no_effect() -> None:
    baseline = np.full((1, 4), 3.0)
    found = chunk_effects(table({"baseline": baseline, "same": baseline, "arm": baseline + 0.5}))
    assert found["arm"].se_seeds is None
    assert (found["arm"].effect, found["arm"].se_total) == (0.5, 0)
    assert (found["same"].effect, found["same"].carried_by) == (0, None)


def test_only_shared_seeds_and_chunks_count() -> None:
    frame = study(spread(-0.02, 0.01, seeds=3, chunks=6))
    lost = (frame["arm"] == "arm") & ((frame["seed"] == 0) | (frame["chunk"] == 2))
    apart = frame[frame["arm"] == "arm"].assign(arm="apart", seed=lambda rows: rows["seed"] + 10)
    found = chunk_effects(pd.concat([frame[~lost], apart]))
    assert list(found) == ["arm"]
    assert (found["arm"].n_seeds, found["arm"].n_chunks) == (2, 5)


def test_losses_near_a_million_keep_their_differences() -> None:
    difference = np.round(spread(-0.02, 0.01), 6)
    far = table({"baseline": np.full((5, 64), 1e6), "arm": 1e6 + difference})
    found = chunk_effects(far)["arm"]
    assert found.effect == pytest.approx(difference.mean(), rel=1e-7)
    assert found.se_chunks == pytest.approx(
        paired_t(difference.mean(axis=0)).standard_error, rel=1e-7
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="chunk"), "no column 'chunk'"),
        (lambda f: f[f["arm"] == "arm"], "the baseline 'baseline' has no chunks"),
        (lambda f: pd.concat([f, f.tail(1)]), "arm 'arm', seed 1: chunk 2 occurs twice"),
        (lambda f: f.assign(loss=np.inf), "not finite; leave diverged runs out"),
    ],
)
def test_unusable_chunks_are_refused_with_the_reason(change, message: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=message):
        chunk_effects(change(study(spread(0, 0.01, seeds=2, chunks=3))))

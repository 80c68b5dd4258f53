"""Changes of the losses that leave verdicts alone or change them in a known way."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.verdict import Judgement, Plan, judge

# Multiples of 1/1024 are exact in binary, so that shifting and scaling them is exact as well.
grid = st.integers(-512, 512).map(lambda k: k / 1024)
tables = st.integers(2, 5).flatmap(
    lambda seeds: st.lists(st.lists(grid, min_size=seeds, max_size=seeds), min_size=2, max_size=7)
)
few = settings(max_examples=40)


def judged(study, table, delta=1 / 64) -> Judgement:  # noqa: ANN001
    names = ["baseline", *(f"arm-{i}" for i in range(1, len(table)))]
    runs = study(dict(zip(names, table, strict=True)))
    return judge(runs, Plan(arms=tuple(names[1:]), smallest_effect=delta))


def numbers(judgement: Judgement, *fields: str) -> list[float]:
    """The named fields of all arms but the baseline, NaN for None."""
    cells = [getattr(row, field) for row in judgement.arms[1:] for field in fields]
    return [math.nan if cell is None else float(cell) for cell in cells]


@pytest.mark.slow
@few
@given(tables)
def test_adding_a_constant_to_all_losses_changes_no_verdict(study, table) -> None:  # noqa: ANN001
    before, after = judged(study, table), judged(study, np.add(table, 64.0))
    fields = ("effect", "ci_low", "p", "p_adjusted", "p_welch", "p_permutation", "seeds_to_settle")
    assert numbers(after, *fields) == pytest.approx(numbers(before, *fields), nan_ok=True)
    assert [row.verdict for row in after.arms] == [row.verdict for row in before.arms]


@pytest.mark.slow
@few
@given(tables)
def test_scaling_losses_and_delta_scales_effects_and_leaves_p(study, table) -> None:  # noqa: ANN001
    # By ten, so that the last digit that losses are written with is scaled as well.
    thousandths = np.round(np.multiply(table, 1.024), 3)
    before = judged(study, thousandths)
    after = judged(study, np.round(10 * thousandths, 2), delta=10 / 64)
    scaled = 10 * np.array(numbers(before, "effect", "ci_low", "ci_high", "sd"))
    assert numbers(after, "effect", "ci_low", "ci_high", "sd") == pytest.approx(scaled, nan_ok=True)
    same = ("p", "p_adjusted", "p_paired", "p_welch", "pairing_gain", "sensitive")
    assert numbers(after, *same) == pytest.approx(numbers(before, *same), nan_ok=True)
    assert [row.verdict for row in after.arms] == [row.verdict for row in before.arms]


@few
@given(tables, st.randoms())
def test_the_order_of_the_rows_changes_nothing(study, table, random) -> None:  # noqa: ANN001
    names = ["baseline", *(f"arm-{i}" for i in range(1, len(table)))]
    runs = study(dict(zip(names, table, strict=True)))
    order = list(range(len(runs)))
    random.shuffle(order)
    plan = Plan(arms=tuple(names[1:]), smallest_effect=1 / 64)
    assert list(map(astuple, judge(runs.iloc[order], plan).arms)) == list(
        map(astuple, judge(runs, plan).arms)
    )


@few
@given(tables)
def test_swapping_arm_and_baseline_flips_the_sign(study, table) -> None:  # noqa: ANN001
    there, back = judged(study, table[:2]), judged(study, table[1::-1])
    assert numbers(back, "effect", "ci_low", "ci_high") == pytest.approx(
        [-x for x in numbers(there, "effect", "ci_high", "ci_low")], nan_ok=True, abs=1e-12
    )
    assert numbers(back, "p") == pytest.approx(numbers(there, "p"), nan_ok=True)
    mirror = {"better": "worse", "worse": "better"}
    verdict = there.arms[1].verdict
    assert back.arms[1].verdict == mirror.get(str(verdict), verdict)


@few
@given(tables)
def test_every_p_is_a_probability_and_adjusting_only_raises_it(study, table) -> None:  # noqa: ANN001
    for row in judged(study, table).arms[1:]:
        ps = (row.p, row.p_adjusted, row.p_paired, row.p_welch, row.p_permutation)
        assert all(0 <= p <= 1 for p in ps if p is not None)
        assert (row.p is None) == (row.p_adjusted is None)
        assert row.p is None or row.p <= (row.p_adjusted or 0)

"""Arms that are shown to be worse by a margin: the evidence, and its error over all seeds."""

import math

import numpy as np
import pytest

from analysis.anytime import log_e_value
from analysis.worse import fewest_seeds, find_worse, worse_log_e

MARGIN, ALPHA = 0.05, 0.05


def share_stopped(effect: float, noise: np.ndarray, alpha: float = ALPHA) -> float:
    """Share of studies in which the arm is stopped after any seed."""
    values = worse_log_e(effect + noise, MARGIN)
    return float((values.max(axis=-1) >= math.log(1 / alpha)).mean())


@pytest.mark.parametrize("kind", ["normal", "uniform", "heavy"])
def test_an_arm_exactly_the_margin_worse_is_stopped_in_at_most_alpha_of_studies(kind: str) -> None:
    draw = np.random.default_rng(7)
    shape = (4000, 12)
    noise = {
        "normal": draw.normal(size=shape),
        "uniform": draw.uniform(-1, 1, size=shape),
        "heavy": draw.standard_t(4, size=shape),
    }[kind]
    assert share_stopped(MARGIN, 0.01 * noise) <= ALPHA


def test_with_several_arms_and_checkpoints_the_error_is_that_of_the_study() -> None:
    draw = np.random.default_rng(8)
    studies, arms, seeds, checkpoints = 1500, 4, 8, 2
    common = draw.normal(size=(studies, 1, seeds, 1))
    noise = 0.01 * (common + draw.normal(size=(studies, arms, seeds, checkpoints)))
    values = worse_log_e(np.moveaxis(MARGIN + noise, -1, 1), MARGIN).max(axis=-1)
    needed = math.log(arms * checkpoints / ALPHA)
    assert float((values >= needed).any(axis=(1, 2)).mean()) <= ALPHA


def test_an_arm_that_is_much_worse_is_usually_stopped_after_three_or_four_seeds() -> None:
    noise = 0.01 * np.random.default_rng(9).normal(size=(2000, 4))
    assert share_stopped(MARGIN + 0.5, noise) > 0.95


@pytest.mark.parametrize("effect", [0.0, -1.0, -100.0])
def test_an_arm_is_never_stopped_because_it_is_better(effect: float) -> None:
    noise = 1e-6 * np.random.default_rng(10).normal(size=6)
    assert not find_worse({"a": (effect + noise).tolist()}, MARGIN, ALPHA, 1)


def test_the_evidence_is_the_e_value_of_the_seeds_so_far() -> None:
    d = [0.91, 1.02, 0.95, 0.99]
    found = find_worse({"a": d}, MARGIN, ALPHA, 1)["a"]
    assert found.seeds == 4
    assert found.mean == pytest.approx(np.mean(d))
    assert found.log_e_value == pytest.approx(log_e_value(d, MARGIN))


def test_further_seeds_do_not_take_a_decision_back() -> None:
    shown = [0.9, 0.91, 0.92, 0.9]
    before = find_worse({"a": shown}, MARGIN, ALPHA, 1)["a"]
    assert find_worse({"a": [*shown, -5.0, 5.0]}, MARGIN, ALPHA, 1)["a"] == before


def test_arms_are_stepped_down_as_in_a_race() -> None:
    found = {"bad": [5.0, 5.001, 5.002, 5.0], "worse": [0.3, 0.36, 0.33, 0.35], "same": [0.0] * 4}
    log_e = {arm: worse_log_e(np.array(d), MARGIN).max() for arm, d in found.items()}
    alpha = 2.5 / math.exp(log_e["worse"])  # it needs 2 / alpha once the other has been decided
    assert math.exp(log_e["bad"]) > 3 / alpha
    assert set(find_worse(found, MARGIN, alpha, 3)) == {"bad", "worse"}
    assert not find_worse({"worse": found["worse"]}, MARGIN, alpha, 3)


@pytest.mark.parametrize("d", [[], [3.0], [math.pi, math.pi]])
def test_fewer_than_three_seeds_never_decide(d: list[float]) -> None:
    assert not find_worse({"a": d}, MARGIN, ALPHA, 1)


@pytest.mark.parametrize(("questions", "checkpoints"), [(1, 1), (2, 2), (8, 2), (40, 4)])
def test_the_fewest_seeds_are_those_that_equal_differences_need(
    questions: int, checkpoints: int
) -> None:
    alpha = ALPHA / checkpoints
    n = fewest_seeds(alpha, questions)
    assert find_worse({"a": [9.0] * n}, MARGIN, alpha, questions)
    assert not find_worse({"a": [9.0] * (n - 1)}, MARGIN, alpha, questions)

"""The noise of judged scores is split as it was made, and a bias by position is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.scores import loss_and_score, position_bias, score_noise

ARMS = ("baseline", "clip", "warmup")


def made(
    *, seeds: int = 6, items: int = 40, repeats: int = 2, bias: float = 0.0, draw: int = 0
) -> pd.DataFrame:
    """Scores of which each difference to the baseline has sds of 2 (seed), 3 (item), 4, and 1."""
    random = np.random.default_rng(draw)
    rows = []
    for place, arm in enumerate(ARMS):
        of_seed, of_item = random.normal(0, 2, seeds), random.normal(0, 3, items)
        of_both = random.normal(0, 4, (seeds, items))
        for seed in range(seeds):
            for item in range(items):
                for repeat in range(repeats):
                    position = (place + item + repeat) % len(ARMS)
                    varied = of_seed[seed] + of_item[item] + of_both[seed, item] + random.normal()
                    score = 50 + place + (varied if place else 0) + bias * (position == 0)
                    rows.append((arm, seed, item, repeat, position, score))
    return pd.DataFrame(rows, columns=["arm", "seed", "item", "repeat", "position", "score"])


def test_the_noise_of_seeds_items_and_repeats_is_told_apart() -> None:
    noise = score_noise(made(seeds=30, items=60), "baseline")
    assert list(noise) == ["clip", "warmup"]
    for each in noise.values():
        assert (each.seeds, each.items, each.repeats) == (30, 60, 2)
        parts = [each.sd_seeds, each.sd_items, each.sd_rest, each.sd_repeats]
        assert parts == pytest.approx([2, 3, 4, 1], rel=0.35)


def test_with_one_repeat_the_judges_noise_is_part_of_the_rest() -> None:
    noise = score_noise(made(seeds=30, items=60, repeats=1), "baseline")["clip"]
    assert noise.sd_repeats is None
    assert noise.sd_rest == pytest.approx(np.hypot(4, 1), rel=0.1)


def test_the_interval_holds_for_other_seeds_and_items() -> None:
    draws = [made(seeds=8, items=12, repeats=1, draw=n) for n in range(25)]
    found = [score_noise(draw[draw.arm != "warmup"], "baseline")["clip"] for draw in draws]
    held = sum(each.ci_low <= 1 <= each.ci_high for each in found)
    assert held >= 20  # 24 are expected


def test_items_that_lack_a_score_are_left_out() -> None:
    scores = made()
    lacking = scores.drop(scores[(scores.item == 3) & (scores.seed == 1)].index[:1])
    without = scores[scores.item != 3]
    assert score_noise(lacking, "baseline") == score_noise(without, "baseline")


def test_one_seed_or_no_baseline_gives_no_noise() -> None:
    assert score_noise(made(seeds=1), "baseline") == {}
    assert score_noise(made(), "nothing") == {}


def test_a_judge_that_favours_the_first_place_is_found_out() -> None:
    first, *others = position_bias(made(bias=6.0, items=60))
    assert first.bias == pytest.approx(4, abs=1)  # 6, less the mean of all places
    assert all(each.bias == pytest.approx(-2, abs=1) for each in others)
    assert all(abs(each.bias) < 5 * each.se for each in position_bias(made(items=60)))


def test_scores_without_positions_have_no_bias() -> None:
    assert position_bias(made().assign(position=None)) == []


def test_loss_and_score_are_compared_over_the_runs_that_have_both() -> None:
    losses, scores = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 9.0}, {"a": 3.0, "b": 2.0, "c": 1.0}
    found = loss_and_score(losses, scores)
    assert found
    assert (found.runs, found.r) == (3, pytest.approx(-1))
    assert loss_and_score({"a": 1.0}, scores) is None

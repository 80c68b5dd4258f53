"""Races: arms leave when they are decided, and what is wanted next follows from the results alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.anytime import confidence_sequence, log_e_value
from analysis.looks import Look
from analysis.race import Standing
from analysis.rules import Race
from analysis.verdict import Plan, judge, race_standing
from benchmarks.gates.races import race
from benchmarks.simulation import ALPHA, EFFECTS, SCENARIOS, Floats

ARMS = tuple("abcd")
MOST = 8


def plan(*, most: int = MOST, start: int = 3, delta: float = 0.0) -> Plan:
    seeds = dict.fromkeys(("baseline", *ARMS), tuple(range(1, most + 1)))
    return Plan(arms=ARMS, smallest_effect=delta, race=Race(start=start, seeds=seeds))


def frame(differences: Floats, arms: tuple[str, ...] = ARMS) -> pd.DataFrame:
    """Runs with these differences from a constant baseline, shape (seeds, arms), from seed 1."""
    table = pd.DataFrame(3.0 + differences, columns=list(arms)).assign(baseline=3.0)
    table.index += 1
    runs = table.rename_axis("seed").reset_index().melt("seed", var_name="arm", value_name="loss")
    return runs.assign(status="done")


def only(runs: pd.DataFrame, cells: set[tuple[str, int]]) -> pd.DataFrame:
    keep = [cell in cells for cell in zip(runs["arm"], runs["seed"], strict=True)]
    return runs[keep]


@pytest.fixture(scope="module")
def differences() -> Floats:
    """Arm a has an effect that three seeds show, b one that five show, c and d none."""
    noise = np.random.default_rng(4).normal(size=(MOST, 4)) * 0.001
    return np.array([-0.3, -0.002, 0.0, 0.0]) + noise


def raced(differences: Floats, rules: Plan) -> tuple[Standing, set[tuple[str, int]]]:
    """Run a race to its end, training only what is wanted; the runs that it trained, too."""
    runs, trained = frame(differences), set[tuple[str, int]]()
    while (standing := race_standing(only(runs, trained), rules)).wanted:
        assert not set(standing.wanted) <= trained
        trained |= set(standing.wanted)
    return standing, trained


def test_a_race_begins_with_all_arms_seed_by_seed_and_the_baseline_first() -> None:
    empty = frame(np.zeros((1, 4))).iloc[:0]
    standing = race_standing(empty, plan(start=2))
    arms = ["baseline", *ARMS]
    assert standing.wanted == [(arm, seed) for seed in (1, 2) for arm in arms]
    assert (standing.look, standing.active) == (0, list(ARMS))


def test_only_undecided_arms_and_the_baseline_get_further_seeds(differences: Floats) -> None:
    standing, trained = raced(differences, plan())
    seeds = {arm: sum(each == arm for each, _ in trained) for arm in ("baseline", *ARMS)}
    assert seeds["a"] == standing.left["a"] == 3
    assert 3 < seeds["b"] == standing.left["b"] < MOST
    assert seeds["c"] == seeds["d"] == seeds["baseline"] == MOST
    assert standing.verdicts == {"a": "better", "b": "better"}
    assert standing.active == ["c", "d"]


def test_a_race_ends_when_every_arm_is_decided(differences: Floats) -> None:
    standing, trained = raced(differences, plan(delta=0.02))
    assert standing.verdicts["a"] == "better"
    assert {standing.verdicts[arm] for arm in "bcd"} == {"negligible"}
    assert not standing.active
    assert max(seed for _, seed in trained) < MOST


def test_verdicts_do_not_depend_on_runs_that_the_race_did_not_want(differences: Floats) -> None:
    rules = plan()
    _, trained = raced(differences, rules)
    later = differences.copy()
    later[3:, 0] = 0.5
    needed = judge(only(frame(differences), trained), rules)
    everything = judge(frame(later), rules)
    for arm in ARMS:
        assert everything[arm].verdict == needed[arm].verdict
        assert everything[arm].effect == needed[arm].effect
    assert (everything["a"].n_shared, everything["a"].n_done) == (3, MOST)


def test_the_rows_of_a_race_have_e_values_at_the_full_alpha(differences: Floats) -> None:
    found = judge(frame(differences), plan())
    for i, arm in enumerate(ARMS):
        row, n = found[arm], race_standing(frame(differences), plan()).left.get(arm, MOST)
        own = differences[:n, i]
        assert (row.basis, row.method, row.alpha_share, row.n_shared) == ("looks", "e-value", 1, n)
        assert row.p == pytest.approx(min(1.0, float(np.exp(-log_e_value(own)))))
        assert (row.ci_low, row.ci_high) == pytest.approx(confidence_sequence(own, ALPHA))


def test_a_look_waits_for_the_runs_of_its_round_but_not_for_failed_ones(
    differences: Floats,
) -> None:
    runs = frame(differences[:4])
    last = (runs["arm"] == "c") & (runs["seed"] == 4)
    for status, look in {
        "running": 3,
        "queued": 3,
        "failed": 4,
        "cancelled": 4,
        "diverged": 4,
    }.items():
        changed = runs.assign(
            status=np.where(last, status, "done"), loss=np.where(last, np.nan, runs["loss"])
        )
        assert race_standing(changed, plan()).look == look, status


def test_an_arm_whose_runs_all_diverged_leaves_without_a_verdict_on_its_effect(
    differences: Floats,
) -> None:
    runs, diverged = frame(differences[:3]), frame(differences[:3])["arm"] == "c"
    runs = runs.assign(
        status=np.where(diverged, "diverged", "done"), loss=np.where(diverged, np.nan, runs["loss"])
    )
    standing = race_standing(runs, plan())
    assert "c" not in {arm for arm, _ in standing.wanted}
    assert standing.verdicts["c"] in {"unstable", "undecided"}


def test_an_arm_that_equals_the_baseline_leaves_at_the_first_look(differences: Floats) -> None:
    same = differences[:3].copy()
    same[:, 3] = 0.0
    standing = race_standing(frame(same), plan())
    assert (standing.verdicts["d"], standing.left["d"]) == ("identical", 3)


def test_an_arm_with_more_seeds_than_the_others_goes_on_alone(differences: Floats) -> None:
    rules = plan(most=5)
    assert rules.race
    seeds = {**rules.race.seeds, **dict.fromkeys(("baseline", "c"), tuple(range(1, MOST + 1)))}
    rules = replace(rules, race=replace(rules.race, seeds=seeds))
    _, trained = raced(differences, rules)
    assert {arm for arm, seed in trained if seed > 5} == {"baseline", "c"}


def test_arms_that_a_fixed_sample_decided_before_the_race_stay_so(differences: Floats) -> None:
    planned = frozenset(range(1, 4))
    looks = {arm: Look(seeds=planned, baseline=planned) for arm in ARMS}
    rules = replace(plan(), looks=looks)
    fixed = judge(frame(differences[:3]), replace(rules, race=None, looks={}))
    assert [row.verdict for row in fixed.arms[1:]] == ["better", "better", "undecided", "undecided"]
    later = differences.copy()
    later[3:, :2] = 0.5
    found = judge(frame(later), rules)
    assert [found[arm].basis for arm in ARMS] == ["planned", "planned", "looks", "looks"]
    assert [found[arm].verdict for arm in "ab"] == ["better", "better"]
    assert found["c"].alpha_share == 0.5  # the other half of alpha was spent
    assert {arm for arm, _ in race_standing(frame(differences[:3]), rules).wanted} == {
        "baseline",
        "c",
        "d",
    }


def test_the_gate_races_as_the_verdicts_do() -> None:
    arms = tuple(f"arm{i}" for i in range(EFFECTS.size))
    seeds = dict.fromkeys(("baseline", *arms), tuple(range(1, 9)))
    rules = Plan(arms=arms, smallest_effect=0.003, race=Race(start=3, seeds=seeds))
    noise = SCENARIOS["unequal"].differences(np.random.default_rng(1), (6, 8, EFFECTS.size))
    fast = race(noise + EFFECTS, EFFECTS, 0.003)
    for number, found in enumerate(noise + EFFECTS):
        standing = race_standing(frame(found, arms), rules)
        for i, arm in enumerate(arms):
            assert standing.left.get(arm, 8) == fast.seeds[number, i]
            verdict = standing.verdicts.get(arm)
            assert (verdict == "negligible") == fast.negligible[number, i]
            assert (verdict in {"better", "worse"}) == fast.decided[number, i]


def test_a_race_of_null_arms_is_wrong_in_at_most_five_of_a_hundred_studies() -> None:
    null = SCENARIOS["unequal"].differences(np.random.default_rng(3), (1000, 12, 8))
    assert race(null, np.zeros(8)).decided.any(axis=1).mean() <= ALPHA


def test_intervals_hold_at_the_stop() -> None:
    noise = SCENARIOS["unequal"].differences(np.random.default_rng(6), (500, 12, EFFECTS.size))
    assert race(noise + EFFECTS, EFFECTS).covered.mean() >= 0.95

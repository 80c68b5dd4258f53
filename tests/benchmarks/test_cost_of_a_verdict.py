"""The benchmark of the cost of a verdict: studies that it draws, ways that it measures, its record."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.rules import Race
from analysis.verdict import Judgement, Plan, judge, race_standing
from benchmarks.cost_of_a_verdict import DATA, PAGES
from benchmarks.verdict_cost.costs import FIXED, Meter, _fresh, _runs_of_race, _smallest_fraction
from benchmarks.verdict_cost.record import Record, read
from benchmarks.verdict_cost.replays import Source, moments_of
from benchmarks.verdict_cost.tables import BEGIN, END, Figures, blocks, replace_blocks
from benchmarks.verdict_cost.ways import Floats, moderated, paired, race, welch
from sweep.errors import NotFoundError
from sweep.study.file import load_study
from trainer.recipe_forms import to_dotted, to_nested

ROOT = Path(__file__).parents[2]
ARMS = ("clip", "bias", "decay", "more-decay", "tied", "norm", "nothing")
SPREADS = np.array([0.001, 0.0003, 0.002, 0.004, 0.012, 0.003, 0.002])
EFFECTS = np.array([-0.02, 0.002, -0.004, 0.006, 0.05, -0.008, 0.0])
SIGNS = {"better": -1, "worse": 1}


def record(seeds: int = 12) -> Record:
    """A simulated record; the last arm has no effect."""
    noise = np.random.default_rng(5).standard_normal((seeds, 1 + len(ARMS)))
    baseline = 2.3 + 0.01 * noise[:, :1]
    spread = SPREADS * (noise[:, 1:] - noise[:, 1:].mean(axis=0))
    changes = {arm: {f"x.{arm.removeprefix('more-')}": len(arm)} for arm in ARMS}
    return Record(ARMS, np.hstack([baseline, baseline + EFFECTS + spread]), changes)


def source() -> Source:
    return Source.of(record().losses, EFFECTS)


def rows(losses: Floats) -> pd.DataFrame:
    table = pd.DataFrame(losses, columns=["baseline", *ARMS]).rename_axis("seed").reset_index()
    return table.melt("seed", var_name="arm", value_name="loss").assign(status="done")


def signs(found: Judgement) -> list[int]:
    return [SIGNS.get(row.verdict or "", 0) for row in found.arms[1:]]


def drawn(studies: int, seeds: int) -> Floats:
    return source().losses(np.random.default_rng(1), studies, seeds)


def test_a_drawn_study_has_different_recorded_seeds_all_arms_of_a_seed_together() -> None:
    replayed = source().replayed(np.random.default_rng(1), studies=50)
    assert replayed.shape == (50, 6, 8)
    for study in replayed:
        # The shift of a study is the same for all its seeds: differences between seeds are recorded.
        between = study[1:] - study[0]
        known = record().losses[:, None] - record().losses
        steps = [np.abs(known - each).max(axis=-1).min() for each in between]
        assert max(steps) < 1e-12
        assert len(np.unique(study[:, 0])) == 6


@pytest.mark.parametrize("seeds", [5, 40])
def test_means_of_drawn_studies_vary_as_those_of_an_endless_record_would(seeds: int) -> None:
    found = drawn(4000, seeds)
    effects = (found[..., 1:] - found[..., :1]).mean(axis=1)
    spread = record().differences.std(axis=0, ddof=1) / np.sqrt(seeds)
    assert effects.mean(axis=0) == pytest.approx(EFFECTS, abs=4 * spread.max() / 4000**0.5)
    assert effects.std(axis=0) == pytest.approx(spread, rel=0.06)


def test_moments_that_are_drawn_at_once_are_those_of_studies_drawn_seed_by_seed() -> None:
    normal = source().normal(np.random.default_rng(3), 4000, 20)
    one_by_one, at_once = moments_of(normal), source().moments(np.random.default_rng(4), 4000, 20)
    for name in ("means", "variances", "paired"):
        expected, found = getattr(one_by_one, name), getattr(at_once, name)
        assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), rel=0.03)
        assert found.std(axis=0) == pytest.approx(expected.std(axis=0), rel=0.08)
    assert at_once.effects.std(axis=0) == pytest.approx(one_by_one.effects.std(axis=0), rel=0.08)


@pytest.mark.parametrize("seeds", [3, 5, 9])
def test_studies_get_the_verdicts_that_a_real_study_would(seeds: int) -> None:
    losses = drawn(3, seeds)
    expected = [
        judge(rows(study), Plan(arms=ARMS, smallest_effect=0.0)).arms[1:] for study in losses
    ]
    moments = moments_of(losses)
    found = moderated(moments).tolist()
    assert found == [[SIGNS.get(row.verdict, 0) for row in each] for each in expected]
    for way, name in ((paired, "p_paired"), (welch, "p_welch")):
        p = np.array([[getattr(row, name) for row in each] for each in expected])
        steps = np.maximum.accumulate(np.sort(p, axis=1) * np.arange(len(ARMS), 0, -1), axis=1)
        assert (way(moments) != 0).sum(axis=1).tolist() == (steps < 0.05).sum(axis=1).tolist()


def test_races_end_as_a_real_race_does() -> None:
    losses = drawn(2, 7)
    found = race(iter(np.moveaxis(losses, 1, 0)), 7)
    seeds = {arm: tuple(range(7)) for arm in ("baseline", *ARMS)}
    plan = Plan(arms=ARMS, smallest_effect=0.0, race=Race(start=3, seeds=seeds))
    for study, claims, left in zip(losses, found.signs, found.seeds, strict=True):
        standing = race_standing(rows(study), plan)
        assert signs(standing.judgement) == claims.tolist()
        expected = [standing.left.get(arm, np.inf) for arm in ARMS]
        assert left.tolist() == expected


def test_a_race_costs_the_seeds_that_its_arms_had_and_the_most_of_them_for_the_baseline() -> None:
    seeds = np.array([[3, 4, np.inf], [3, 3, 3]])
    assert _runs_of_race(seeds, 5) == ((3 + 4 + 5 + 5) + (3 + 3 + 3 + 3)) / 2
    assert _runs_of_race(seeds, np.inf) == np.inf


def test_fresh_noise_of_a_fraction_is_that_of_its_runs() -> None:
    spread, effects = SPREADS[:6], EFFECTS[:6]
    fraction = _smallest_fraction(6)
    assert fraction is not None
    assert (fraction.runs, fraction.resolution) == (16, 4)
    on = np.array(list(fraction.rows()), float)
    generator = np.random.default_rng(6)
    noise = generator.standard_normal((20_000, 16, 6)) * spread
    losses = generator.standard_normal((20_000, 1)) + ((effects + noise) * on).sum(axis=-1)
    contrasts = losses @ (2 * on - 1) / 8
    root = _fresh(fraction, spread, effects).root[:, 1:]
    assert contrasts.mean(axis=0) == pytest.approx(effects, abs=1e-3)
    assert np.cov(contrasts.T) == pytest.approx(root.T @ root, rel=0.1, abs=2e-6)


@pytest.fixture(scope="module")
def figures() -> Figures:
    return Figures.measured(record(), studies=60)


def test_a_way_needs_fewer_runs_for_larger_effects_and_none_for_no_effect(figures: Figures) -> None:
    assert figures.shown.tolist() == [True] * 6 + [False]
    costs = {cost.way: cost for cost in figures.costs}
    assert list(costs) == [
        *FIXED,
        "race",
        "fraction of 16, steady noise",
        "fraction of 16, fresh noise",
    ]
    default, unpaired = costs["paired, moderated"], costs["Welch"]
    assert default.seeds[0] < default.seeds[3]
    assert (default.runs[:6] <= unpaired.runs[:6]).all()
    assert all(np.isnan(cost.seeds[6]) for cost in costs.values())
    # An alternative cannot be in a run with the intervention that it is one to.
    assert np.isnan(costs["fraction of 16, fresh noise"].seeds[3])


def test_the_tables_have_every_way_and_intervention_and_replace_those_of_a_page(
    figures: Figures, tmp_path: Path
) -> None:
    texts = blocks(figures)
    assert [re.search(rf"^\| {arm} \|", texts["full"], re.MULTILINE) for arm in ARMS].count(
        None
    ) == 0
    assert len(re.findall("kept: ", texts["full"], re.IGNORECASE)) == 4
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n\n{BEGIN.format('short')}\nold\n{END}\n\nAfter.\n")
    assert replace_blocks(page, texts) == 1
    text = page.read_text()
    assert "old" not in text
    assert texts["short"] in text
    assert replace_blocks(page, texts) == 1
    assert page.read_text() == text


def test_a_verdict_that_is_always_right_after_one_run_is_not_one() -> None:
    assert Meter(record(), 50).one_run()[0] == 1.0


def test_the_committed_record_is_of_the_default_study() -> None:
    found = read(DATA)
    study = load_study(ROOT / "studies" / "interventions.toml")
    assert found.arms == tuple(study.interventions)
    baseline = to_dotted(to_nested(study.baseline))
    for arm, intervention in study.interventions.items():
        assert found.changes[arm] == {
            field: value for field, value in intervention.set.items() if baseline[field] != value
        }
    assert len(found.losses) >= 3
    assert np.isfinite(found.losses).all()


def test_a_record_that_is_missing_is_named_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"absent.csv is missing; record a study with --record"):
        read(tmp_path / "absent.csv")


def test_both_pages_have_a_place_for_the_tables() -> None:
    for page, name in zip(PAGES, ("short", "full"), strict=True):
        assert page.read_text().count(BEGIN.format(name)) == 1


@pytest.mark.nightly
def test_a_study_is_recorded_while_it_may_be_in_use_and_measured(tmp_path: Path) -> None:
    study = (ROOT / "studies" / "interventions.toml").read_text()
    for field, value in {"layers": 1, "width": 16, "tokens": 16_384, "chunks": 2}.items():
        study = re.sub(rf"^{field} = \S+", f"{field} = {value}", study, count=1, flags=re.MULTILINE)
    few, _, rest = study.partition("[interventions.no-dropout]")
    design = rest[rest.index("[design]") :].replace("seeds = 5", "seeds = 3")
    (tmp_path / "s.toml").write_text(few + design)
    sweep = [sys.executable, "-m", "sweep", "run", "s.toml"]
    subprocess.run(sweep, check=True, cwd=tmp_path, capture_output=True)
    words = ["--record", "runs", "--data", "record.csv", "--studies", "40", "--markdown"]
    script = str(ROOT / "benchmarks" / "cost_of_a_verdict.py")
    done = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("3 seeds recorded\n")
    losses = pd.read_csv(tmp_path / "record.csv")
    assert losses.groupby("arm").size().tolist() == [3] * 2
    assert read(tmp_path / "record.csv").changes == {"grad-clip": {"optimizer.clip_norm": 1.0}}
    refused = subprocess.run(
        [sys.executable, script, "--record", "absent"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr == "absent/sweep.db is missing; name a folder of runs, as `--runs` does\n"


def test_the_stream_of_a_race_begins_with_the_recorded_seeds() -> None:
    first = list(islice(source().stream(np.random.default_rng(1), 10), 6))
    replayed = source().replayed(np.random.default_rng(1), 10)
    assert np.array_equal(np.stack(first, axis=1), replayed)

"""Results that others have published, through `sweep import` and `sweep report`.

The files lie outside the repository, in `../shared/data/published`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import ttest_ind

from sweep.commands.import_ import ImportRequest
from sweep.importing.fields import Field
from sweep.importing.settings import Settings
from tests.sweep.importer import Importer, csv

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "published"
Import = Callable[..., str]

MUDD = {
    "baseline": (84.7039, 0.0449, 3.2788, 0.0011),
    "baseline-1430": (81.6762, 0.0611, 3.2867, 0.0014),
    "mudd-v1-1430": (83.2020, 0.0326, 3.2783, 0.0016),
    "mudd-v1-1415": (82.1446, 0.0342, 3.2815, 0.0012),
    "mudd-v2-1415": (82.1289, 0.0386, 3.2781, 0.0010),
}
"""Mean and sd of time (s) and of loss, in print: github.com/KellerJordan/modded-nanogpt/pull/259."""
MUDD_EFFECTS = {
    "baseline-1430": (-3.0277, 0.0080),
    "mudd-v1-1430": (-1.5019, -0.0004),
    "mudd-v1-1415": (-2.5593, 0.0027),
    "mudd-v2-1415": (-2.5750, -0.0007),
}
"""Differences to the baseline of time and of loss, same place."""

RECORDS = {
    # github.com/KellerJordan/modded-nanogpt/pull/261: "p=0.0001", "losses: (0.0007), (2.9171)".
    "medium": (
        (2.9161, 2.9165, 2.9176, 2.9179, 2.9172, 2.9171),
        2.92,
        {"mean": 2.9171, "sd": 0.0007, "p_target": 0.0001},
    ),
    # The times (ms) of the same record: "time: (277.5980), (860478.3125)", in single precision.
    "medium, time": (
        (860467, 860193, 860109, 860808, 860679, 860614),
        870_000,
        {"mean": 860478.3333, "sd": 277.5980},
    ),
    # pull/276: "mu = 3.27708", ten runs.
    "NorMuon": (
        (3.27744, 3.27717, 3.27755, 3.27663, 3.27709, 3.27587, 3.27691, 3.27863, 3.27669, 3.27678),
        3.28,
        {"mean": 3.27708},
    ),
    # pull/45: "(tensor(0.0013), tensor(3.2774))".
    "value embeddings": (
        (3.2772, 3.2756, 3.2784, 3.2783),
        3.28,
        {"mean": 3.2774, "sd": 0.0013},
    ),
}
"""Losses of a record, the target that they were tested against, and what was in print about them."""


@pytest.fixture
def published(importer: Importer) -> Import:
    """Import a published file as it is."""

    def imported(name: str, columns: dict[Field, str] | None = None, **settings: object) -> str:
        file = FOLDER / name
        if not file.exists():
            pytest.skip(f"{name} lies outside the repository, in ../shared/data/published: absent")
        request = ImportRequest(
            files=[file],
            study="x",
            columns=columns or {},
            settings=Settings(**settings),  # type: ignore[arg-type]
        )
        return importer.request(request)

    return imported


@pytest.mark.parametrize(("name", "place"), [("mudd_time.csv", 0), ("mudd.csv", 1)])
def test_means_sds_and_effects_of_the_mudd_record_are_those_in_print(
    published: Import, importer: Importer, name: str, place: int
) -> None:
    said = published(name)
    assert "Without seeds no runs pair.\n" in said
    arms = importer.arms()
    for arm, printed in MUDD.items():
        found = (arms[arm]["mean"], arms[arm]["sd"])
        assert found == pytest.approx(printed[2 * place : 2 * place + 2], abs=5.1e-5)
    for arm, effects in MUDD_EFFECTS.items():
        assert arms[arm]["effect"] == pytest.approx(effects[place], abs=5.1e-5)


def test_every_time_of_the_mudd_record_differs_from_the_baselines_as_in_print(
    published: Import, importer: Importer
) -> None:
    published("mudd_time.csv")
    p = [arm["p_welch"] for name, arm in importer.arms().items() if name != "baseline"]
    assert max(p) < 5e-5  # "Time p 0.0000"


@pytest.mark.parametrize("record", RECORDS)
def test_a_single_arm_against_a_target_has_the_figures_in_print(
    importer: Importer, record: str
) -> None:
    losses, target, printed = RECORDS[record]
    importer(csv([(f'"{record}"', loss) for loss in losses], "arm,loss"), target=target)
    found = importer.arms()[record]
    for name, value in printed.items():
        digits = 0.00051 if value > 1000 else 5.1e-6 if record == "NorMuon" else 5.1e-5
        assert found[name] == pytest.approx(value, abs=digits), name


def test_the_mudd_record_is_below_the_target_as_in_print(
    published: Import, importer: Importer
) -> None:
    published("mudd.csv", target=3.28)
    arms = importer.arms()
    printed = dict(zip(MUDD, (0.0036, 1.0, 0.0040, 0.9982, 0.0001), strict=True))
    assert {name: round(arms[name]["p_target"], 4) for name in printed} == printed
    assert arms["mudd-v3-1415"]["p_target"] < 5e-5


def test_equal_seeds_of_the_attention_study_have_nothing_in_common(
    published: Import, importer: Importer
) -> None:
    # github.com/snimu: 12 attention variants, 100 seeds each, with their published mean losses.
    said = published("snimu_attention_100seeds.csv", {Field.LOSS: "loss"})
    assert (
        "Equal seeds: correlation with the baseline 0.07 (median), from -0.04 (-0.24 to 0.16) in "
        in said
    )
    assert " to 0.22 (0.02 to 0.40) in 'vanilla-scale_sqrt_dh'" in said
    assert "a pair is worth 1.0 to 1.3 unpaired runs" in said
    arms = importer.arms()
    means = pd.read_csv(FOLDER / "snimu_attention_100seeds.csv").groupby("arm")
    for name, mean in means["published_avg_val_loss"].first().items():
        assert arms[str(name)]["mean"] == pytest.approx(mean, abs=1e-9)
    assert all(arm["n_shared"] == 100 for name, arm in arms.items() if name != "baseline")


def test_without_pairs_the_attention_study_has_the_p_values_of_welchs_test(
    published: Import, importer: Importer
) -> None:
    published("snimu_attention_100seeds.csv", {Field.LOSS: "loss"}, pairs=False)
    rows = pd.read_csv(FOLDER / "snimu_attention_100seeds.csv")
    losses = rows.set_index("arm")["loss"]
    for name in ("vanilla-scale_sqrt_dh", "vanilla-xnorm-scale_d"):
        arm = importer.arms()[name]
        welch = ttest_ind(losses[name], losses["baseline"], equal_var=False)
        assert (arm["p_paired"], arm["pairing_gain"]) == (None, None)
        assert arm["p_welch"] == pytest.approx(welch.pvalue, rel=1e-6)


def test_pairing_the_models_of_the_hans_study_is_worth_up_to_eighteen_runs(
    published: Import, importer: Importer
) -> None:
    said = published("feather_hans_arms.csv")
    assert "a pair is worth 1.1 to 17.6 unpaired runs; compared as pairs" in said
    arms = importer.arms()
    gains = {name: arm["pairing_gain"] for name, arm in arms.items() if arm["pairing_gain"]}
    assert {name: round(gain) for name, gain in gains.items()} == {
        "ln_subject/object_swap": 9,
        "ln_relative_clause": 18,
        "ln_passive": 1,
        "ln_conjunction": 9,
    }
    # McCoy, Min and Linzen (2020, BlackboxNLP, 217-227): accuracy "ranged from 0.0% to 66.2%".
    swapped = [
        run["test_loss"] for run in importer.runs() if run["arm"] == "ln_subject/object_swap"
    ]
    assert (1 - max(swapped), 1 - min(swapped)) == pytest.approx((0.0, 0.662), abs=5e-4)


def test_the_optimiser_records_have_one_common_spread(
    published: Import, importer: Importer
) -> None:
    # github.com/KellerJordan/modded-nanogpt, records/track_3_optimization: 46 records.
    published("track3_all_runs.csv", baseline="r01")
    spread = importer.report()["spread"]
    assert (spread["arms"], spread["df"]) == (40, 466)
    assert spread["sd"] == pytest.approx(0.00111, abs=5e-6)
    assert spread["p_bartlett"] == pytest.approx(0.52, abs=5e-3)

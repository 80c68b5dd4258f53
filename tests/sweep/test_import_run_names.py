"""Seeds at the ends of the names of runs."""

from __future__ import annotations

import pandas as pd
import pytest

from sweep.errors import ResultsError
from sweep.importing.fields import Field
from sweep.importing.rules import Reading
from sweep.importing.run_names import split_run_names
from tests.sweep.importer import Importer


def split(*names: str, has_seeds: bool = False) -> list[tuple[str, str]]:
    """Return arm and seed of each name; empty if the names have no seeds."""
    reading = Reading(source="r.csv")
    found = split_run_names(pd.Series(names), "Name", reading, has_seeds=has_seeds)
    reading.questions.check()
    return list(zip(found[Field.ARM], found[Field.SEED], strict=True)) if found else []


@pytest.mark.parametrize(
    "ending",
    [
        *(
            "-seed{}",
            "_seed{}",
            "_seed_{}",
            "/seed_{}",
            "/seed{}",
            " seed {}",
            " (seed {})",
            "-Seed-{}",
        ),
        *(
            ", seed={}",
            " seed={}",
            "_seed={}",
            "[seed {}]",
            ".seed{}",
            "_s{}",
            "-s{}",
            "/s{}",
            " (s{})",
        ),
        *(".{}", "-{}", "_{}", "#{}", " ({})", "/{}"),
    ],
)
def test_an_ending_that_can_only_be_a_seed_is_one(ending: str) -> None:
    names = [arm + ending.format(seed) for arm in ("baseline", "lr_0.1-x") for seed in (1, 12)]
    assert split(*names) == [
        (arm, seed) for arm in ("baseline", "lr_0.1-x") for seed in ("1", "12")
    ]


@pytest.mark.parametrize(
    "form",
    [
        *(
            "{}|seed={}",
            "{}-random_seed={}",
            "{}__seed={}__",
            "{}-rep{}",
            "{}-run{}",
            "{} trial {}",
        ),
        *("{}@{}", "{}:{}", "{}{}", "{}-rng{}"),
    ],
)
def test_a_seed_is_found_in_rarer_forms(form: str) -> None:
    names = [form.format(arm, seed) for arm in ("baseline", "clip") for seed in (1, 12)]
    assert split(*names) == [(arm, seed) for arm in ("baseline", "clip") for seed in ("1", "12")]


@pytest.mark.parametrize("form", ["seed{}-{}", "s{}_{}", "{}-{}", "seed={},{}"])
def test_a_seed_is_found_at_the_beginning(form: str) -> None:
    names = [form.format(seed, arm) for arm in ("baseline", "clip") for seed in (1, 2)]
    assert split(*names) == [(arm, seed) for arm in ("baseline", "clip") for seed in ("1", "2")]


def test_a_seed_is_found_within_a_name_if_arms_repeat_without_it() -> None:
    assert split("a-seed1_lr0.1", "a-seed2_lr0.1") == [("a_lr0.1", "1"), ("a_lr0.1", "2")]
    with pytest.raises(ResultsError, match="has a seed in it, and without it no arm has two runs"):
        split("a-seed1-x7", "a-seed2-y8")


def test_names_that_repeat_the_seed_of_a_column_are_arms_without_it(importer: Importer) -> None:
    rows = [f"{arm}-seed{s},{s},{s}.5" for arm in ("baseline", "clip") for s in (1, 2)]
    importer("\n".join(["Name,config.seed,loss", *rows]))
    assert {arm: row["n_done"] for arm, row in importer.arms().items()} == {
        "baseline": 2,
        "clip": 2,
    }


def test_names_with_other_seeds_than_a_column_are_asked_about(importer: Importer) -> None:
    rows = [f"{arm}-seed{s},7,{s}.5" for arm in ("baseline", "clip") for s in (1, 2)]
    with pytest.raises(ResultsError, match="say --column seed=Name to take those of the names, or"):
        importer("\n".join(["Name,seed,loss", *rows]))


def test_seeds_in_the_column_of_arms_are_read(importer: Importer) -> None:
    rows = [f"{arm}-seed{s},{s}.5" for arm in ("baseline", "clip") for s in (1, 2)]
    importer("\n".join(["arm,loss", *rows]))
    assert list(importer.arms()) == ["baseline", "clip"]


def test_a_name_beside_the_same_with_a_number_is_asked_about() -> None:
    with pytest.raises(ResultsError, match="'clip-2' in 'Name' may be seed 2 of 'clip', or"):
        split("plain", "clip", "clip-2")


def test_a_name_without_the_word_is_an_arm_beside_names_with_it() -> None:
    (first, second) = split("clip-seed1", "plain_s2")
    assert first == ("clip", "1")
    assert second[0] == "plain_s2"


@pytest.mark.parametrize(
    "names",
    [
        ["layers-2", "layers-4", "baseline"],
        ["vit_s1", "vit_s2", "baseline"],
        ["baseline.1", "baseline.2", "clip.1"],
        ["layers_1", "layers_2", "heads_1", "heads_2"],
        ["s_s1", "s_s2"],
    ],
)
def test_an_ending_that_may_be_something_else_is_asked_about(names: list[str]) -> None:
    with pytest.raises(ResultsError) as error:
        split(*names)
    assert "add --column seed=Name if names end in seeds, or --column seed=- if they do not" in str(
        error.value
    )
    assert split(*names, has_seeds=True)


@pytest.mark.parametrize(
    "names",
    [
        ["lr=0.1", "lr=0.2", "baseline"],
        ["v1.1", "v1.2"],
        ["lr=1e-3", "lr=1e-4"],
        ["lively-dawn-12", "misty-sea-13"],
        ["depth4", "depth8"],
        ["oceans", "class1", "class2"],
        ["2024-01-02", "2024-01-03"],
    ],
)
def test_other_numbers_are_parts_of_names(names: list[str]) -> None:
    assert split(*names) == []


def test_the_command_says_whether_names_end_in_seeds(importer: Importer) -> None:
    content = "Name,loss\nbaseline,1\nlayers-2,2\nlayers-4,3\n"
    with pytest.raises(ResultsError, match="'layers-2' in 'Name' may be seed 2 of 'layers', or"):
        importer(content)
    importer(content, columns={"seed": "-"})
    assert list(importer.arms()) == ["baseline", "layers-2", "layers-4"]


def test_a_column_can_hold_arm_and_seed(importer: Importer) -> None:
    said = importer(
        "exp,loss\nbaseline-1,1\nlayers-2,2\nlayers-4,3\n", columns={"arm": "exp", "seed": "exp"}
    )
    assert "seeds were read from the ends of the runs' names" in said
    assert {arm: row["n_done"] for arm, row in importer.arms().items()} == {
        "baseline": 1,
        "layers": 2,
    }
    with pytest.raises(ResultsError, match="no name in 'exp', such as 'baseline', ends in a seed"):
        importer("exp,loss\nbaseline,1\n", columns={"arm": "exp", "seed": "exp"})

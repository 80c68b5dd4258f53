"""The catalogue of known interventions, and the studies that use it."""

from __future__ import annotations

import io
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.commands.init import init
from sweep.drafting.catalogue import KnownIntervention, catalogue
from sweep.study.file import apply, load_study
from sweep.terminal.console import SafeConsole
from sweep.workspace import read_plan
from trainer.errors import UserError
from trainer.recipe import Seeds
from trainer.recipe_forms import RECIPE_FIELDS

Run = Callable[..., subprocess.CompletedProcess[str]]
STUDIES = Path(__file__).parents[2] / "studies"
SIZES = {
    *("model.layers", "model.heads", "model.width", "model.context", "model.init_std"),
    *("train.tokens", "train.batch_size", "train.precision", "train.initial_weights"),
    *("evaluation.chunks", "evaluation.chunk_tokens", "evaluation.start_token"),
    *("data.corpus", "data.pattern", "data.subset", "data.revision", "data.text_column"),
    *("data.separator", "data.test_share", "data.max_tokens", "data.tokenizer", "data.order"),
}
DETAILS = {
    *("model.rope_base", "optimizer.beta1", "optimizer.epsilon", "optimizer.momentum"),
    *("optimizer.muon_scale", "optimizer.head_learning_rate", "optimizer.scalar_learning_rate"),
    *("schedule.warmup_factor", "schedule.cooldown", "schedule.batch_warmup_factor"),
    "train.context_warmup",
}
"""Fields that set the size or the inputs of a study, and those that only tune another change."""


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_each_known_intervention_changes_a_recipe_and_is_written_as_it_is_read(
    known: KnownIntervention,
) -> None:
    baseline = load_study(STUDIES / "interventions.toml").baseline
    seeds = Seeds(init=1, order=1, dropout=1)
    assert apply(baseline, known.set, seeds) != apply(baseline, {}, seeds)
    (read,) = tomllib.loads(known.text)["interventions"].items()
    assert read == (known.name, {"because": f"{known.because} ({known.source})", "set": known.set})


def test_every_field_that_is_neither_a_size_nor_a_detail_is_in_the_catalogue() -> None:
    shown = {field for known in catalogue() for field in known.set}
    assert shown | SIZES | DETAILS == set(RECIPE_FIELDS)
    assert not shown & SIZES


def test_a_new_study_has_the_interventions_that_are_asked_for(tmp_path: Path) -> None:
    names = [known.name for known in catalogue()]
    path = tmp_path / "x.toml"
    assert init(path, SafeConsole(file=io.StringIO()), known=names) == 0
    study = load_study(path)
    assert list(study.interventions) == names
    assert not study.stacks
    assert read_plan(path).arms


def test_unknown_interventions_and_words_are_told(tmp_path: Path, sweep: Run) -> None:
    with pytest.raises(
        UserError, match=r"'swiglue' is not in the catalogue.*did you mean 'swiglu'"
    ):
        init(tmp_path / "x.toml", SafeConsole(file=io.StringIO()), known=["swiglue"])
    assert not (tmp_path / "x.toml").exists()
    said = sweep(tmp_path, "interventions", "rotated", "zebra")
    assert said.returncode == 2
    assert "rotated and zebra" in " ".join(said.stderr.split())


def test_interventions_are_searched_by_all_words(tmp_path: Path, sweep: Run) -> None:
    said = sweep(tmp_path, "interventions", "ROPE", "half", "--format", "json")
    (found,) = json.loads(said.stdout)
    assert found["set"] == {"model.position": "rope", "model.rope_share": 0.5}
    assert 'set = { "model.activation" = "swiglu" }' in sweep(tmp_path, "interventions").stdout


@pytest.mark.parametrize("name", ["modern", "moe", "speedrun", "context"])
def test_the_studies_of_these_changes_can_be_planned(name: str) -> None:
    plan = read_plan(STUDIES / f"{name}.toml")
    assert plan.study.name == name
    assert len({json.dumps(arm.changes, sort_keys=True) for arm in plan.arms}) == len(plan.arms)

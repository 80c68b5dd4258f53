"""A study file is read as it is written, or refused with one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.study.file import load_study, parse_study
from tests.sweep.refusal import refusal
from trainer.recipe_forms import RECIPE_FIELDS
from trainer.recipe_sections import OptimizerConfig

# Part of the valid study, its replacement, and the error message.
CHANGES = {
    "an unknown section": (
        "[baseline.model]",
        "[basline.model]",
        "'basline' is not a field; did you mean 'baseline'?",
    ),
    "an unknown field in the baseline": (
        "learning_rate = 3e-3",
        "learning_rte = 3e-3",
        (
            "'baseline.optimizer.learning_rte' is not a field; "
            "did you mean 'baseline.optimizer.learning_rate'?"
        ),
    ),
    "an unknown field in an intervention": (
        '"model.dropout" = 0.0',
        '"model.drop_out" = 0.0',
        (
            "[interventions.no-dropout] sets 'model.drop_out', which is not a recipe field; "
            "did you mean 'model.dropout'?"
        ),
    ),
    "an unknown key of an intervention": (
        'because = "Spikes."',
        'becuse = "Spikes."',
        "'interventions.clip.becuse' is not a field; did you mean 'interventions.clip.because'?",
    ),
    "a field unlike any other": (
        "learning_rate = 3e-3",
        "qqq = 1",
        (
            "'baseline.optimizer.qqq' is not a field; those allowed are "
            + ", ".join(OptimizerConfig.model_fields)
        ),
    ),
    "a name with a dot and no quotes": (
        "[interventions.clip]",
        "[interventions.clip-0.5]",
        (
            "'interventions.clip-0.5' is not a field; a name with a dot is written in quotes: "
            '[interventions."clip-0.5"]'
        ),
    ),
    "text for a number": (
        "learning_rate = 3e-3",
        'learning_rate = "fast"',
        "'baseline.optimizer.learning_rate' = 'fast' must be a number",
    ),
    "a fraction for a count": (
        "layers = 1",
        "layers = 1.5",
        "'baseline.model.layers' = 1.5 must be a whole number",
    ),
    "a wrong type in an intervention": (
        '"optimizer.clip_norm" = 0.5',
        '"optimizer.clip_norm" = true',
        "[interventions.clip] sets 'optimizer.clip_norm' = true, which must be a number",
    ),
    "a word that is not among the choices": (
        "batch_size = 8",
        'batch_size = 8\nprecision = "bfloat"',
        (
            "'baseline.train.precision' = 'bfloat' must be 'float32', 'tf32', 'bfloat16' or 'float16'; "
            "did you mean 'bfloat16'?"
        ),
    ),
    "a negative learning rate": (
        "learning_rate = 3e-3",
        "learning_rate = -0.1",
        "'baseline.optimizer.learning_rate' = -0.1 must be above 0",
    ),
    "an infinite learning rate": (
        "learning_rate = 3e-3",
        "learning_rate = 1e999",
        "'baseline.optimizer.learning_rate' = inf must be a finite number",
    ),
    "a number of five thousand digits": (
        "tokens = 2048",
        "tokens = 0x" + "f" * 5000,
        (
            "'baseline.train.tokens' = a number of thousands of digits must be at most "
            "4611686018427387904"
        ),
    ),
    "heads that do not divide the width": (
        "heads = 2",
        "heads = 3",
        (
            "baseline.model: width = 16 cannot be divided among heads = 3; heads must divide the "
            "width, the nearest that does is 2"
        ),
    ),
    "heads of an intervention that do not divide the width": (
        '"model.dropout" = 0.0',
        '"model.heads" = 5',
        (
            "[interventions.no-dropout] sets model: width = 16 cannot be divided among heads = 5; "
            "heads must divide the width, the nearest that does is 4"
        ),
    ),
    "chunks that are no multiple of the context": (
        "chunk_tokens = 64",
        "chunk_tokens = 70",
        (
            "[baseline] evaluation.chunk_tokens = 70 is not a multiple of model.context = 16; "
            "the nearest that is: 64"
        ),
    ),
    "an intervention that changes nothing": (
        '"model.dropout" = 0.0',
        '"model.dropout" = 0.1',
        "[interventions.no-dropout] changes nothing: the baseline has model.dropout = 0.1 already",
    ),
    "an intervention that sets nothing": (
        '"model.dropout" = 0.0',
        "model = {}",
        (
            "[interventions.no-dropout] sets 'model', which is not a recipe field; the fields of "
            "'model' are model.layers, model.heads, model.width, model.context, model.dropout, "
            "model.qkv_bias, model.norm, model.init_std, model.tie_embeddings, model.position, "
            "model.rope_base, model.rope_share, model.qk_norm, model.kv_heads, model.window, "
            "model.window_pattern, model.activation, model.biases, model.logit_softcap, "
            "model.zero_init_projections, model.residual_scale, model.value_embeddings, "
            "model.experts, model.active_experts, model.expert_balance"
        ),
    ),
    "an intervention that sets one field in two ways": (
        '"model.dropout" = 0.0',
        '"model.dropout" = 0.0, model = { dropout = 0.2 }',
        "[interventions.no-dropout] sets 'model.dropout' twice; name it once",
    ),
    "an intervention without a reason": (
        'because = "Spikes."\n',
        "",
        (
            "'interventions.clip.because' is missing; add to [interventions.clip]:\n"
            '      because = "Why it is expected to help."'
        ),
    ),
    "an intervention that sets the seeds": (
        '"model.dropout" = 0.0',
        '"seeds.init" = 3',
        (
            "[interventions.no-dropout] sets 'seeds.init', which is not a recipe field; "
            "a study file sets 'design.seeds', the same for all arms"
        ),
    ),
    "an arm named baseline": (
        "[interventions.clip]",
        "[interventions.baseline]",
        "[interventions.baseline]: that is the name of the arm without interventions; use another name",
    ),
    "no seeds": (
        "seeds = 2",
        "seeds = 0",
        "'design.seeds' = 0 must be a list or at least 1 or a table",
    ),
    "an empty list of seeds": (
        "seeds = 2",
        "seeds = []",
        "design.seeds: seeds is empty; give at least one seed, or a number of seeds",
    ),
    "seeds left out": (
        "seeds = 2\n",
        "",
        "'design.seeds' is missing; add to [design]:\n      seeds = 5",
    ),
    "a repeated seed": (
        "seeds = 2",
        "seeds = [3, 1, 3]",
        "design.seeds: seed 3 is repeated; a run is not evidence twice, so name it once",
    ),
    "a negative seed": (
        "seeds = 2",
        "seeds = [1, -1]",
        "'design.seeds.1' = -1 must be at least 0",
    ),
    "no stream that varies": (
        "seeds = 2",
        "seeds = 2\nvary = []",
        "'design.vary' = [] must be at least 1 long",
    ),
    "an alpha of zero": (
        "[analysis]",
        "[analysis]\nalpha = 0",
        "'analysis.alpha' = 0 must be above 0",
    ),
    "an alpha of more than half": (
        "[analysis]",
        "[analysis]\nalpha = 0.5",
        "'analysis.alpha' = 0.5 must be below 0.5",
    ),
    "no smallest effect": (
        "smallest_effect = 0.01",
        "",
        (
            "'analysis.smallest_effect' is missing; add to [analysis]:\n"
            "      smallest_effect = 0.005"
        ),
    ),
    "a smallest effect of zero": (
        "smallest_effect = 0.01",
        "smallest_effect = 0.0",
        "'analysis.smallest_effect' = 0.0 must be above 0",
    ),
    "an unknown correction": (
        "[analysis]",
        '[analysis]\ncorrection = "hol"',
        (
            "'analysis.correction' = 'hol' must be 'holm', 'bonferroni', 'hochberg', 'hommel', "
            "'bh', 'by' or 'none'; "
            "did you mean 'holm'?"
        ),
    ),
}


def test_a_valid_study_is_read_as_it_is_written(file: Path, study_text: str) -> None:
    file.write_text(study_text)
    study = load_study(file)
    assert (study.name, list(study.interventions)) == ("tiny", ["no-dropout", "clip"])
    assert study.design.seed_list() == [1, 2]
    assert study.analysis.alpha == 0.05


@pytest.mark.parametrize(("old", "new", "sentence"), CHANGES.values(), ids=CHANGES)
def test_an_invalid_study_is_refused_with_a_sentence_that_says_what_is_allowed(
    file: Path, study_text: str, old: str, new: str, sentence: str
) -> None:
    assert study_text.count(old) == 1
    file.write_text(study_text.replace(old, new))
    assert refusal(file) == sentence


def test_fields_may_be_set_with_dots_outside_the_quotes(content: dict[str, Any]) -> None:
    quoted = make_plan(parse_study(content, "s.toml"), "s.toml")
    content["interventions"]["no-dropout"]["set"] = {"model": {"dropout": 0.0}}
    assert make_plan(parse_study(content, "s.toml"), "s.toml").hash == quoted.hash


def test_every_recipe_field_but_the_seeds_can_be_set() -> None:
    assert {"model.dropout", "optimizer.learning_rate", "data.order"} < set(RECIPE_FIELDS)
    assert not [field for field in RECIPE_FIELDS if field.startswith("seeds")]

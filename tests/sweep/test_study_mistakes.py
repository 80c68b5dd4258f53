"""All mistakes of a study file are told at once, each with its line, in the file's order."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sweep.errors import StudyError
from sweep.study.field_names import all_fields
from sweep.study.file import Study, recipe_advice
from sweep.study.lines import find_lines
from sweep.study.other_names import OTHER_NAMES
from sweep.workspace import plan_of, read_plan
from trainer.recipe_forms import RECIPE_FIELDS

WRONG = """\
tags = ["first"]

[baseline.model]
n_layer = 1
width = 16.5
context = 16

[baseline.optimizer]
learning_rate = -1

[interventions.no-dropout]
because = "Little to regularise."
set = { "model.dropuot" = 0.0, "optimizer.beta2" = "x" }

[interventions.clip]
set = { "optimizer.clip_norm" = 0.5 }

[interventions.cosine]
because = "It goes further."
set = { lr = 1e-3 }

[stacks.both]
combine = ["clip", "csine"]

[design]
seeds = [1, -1]

[jobs]
retires = 3
"""

TOLD = """\
s.toml has 13 mistakes:
  line 1: 'tags' is not a field; a study is found by its name, and says what it is \
for in 'question'
  line 4: 'baseline.model.n_layer' is not a field; the field is 'baseline.model.layers'
  line 5: 'baseline.model.width' = 16.5 must be a whole number
  line 9: 'baseline.optimizer.learning_rate' = -1 must be above 0
  line 13: [interventions.no-dropout] sets 'model.dropuot', which is not a recipe field; did you \
mean 'model.dropout'?
  line 13: [interventions.no-dropout] sets 'optimizer.beta2' = 'x', which must be a number
  line 15: 'interventions.clip.because' is missing; add to [interventions.clip]:
      because = "Why it is expected to help."
  line 20: [interventions.cosine] sets 'lr', which is not a recipe field; the field is \
'optimizer.learning_rate'
  line 23: [stacks.both] combines 'csine', which is not an intervention; did you mean 'cosine'?
  line 26: 'design.seeds.1' = -1 must be at least 0
  line 29: 'jobs.retires' is not a field; did you mean 'jobs.retries'?
  'name' is missing; add above the first table:
      name = "my-study"
  'analysis' is missing; add:
      [analysis]
      smallest_effect = 0.005"""


def refusal(text: str) -> str:
    with pytest.raises(StudyError) as refused:
        plan_of(tomllib.loads(text), "s.toml", lines=lambda: find_lines(text))
    return str(refused.value)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    assert refusal(WRONG) == TOLD


def test_a_file_says_the_line_of_its_one_mistake(file: Path, study_text: str) -> None:
    file.write_text(study_text.replace("layers = 1", "layers = 0"))
    with pytest.raises(StudyError) as refused:
        read_plan(file)
    assert str(refused.value) == f"{file}: line 5: 'baseline.model.layers' = 0 must be at least 1"


def test_the_lines_to_paste_make_the_study_valid(study_text: str) -> None:
    text = study_text[study_text.index("[baseline.model]") : study_text.index("[design]")]
    refused = refusal(text).splitlines()
    lines = [line.strip() for line in refused if line.startswith("      ")]
    assert len(lines) == 5
    plan_of(tomllib.loads("\n".join([lines[0], text, *lines[1:]])), "s.toml")


def test_twenty_mistakes_are_told_and_the_others_counted(study_text: str) -> None:
    wrong = "".join(f"x{number} = 1\n" for number in range(23))
    told = refusal(wrong + study_text).splitlines()
    assert told[0] == "s.toml has 23 mistakes:"
    assert (len(told), told[-1]) == (22, "  and 3 more")


def test_a_wrong_baseline_does_not_make_its_arms_wrong(study_text: str) -> None:
    for right, wrong in {
        "heads = 2": "heads = 3",
        "chunk_tokens = 64": "chunk_tokens = 70",
        "width = 16": 'width = "x"',
        "tokens = 2048": "tokens = 1",
        "[baseline.model]": "[model]",
    }.items():
        assert " mistakes" not in refusal(study_text.replace(right, wrong))


def test_a_wrong_intervention_does_not_make_its_stacks_wrong(study_text: str) -> None:
    stack = '[stacks.both]\ncombine = ["no-dropout", "clip"]\n'
    for right, wrong in {
        '"model.dropout" = 0.0': '"model.dropout" = 2',
        'because = "Spikes."': "because = 1",
        'set = { "optimizer.clip_norm" = 0.5 }': "set = 5",
    }.items():
        assert " mistakes" not in refusal(study_text.replace(right, wrong) + stack)


@pytest.mark.parametrize(
    ("text", "keys", "line"),
    [
        ("a = 1\r\nb = 2", ("b",), 2),
        ('x = """\na = 1\n[b]\n"""\na = 3', ("a",), 5),
        ("x = [\n  1,\n  2,\n]\n# [a]\na = 3", ("a",), 6),
        ("[t]\n\n'a.b'.c = { d = 1 }", ("t", "a.b", "c", "d"), 3),
        ("[t.u] # [x]\na = 1", ("t",), 1),
        ("[[t]]\na = 1\n[[t]]\na = 2", ("t", "a"), 2),
    ],
)
def test_the_line_of_a_key_is_found_however_toml_writes_it(
    text: str, keys: tuple[str, ...], line: int
) -> None:
    assert find_lines(text)[keys] == line


def test_a_value_of_very_many_lines_leaves_the_lines_after_it_unknown() -> None:
    text = "a = 1\nx = [\n" + "1,\n" * 100_000 + "]\nb = 2"
    assert find_lines(text) == {("a",): 1}


def test_every_name_of_another_tool_means_a_field_that_exists_or_says_why_there_is_none() -> None:
    known = {each.removeprefix("baseline.") for each in all_fields(Study)}
    known |= {"because", "set", "combine"}
    wrong = [name for name, (field, note) in OTHER_NAMES.items() if field not in known and not note]
    assert wrong == []
    assert not OTHER_NAMES.keys() & set(RECIPE_FIELDS)


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("optimizer.lr", "; the field is 'optimizer.learning_rate'"),
        ("learningRate", "; the field is 'optimizer.learning_rate'"),
        ("train.dropout", "; the field is 'model.dropout'"),
        ("baseline.model.dropout", "; did you mean 'model.dropout'?"),
        ("model.Layers", "; did you mean 'model.layers'?"),
        (
            "schedule.zzz",
            (
                "; the fields of 'schedule' are schedule.kind, schedule.warmup, "
                "schedule.warmup_factor, schedule.final_factor, schedule.cooldown, schedule.cooldown_shape, "
                "schedule.batch_warmup, schedule.batch_warmup_factor"
            ),
        ),
        ("zzz", "; docs/recipe.md lists them"),
        ("micro_batch", "; a study file sets 'jobs.micro_batch', the same for all arms"),
        (
            "patience",
            (
                "; there is no early stopping: every run trains all its steps, so that arms are "
                "comparable"
            ),
        ),
    ],
)
def test_advice_goes_by_meaning_before_spelling(key: str, advice: str) -> None:
    assert recipe_advice(key) == advice

"""Any study file loads or is refused with a sentence for each mistake."""

from __future__ import annotations

import datetime as dt
import tomllib
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import StudyError
from sweep.workspace import plan_of, read_plan
from trainer.recipe_forms import RECIPE_FIELDS

VALID = tomllib.loads("""
name = "tiny"
question = "Why?"
baseline.model = { layers = 1, heads = 2, width = 16, context = 16 }
baseline.train = { tokens = 2048, batch_size = 8 }
baseline.evaluation = { chunks = 2, chunk_tokens = 64 }
interventions.no-dropout = { because = "One.", set = { "model.dropout" = 0.0 } }
interventions.clip = { because = "Two.", set = { "optimizer.clip_norm" = 0.5 } }
stacks.both = { combine = ["no-dropout", "clip"] }
design = { seeds = [1, 2], vary = ["init", "order"], hold = 3 }
jobs.retries = 1
analysis = { alpha = 0.05, correction = "holm", smallest_effect = 0.01 }
""")


def check_sentence(sentence: str) -> None:
    """It names the file and no library; has a line for each mistake, and the lines to add."""
    assert sentence.startswith(("s.toml: ", "s.toml has "))
    assert sentence.removeprefix("s.toml: ").strip()
    assert sentence.replace("\n", "").isprintable()
    for word in ("Traceback", "pydantic", "http", "Error:", "Input should"):
        assert word not in sentence


def loads_or_is_refused(content: dict[str, Any]) -> None:
    try:
        plan = plan_of(content, "s.toml")
    except StudyError as error:
        check_sentence(str(error))
    else:
        assert plan.arms[0].name == "baseline"
        assert len({arm.identity for arm in plan.arms}) == len(plan.arms)


KEYS = st.sampled_from(sorted({*RECIPE_FIELDS, *VALID, "set", "seeds", "[key]", "list", "a.b"}))
LEAVES = (
    st.booleans()
    | st.integers(-3, 70)
    | st.integers()
    | st.just(2**80)
    | st.floats()
    | st.text(max_size=8)
    | KEYS
    | st.just(dt.date(2024, 2, 29))
    | st.just(dt.time(1, 2, 3))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Every table of a study, the outermost first."""
    inner = [table for value in content.values() if isinstance(value, dict) for table in [value]]
    return [content, *(table for each in inner for table in tables(each))]


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The valid study with a few keys deleted, replaced or added."""
    content = deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        table = draw(st.sampled_from(tables(content)))
        known = st.sampled_from(sorted(table)) if table else KEYS
        kind = draw(st.sampled_from(["delete", "replace", "add"]))
        if kind == "delete":
            table.pop(draw(known), None)
        else:
            table[draw(known if kind == "replace" else KEYS | st.text(max_size=8))] = draw(VALUES)
    return content


@pytest.mark.slow
@given(st.dictionaries(KEYS | st.text(max_size=8), VALUES, max_size=5))
def test_any_mapping_loads_or_is_refused_with_a_sentence(content: dict[str, Any]) -> None:
    loads_or_is_refused(content)


@given(damaged())
def test_any_damage_to_a_valid_study_loads_or_is_refused_with_a_sentence(
    content: dict[str, Any],
) -> None:
    loads_or_is_refused(content)


@given(st.integers(0, 600), st.integers(0, 30), st.text(max_size=6) | st.just('"""'))
def test_any_damage_to_a_study_file_loads_or_is_refused_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, study_text: str, at: int, cut: int, new: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.toml"
    file.write_bytes((study_text[:at] + new + study_text[at + cut :]).encode())
    try:
        read_plan(file)
    except StudyError as error:
        check_sentence(str(error).replace(str(file), "s.toml", 1))

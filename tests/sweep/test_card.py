"""What the card of an exported model says about loading it."""

from __future__ import annotations

from typing import Any

import pytest

from model.config import ModelConfig
from model.export_formats import format_of
from sweep.models.card import loading_words

LLAMA = {"norm": "rms", "position": "rope", "activation": "swiglu"}


def words(**fields: Any) -> str:  # noqa: ANN401  (as a study file has it)
    model = ModelConfig(**fields)
    return loading_words(model, format_of(model))


@pytest.mark.parametrize(("fields", "name"), [({}, "GPT2LMHeadModel"), (LLAMA, "LlamaForCausalLM")])
def test_a_class_of_transformers_needs_no_remote_code(fields: dict[str, Any], name: str) -> None:
    said = words(**fields)
    assert f"It is a `{name}` to transformers" in said
    assert "without remote code" in said
    assert "trust_remote_code" not in said


def test_code_of_our_own_needs_trust_and_the_card_says_why() -> None:
    said = words(**LLAMA, logit_softcap=15.0)
    assert 'pipeline("text-generation", "FOLDER OR OWNER/NAME", trust_remote_code=True)' in said
    assert "It is a `GPTSweepForCausalLM`, whose code is part of this model: " in said
    assert "`modeling_gpt_sweep.py`" in said
    assert "- `model.norm = 'rms'`: GPT-2's format has LayerNorm only" in said
    assert "- `model.logit_softcap = 15.0`: Llama's format has no cap of the logits" in said

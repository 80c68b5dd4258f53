"""The list of changes to the model that tests try: values for every field of `ModelConfig`.

A new field, or a new choice of one, fails `test_every_field_and_every_choice_is_tried` until it
has an entry here, and is then tested like all others.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from model.config import ModelConfig

Fields = Mapping[str, Any]
"""Recipe fields by `section.field`."""

CHANGES: Mapping[str, Fields] = {
    "layers": {"model.layers": 3},
    "heads": {"model.heads": 2},
    "width": {"model.width": 16},
    "context": {"model.context": 8, "evaluation.chunk_tokens": 64},
    "several-tiles": {"model.context": 150, "evaluation.chunk_tokens": 150},
    "no-dropout": {"model.dropout": 0.0},
    "qkv-bias": {"model.qkv_bias": True},
    "rms-norm": {"model.norm": "rms"},
    "init-std": {"model.init_std": 0.1},
    "tied": {"model.tie_embeddings": True},
    "rope": {"model.position": "rope"},
    "rope-partial": {
        "model.position": "rope",
        "model.rope_base": 500.0,
        "model.rope_share": 0.5,
        "model.qkv_bias": True,
    },
    "no-positions": {"model.position": "none"},
    "qk-norm": {"model.qk_norm": True},
    "qk-norm-rope": {"model.qk_norm": True, "model.position": "rope", "model.norm": "rms"},
    "kv-heads": {"model.kv_heads": 2, "model.qkv_bias": True},
    "one-kv-head-rope": {"model.kv_heads": 1, "model.position": "rope"},
    "window": {"model.window": 5},
    "window-pattern": {
        "model.window": 70,  # of two tiles and a part of one
        "model.window_pattern": "SL",
        "model.context": 150,
        "model.kv_heads": 2,
        "model.position": "rope",
        "evaluation.chunk_tokens": 150,
    },
    "gelu-exact": {"model.activation": "gelu_exact"},
    "relu2": {"model.activation": "relu2"},
    "silu": {"model.activation": "silu"},
    "swiglu": {"model.activation": "swiglu"},
    "no-biases": {"model.biases": "none"},
    "llama": {
        "model.activation": "swiglu",
        "model.biases": "none",
        "model.norm": "rms",
        "model.position": "rope",
        "model.kv_heads": 2,
    },
    "softcap": {"model.logit_softcap": 0.5, "model.init_std": 0.1},
    "zero-init": {"model.zero_init_projections": True},
    "residual-scale": {"model.residual_scale": True},
    "value-embeddings": {"model.value_embeddings": True, "model.layers": 3},
    "value-embeddings-shared": {"model.value_embeddings": True, "model.kv_heads": 2},
    "experts": {"model.experts": 4, "model.expert_balance": 0.5},
    "experts-swiglu-one-active": {
        "model.experts": 3,
        "model.active_experts": 1,
        "model.expert_balance": 0.0,
        "model.activation": "swiglu",
    },
    "documents": {"data.mask_documents": True},
    "documents-window": {"data.mask_documents": True, "model.window": 5, "model.qk_norm": True},
    "documents-tiles": {  # two tiles and a part of one, some layers with a window
        "data.mask_documents": True,
        "model.window": 70,
        "model.window_pattern": "SL",
        "model.context": 150,
        "model.kv_heads": 2,
        "model.position": "rope",
        "evaluation.chunk_tokens": 150,
    },
}
"""By name: the fields to set in the recipe of `SHAPE`. The first one gives the change its place."""

SLOW_STEPS = {
    *("layers", "heads", "width", "context", "several-tiles", "no-dropout"),
    *("qkv-bias", "init-std", "tied", "silu", "one-kv-head-rope", "qk-norm-rope"),
    *("documents-tiles", "rope", "window", "kv-heads", "value-embeddings-shared"),
}
"""Changes whose fifty steps are trained with the slow tests: others have the same parts together, or
`test_reference.py` has them."""

DRAWN_ANEW = {
    "layers": "projection.weight",
    "init-std": "weight",
    "softcap": "weight",  # it sets init_std, too
    "zero-init": "projection.weight",
    "value-embeddings": "projection.weight",  # it has three layers
}
"""Changes that scale the initial values of parameters, by the end of these parameters' names."""

SHAPE: Fields = {
    "model.layers": 2,
    "model.heads": 4,
    "model.width": 32,
    "model.context": 16,
    "model.dropout": 0.2,
    "optimizer.learning_rate": 1e-3,
    "train.batch_size": 4,
}
"""What every one of these recipes has, unless the change sets it."""


def untried() -> set[str]:
    """Fields, or choices as `field=value`, that no change sets."""
    tried = {key.removeprefix("model."): set[Any]() for each in CHANGES.values() for key in each}
    for each in CHANGES.values():
        for key, value in each.items():
            tried[key.removeprefix("model.")].add(value)
    missing = set(ModelConfig.model_fields) - tried.keys()
    for name, field in ModelConfig.model_fields.items():
        choices = set(typing.get_args(field.annotation)) if _is_choice(field.annotation) else set()
        missing |= {f"{name}={each}" for each in choices - tried.get(name, set()) - {field.default}}
    return missing


def _is_choice(annotation: object) -> bool:
    return typing.get_origin(annotation) is typing.Literal

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.trainer.recipes import SEEDS, make, refusal
from trainer.recipe import METRIC_VERSION, Recipe, vocabulary_size
from trainer.recipe_forms import to_nested


def test_the_defaults_and_the_fingerprint_never_change_unnoticed() -> None:
    # A change here orphans every stored run: bring it with a migration, or not at all.
    assert METRIC_VERSION == 1
    assert to_nested(make()) == {
        "data": {
            "corpus": "python-stdlib",
            "pattern": None,
            "subset": None,
            "revision": None,
            "text_column": "text",
            "separator": None,
            "test_share": 0.1,
            "max_tokens": None,
            "tokenizer": "bytes",
            "order": "shuffled",
            "mixture": None,
            "mask_documents": False,
        },
        "model": {
            "layers": 12,
            "heads": 12,
            "width": 768,
            "context": 1024,
            "dropout": 0.1,
            "qkv_bias": False,
            "norm": "layer",
            "init_std": 0.02,
            "tie_embeddings": False,
            "position": "learned",
            "rope_base": 10_000.0,
            "rope_share": 1.0,
            "qk_norm": False,
            "kv_heads": None,
            "window": None,
            "window_pattern": "S",
            "activation": "gelu",
            "biases": "all",
            "logit_softcap": None,
            "zero_init_projections": False,
            "residual_scale": False,
            "value_embeddings": False,
            "experts": None,
            "active_experts": 2,
            "expert_balance": 0.01,
        },
        "optimizer": {
            "kind": "adamw",
            "learning_rate": 0.0004,
            "embedding_learning_rate": None,
            "head_learning_rate": None,
            "scalar_learning_rate": None,
            "weight_decay": 0.1,
            "decay": "all",
            "cautious_decay": False,
            "beta1": 0.9,
            "beta2": 0.999,
            "epsilon": 1e-8,
            "momentum": 0.95,
            "muon_scale": "match_rms_adamw",
            "clip_norm": None,
        },
        "schedule": {
            "kind": "constant",
            "warmup": 0.0,
            "warmup_factor": 1e-5,
            "final_factor": 0.1,
            "cooldown": 0.2,
            "cooldown_shape": "linear",
            "batch_warmup": 0.0,
            "batch_warmup_factor": 0.125,
        },
        "train": {
            "tokens": 3_260_252_160,
            "batch_size": 96,
            "precision": "float32",
            "initial_weights": None,
            "z_loss": 0.0,
            "multi_token": 1,
            "first_context": None,
            "context_warmup": 0.5,
            "ema": None,
        },
        "evaluation": {
            "chunks": 3200,
            "chunk_tokens": 6144,
            "start_token": 0,
            "average_last": 0.0,
        },
        "seeds": SEEDS,
    }
    assert make().fingerprint("a corpus") == (
        "49822ff4ebbea37a9d126b99223a9f2e25ec8c25705cabc53c7cb74819774a55"
    )


def test_canonical_json_holds_only_what_differs_from_the_defaults() -> None:
    assert make().canonical() == '{"seeds":{"dropout":3,"init":1,"order":2}}'
    changed = make(model={"dropout": 0.0, "layers": 12}, optimizer={"clip_norm": 1.0})
    assert json.loads(changed.canonical()) == {
        "model": {"dropout": 0.0},
        "optimizer": {"clip_norm": 1.0},
        "seeds": SEEDS,
    }


def test_a_recipe_is_read_back_from_its_canonical_json() -> None:
    recipe = make(schedule={"kind": "cosine", "warmup": 0.05}, optimizer={"clip_norm": 3.5})
    assert Recipe.model_validate_json(recipe.canonical()) == recipe


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"optimizer": {"weight_decay": 1}}, {"optimizer": {"weight_decay": 1.0}}),
        ({"model": {"dropout": 0}}, {"model": {"dropout": 0.0}}),
        ({"train": {"tokens": 200_000}}, {"train": {"tokens": 2e5}}),
        ({"evaluation": {"start_token": 5}}, {"evaluation": {"start_token": 5.0}}),
        ({"seeds": {**SEEDS, "init": 7}}, {"seeds": {**SEEDS, "init": 7.0}}),
        ({"model": {"layers": 12}}, {}),
    ],
)
def test_one_setting_has_one_fingerprint_however_it_is_written(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert make(**one).fingerprint("c") == make(**other).fingerprint("c")


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"order": "sequential"}},
        {"model": {"qkv_bias": True}},
        {"optimizer": {"clip_norm": 3.5}},
        {"schedule": {"kind": "cosine"}},
        {"train": {"precision": "bfloat16"}},
        {"evaluation": {"chunks": 3}},
        {"seeds": {**SEEDS, "dropout": 4}},
    ],
)
def test_another_recipe_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert make(**change).fingerprint("c") != make().fingerprint("c")


def test_the_fingerprint_depends_on_the_content_of_inputs_and_not_on_their_location() -> None:
    moved = make(data={"corpus": "/elsewhere/text"}, train={"initial_weights": "/elsewhere/gpt2"})
    assert moved.fingerprint("c", "w") == make().fingerprint("c", "w")
    assert moved.fingerprint("c", "w") != make().fingerprint("c", "v") != make().fingerprint("c")


@pytest.mark.parametrize(("name", "size"), [("bytes", 257), ("gpt2", 50_257), ("bpe-4096", 4096)])
def test_the_vocabulary_follows_from_the_tokenizer(name: str, size: int) -> None:
    assert vocabulary_size(name) == size
    assert make(data={"tokenizer": name}).data.tokenizer == name


@pytest.mark.parametrize(
    "name", ["gpt3", "bpe", "bpe-", "bpe-+300", "bpe-0300", "bpe-3e2", "BPE-9"]
)
def test_an_unknown_tokenizer_is_refused_with_the_known_ones(name: str) -> None:
    expected = f"{name!r} is not a tokenizer; use bytes, gpt2, bpe-N"
    assert expected in refusal(data={"tokenizer": name})


@pytest.mark.parametrize("name", ["bpe-257", "bpe-65537", "bpe-999999999"])
def test_a_vocabulary_that_two_bytes_cannot_hold_is_refused(name: str) -> None:
    assert f"{name!r}: a vocabulary has 258 to 65536 tokens" in refusal(data={"tokenizer": name})


def test_another_corpus_gives_another_fingerprint() -> None:
    assert make().fingerprint("c") != make().fingerprint("d")


def test_the_word_none_removes_clipping() -> None:
    assert make(optimizer={"clip_norm": "none"}) == make()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": {"learning_rate": -1e-3}}, "greater than 0"),
    ({"optimizer": {"learning_rate": 0}}, "greater than 0"),
    ({"optimizer": {"learning_rate": float("nan")}}, "finite number"),
    ({"optimizer": {"learning_rate": "0.1"}}, "valid number"),
    ({"optimizer": {"weight_decay": float("inf")}}, "finite number"),
    ({"optimizer": {"weight_decay": -0.1}}, "greater than or equal to 0"),
    ({"optimizer": {"beta2": 1}}, "less than 1"),
    ({"optimizer": {"clip_norm": 0}}, "greater than 0"),
    ({"optimizer": {"clip_norm": float("nan")}}, "finite number"),
    ({"optimizer": {"clip_norm": "no"}}, "valid number"),
    ({"optimizer": {"decay": "some"}}, "'all' or 'matrices'"),
    ({"optimizer": {"wieght_decay": 0.1}}, "Extra inputs are not permitted"),
    ({"model": {"layers": True}}, "valid integer"),
    ({"model": {"heads": 5}}, "the nearest that does is 4"),
    ({"data": {"tokenizer": "words"}}, "use bytes, gpt2, bpe-N for"),
    ({"data": {"order": "random"}}, "'shuffled' or 'sequential'"),
    ({"train": {"batch_size": 0}}, "greater than or equal to 1"),
    ({"train": {"tokens": 1e5 + 0.5}}, "valid integer"),
    ({"train": {"precision": "float8"}}, "'float32', 'tf32', 'bfloat16' or 'float16'"),
    ({"schedule": {"warmup": 1.0}}, "less than 1"),
    ({"seeds": {"init": 1, "order": 2}}, "Field required"),
    ({"seeds": {**SEEDS, "init": -1}}, "greater than or equal to 0"),
    ({"seeds": {**SEEDS, "init": 2**63}}, "should be less than 9223372036854"),
    ({"seeds": {**SEEDS, "init": True}}, "valid integer"),
    ({"evaluation": {"start_token": -1}}, "greater than or equal to 0"),
    ({"modle": {}}, "Extra inputs are not permitted"),
    (
        {"train": {"tokens": 98_303}},
        "train.tokens = 98303 is less than one step of train.batch_size x model.context = 98304",
    ),
    (
        {"evaluation": {"chunk_tokens": 3_000}},
        "3000 is not a multiple of model.context = 1024; the nearest that is: 3072",
    ),
    (
        {"evaluation": {"chunk_tokens": 5}},
        "evaluation.chunk_tokens = 5 is not a multiple of model.context = 1024; the nearest that",
    ),
    (
        {"schedule": {"final_factor": 0.2}},
        'final_factor has no effect with kind = "constant"; leave it out, or set kind = "cosine"',
    ),
    (
        {"optimizer": {"kind": "sgd", "beta2": 0.95}},
        'beta2 has no effect with kind = "sgd"; leave it out, or set kind = "adamw", "lion" or "muon"',
    ),
    (
        {"optimizer": {"momentum": 0.9}},
        'momentum has no effect with kind = "adamw"; leave it out, or set kind = "muon" or "sgd"',
    ),
    (
        {"optimizer": {"cautious_decay": True, "weight_decay": 0.0}},
        "cautious_decay has no effect without weight decay; leave it out, or set weight_decay above 0",
    ),
    (
        {"optimizer": {"head_learning_rate": 1e-3}, "model": {"tie_embeddings": True}},
        "optimizer.head_learning_rate has no effect with model.tie_embeddings = true",
    ),
    (
        {"train": {"ema": 0.99}, "evaluation": {"average_last": 0.5}},
        "train.ema and evaluation.average_last are two averages of the weights, and one is evaluated",
    ),
    (
        {"train": {"tokens": 2 * 98_304}, "evaluation": {"average_last": 0.1}},
        "evaluation.average_last = 0.1 of 2 steps rounds to no step at all; use at least 0.5",
    ),
    (
        {"schedule": {"batch_warmup_factor": 0.5}},
        "batch_warmup_factor has no effect without a batch warm-up; leave it out, or set batch_warmup",
    ),
    (
        {"schedule": {"batch_warmup": 0.5}, "train": {"batch_size": 1}},
        "schedule.batch_warmup has no effect: 0.125 of train.batch_size = 1 rounds to the whole batch",
    ),
    (
        {"train": {"first_context": 300}},
        "train.first_context = 300 does not double to model.context = 1024; use one of 512, 256, 128, 64",
    ),
    (
        {"train": {"first_context": 128, "tokens": 4 * 98_304}},
        "train.context_warmup = 0.5 of 4 steps is less than 3 steps, one for each length below 1024",
    ),
    (
        {"train": {"context_warmup": 0.1}},
        "context_warmup has no effect without first_context; leave it out, or set first_context",
    ),
    (
        {"schedule": {"kind": "cosine", "cooldown": 0.3}},
        'cooldown has no effect with kind = "cosine"; leave it out, or set kind = "wsd"',
    ),
    (
        {"schedule": {"kind": "wsd", "cooldown": 0.5, "warmup": 0.6}},
        "warmup = 0.6 and cooldown = 0.5 are more than all steps; use a cooldown of at most 0.4",
    ),
    (
        {"schedule": {"kind": "wsd"}, "train": {"tokens": 2 * 98_304}},
        "schedule.cooldown = 0.2 of 2 steps rounds to no step at all; use at least 0.5",
    ),
    (
        {"schedule": {"kind": "cosine", "warmup_factor": 0.2}},
        "warmup_factor has no effect without a warm-up; leave it out, or set warmup above 0",
    ),
]


@pytest.mark.parametrize(("sections", "message"), BAD, ids=[str(bad) for bad, _ in BAD])
def test_a_bad_value_is_refused_with_its_reason(sections: dict[str, Any], message: str) -> None:
    assert message in refusal(**sections)

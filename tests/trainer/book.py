"""A model in the form of Raschka's book, "Build a Large Language Model (From Scratch)", 2024."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from model.config import ModelConfig
from tests.trainer.gpt2 import write_tokens
from tests.trainer.plain_model import GPT2
from trainer.corpora.tokenizer import byte_letters

NAMES = {
    "token_embedding": "tok_emb",
    "position_embedding": "pos_emb",
    "blocks": "trf_blocks",
    "attention_norm.weight": "norm1.scale",
    "attention_norm.bias": "norm1.shift",
    "feed_forward_norm.weight": "norm2.scale",
    "feed_forward_norm.bias": "norm2.shift",
    "attention.query": "att.W_query",
    "attention.key": "att.W_key",
    "attention.value": "att.W_value",
    "attention.projection": "att.out_proj",
    "feed_forward.expand": "ff.layers.0",
    "feed_forward.projection": "ff.layers.2",
    "final_norm.weight": "final_norm.scale",
    "final_norm.bias": "final_norm.shift",
    "head": "out_head",
}
"""Our textbook model's names, and the book's."""


def book_tensors(model: GPT2) -> dict[str, Tensor]:
    """The parameters by the book's names, with the causal mask that its attention keeps."""
    pattern = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in NAMES))
    found = {
        pattern.sub(lambda match: NAMES[match.group()], name): tensor.detach().clone()
        for name, tensor in model.state_dict().items()
    }
    mask = torch.ones(model.config.context, model.config.context).triu(1)
    masks = {f"trf_blocks.{i}.att.mask": mask.clone() for i in range(model.config.layers)}
    return found | masks


def book_fields(config: ModelConfig) -> dict[str, object]:
    """The content of `model.json`."""
    tied: dict[str, object] = {"tie_weights": True} if config.tie_embeddings else {}
    return {
        "vocab_size": 257,
        "context_length": config.context,
        "emb_dim": config.width,
        "n_heads": config.heads,
        "n_layers": config.layers,
        "drop_rate": 0.1,
        "qkv_bias": config.qkv_bias,
    } | tied


def save_book(
    folder: Path, *, tied: bool = False, biased: bool = False, positions: int = 16
) -> GPT2:
    """Two layers of width 16 for bytes, with random weights, norms and biases."""
    torch.manual_seed(1)
    config = ModelConfig(
        layers=2, heads=2, width=16, context=positions, qkv_bias=biased, tie_embeddings=tied
    )
    model = GPT2(config, 257)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(book_fields(config)))
    save_file(book_tensors(model), folder / "model.safetensors")
    write_tokens(folder, byte_letters())
    return model.eval()

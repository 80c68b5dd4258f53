"""A GPT-2 that transformers makes and saves, with its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from trainer.corpora.tokenizer import byte_letters


def save_gpt2(
    folder: Path, *, tied: bool = True, biased: bool = True, positions: int = 16
) -> GPT2LMHeadModel:
    """One layer of width 16 for bytes, with random weights, norms and biases."""
    torch.manual_seed(1)
    sizes = {"vocab_size": 257, "n_positions": positions, "n_embd": 16, "n_layer": 1, "n_head": 2}
    end = {"bos_token_id": 256, "eos_token_id": 256}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **end, tie_word_embeddings=tied))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if biased or "c_attn.bias" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    write_tokens(folder, byte_letters())
    return model.eval()


def write_tokens(folder: Path, letters: dict[str, int]) -> None:
    """A tokenizer of single bytes, whose letters have these ids."""
    (folder / "tokenizer.json").write_text(json.dumps(byte_tokens(letters)))


def byte_tokens(letters: dict[str, int]) -> dict[str, Any]:
    """The content of that tokenizer.json, with an end-of-text token behind the letters."""
    end = {"id": len(letters), "content": "<|endoftext|>", "special": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "added_tokens": [end | flags],
        "pre_tokenizer": bytewise | {"use_regex": False},
        "decoder": bytewise,
        "model": {"type": "BPE", "vocab": letters, "merges": []},
    }

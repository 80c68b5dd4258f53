"""Names of tensors without the prefixes that wrappers around the model add."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from model.huggingface import PREFIX
from trainer.errors import WeightsError

T = TypeVar("T")

_WRAPPERS = re.compile(r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""torch.compile, FSDP and activation checkpointing add these, also around single blocks."""
_PREFIXES = re.compile(r"^(module\.|model\.|transformer\.)+")
"""DataParallel and DDP, Lightning and trainers of one's own, and GPT-2 with its head."""
_BUFFER = re.compile(r"\bh\.\d+\.attn\.(bias|masked_bias)$|\btrf_blocks\.\d+\.att\.mask$")
"""The causal mask, which older versions of transformers, nanoGPT and Raschka's model save."""
MOST_NAMED = 3
"""Tensors that a message names."""


def plain_names(tensors: Mapping[str, T], where: str) -> dict[str, T]:
    """Tensors by the names of transformers' GPT-2, without masks. Raises WeightsError for twins."""
    return _by_name(tensors, where, _gpt2_name)


def bare_names(tensors: Mapping[str, T], where: str) -> dict[str, T]:
    """Tensors by their names without prefixes, without masks. Raises WeightsError for twins."""
    return _by_name(tensors, where, _bare)


def _bare(name: str) -> str:
    return _PREFIXES.sub("", _WRAPPERS.sub("", name))


def _gpt2_name(name: str) -> str:
    bare = _bare(name)
    return bare if bare.startswith("lm_head.") else PREFIX + bare


def _by_name(
    tensors: Mapping[str, T], where: str, plain_name: Callable[[str], str]
) -> dict[str, T]:
    written: dict[str, str] = {}
    for name in tensors:
        plain = plain_name(name)
        if _BUFFER.search(plain):
            continue
        twin = written.setdefault(plain, name)
        if twin != name:
            raise WeightsError(f"{where} has the tensor {plain} twice: as {twin} and as {name}")
    return {plain: tensors[name] for plain, name in written.items()}


def named(names: Iterable[str]) -> str:
    """`a, b, c and 4 more`."""
    ordered = list(names)
    more = len(ordered) - MOST_NAMED
    return ", ".join(ordered[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

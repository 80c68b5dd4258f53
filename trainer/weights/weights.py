"""Parameters by name, as safetensors: those that a run ends with, and those that it starts from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.gpt import GPT
from trainer.errors import CheckpointError, WeightsError
from trainer.files import sync
from trainer.weights.pretrained import Pretrained


def save_weights(path: Path, parameters: Mapping[str, Tensor]) -> None:
    """Write the parameters, whole or not at all. Raises CheckpointError when the disk is full."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # Each is copied out of the vector that all share: safetensors refuses shared memory.
    tensors = {name: p.detach().cpu().clone() for name, p in parameters.items()}
    try:
        save_file(tensors, aside)
        aside.chmod(0o644)
        sync(aside)
        aside.replace(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be written ({error}); make room there, or set jobs.keep to "
            '"nothing", and run again'
        ) from error
    finally:
        aside.unlink(missing_ok=True)


@torch.no_grad()
def load_weights(model: GPT, source: Pretrained) -> None:
    """Fill a model whose shape fits (`Pretrained.check_fits`). Raises WeightsError.

    Positions that it does not have are left out, a QKV bias that only it has is zero, and a head
    that only it has is the token embedding: its logits are those of the source.
    """
    found = _read(source)
    found.setdefault("head.weight", found["token_embedding.weight"])
    for name, parameter in model.named_parameters():
        tensor = found.get(name)
        if tensor is None:
            parameter.zero_()
            continue
        turned = tensor.t() if name in source.transposed else tensor
        parameter.copy_(turned[: parameter.shape[0]])


def _read(source: Pretrained) -> dict[str, Tensor]:
    try:
        with ExitStack() as stack:
            files = {
                path: stack.enter_context(safe_open(path, framework="pt"))
                for path in {stored.file for stored in source.tensors.values()}
            }
            return {n: files[s.file].get_tensor(s.name) for n, s in source.tensors.items()}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"the weights in {source.folder} cannot be read: {error}") from error


def load_model(source: Pretrained, context: int | None = None) -> GPT:
    """The model that a folder holds, to be used and not trained; for fewer positions if asked."""
    config = source.config.model_copy(update={"context": context or source.config.context})
    model = GPT(config, source.vocabulary)
    load_weights(model, source)
    return model.eval()

"""Save the final parameters of a run, and load parameters into a model (safetensors)."""

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
from trainer.files import follow_umask, sync
from trainer.weights.nanogpt import LoadedTensor
from trainer.weights.pretrained import Pretrained
from trainer.weights.safetensors_files import JoinedTensor, StoredTensor


def save_weights(path: Path, parameters: Mapping[str, Tensor]) -> None:
    """Write the parameters, whole or not at all. Raises CheckpointError if that fails."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # Copies, because all parameters share one vector and safetensors refuses shared memory.
    tensors = {name: p.detach().cpu().clone() for name, p in parameters.items()}
    try:
        save_file(tensors, aside)
        follow_umask(aside)
        sync(aside)
        aside.replace(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be written ({error}); free some space, or set jobs.keep to "
            '"nothing", and run again'
        ) from error
    finally:
        aside.unlink(missing_ok=True)


@torch.no_grad()
def load_weights(model: GPT, source: Pretrained) -> None:
    """Fill a model of a fitting shape (`Pretrained.check_fits`). Raises WeightsError.

    The model's logits equal the source's: positions beyond its context and rows beyond its tokens
    are left out, a bias that the source lacks is zero, and a head that it lacks is its token
    embedding. Heads that only training needs keep their values.
    """
    found = _read(source)
    found.setdefault("head.weight", found["token_embedding.weight"])
    for name, parameter in model.kept_parameters().items():
        tensor = found.get(name)
        if tensor is None:
            parameter.zero_()
            continue
        turned = tensor.t() if name in source.transposed else tensor
        parameter.copy_(turned[: parameter.shape[0]])


def _read(source: Pretrained) -> dict[str, Tensor]:
    loaded = {n: t.tensor for n, t in source.tensors.items() if isinstance(t, LoadedTensor)}
    stored = {
        name: tensor.parts
        for name, tensor in source.tensors.items()
        if isinstance(tensor, StoredTensor | JoinedTensor)
    }
    try:
        with ExitStack() as stack:
            files = {
                path: stack.enter_context(safe_open(path, framework="pt"))
                for path in {part.file for parts in stored.values() for part in parts}
            }
            return loaded | {
                name: _joined([files[part.file].get_tensor(part.name) for part in parts])
                for name, parts in stored.items()
            }
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"the weights in {source.folder} cannot be read: {error}") from error


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def load_model(
    source: Pretrained, context: int | None = None, vocabulary: int | None = None
) -> GPT:
    """The model of some weights, in evaluation mode.

    It has `context` positions and `vocabulary` tokens, or all that the weights have.
    """
    config = source.config.model_copy(update={"context": context or source.config.context})
    model = GPT(config, vocabulary or source.rows, source.border)
    load_weights(model, source)
    return model.eval()

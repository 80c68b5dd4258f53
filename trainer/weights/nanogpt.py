"""nanoGPT's checkpoints: `ckpt.pt`, a dictionary with the parameters and the sizes of the model.

It is a pickle, which torch's restricted reader loads (`weights_only=True`): it makes tensors and
plain values, and refuses everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from model.config import ModelConfig
from trainer.errors import WeightsError
from trainer.weights.tensor_names import plain_names

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT = "ckpt.pt"
SUFFIXES = (".pt", ".pth", ".ckpt")
_SIZES = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")
_HEAD, _EMBEDDING = "lm_head.weight", "transformer.wte.weight"
NOTE = (
    "nanoGPT computes GELU exactly and this model its tanh approximation, as GPT-2 does, so the "
    "logits differ slightly"
)


@dataclass(frozen=True)
class LoadedTensor:
    """A tensor of a checkpoint; see `trainer.weights.safetensors_files.StoredTensor`."""

    tensor: Tensor

    @property
    def dtype(self) -> str:
        """The data type by its name in safetensors, such as `F32`."""
        names = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
        kind = str(self.tensor.dtype).removeprefix("torch.")
        return names.get(kind, kind)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    def pieces(self) -> Iterator[bytes]:
        """Read its bytes."""
        import torch

        yield self.tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()

    @property
    def is_zero(self) -> bool:
        """True if every number is zero."""
        return not self.tensor.any()


class Checkpoint(NamedTuple):
    """The content of a checkpoint that a model needs."""

    config: ModelConfig
    """With a QKV bias if the model has biases."""
    biased: bool
    """False if neither layers nor norms have a bias."""
    tensors: Mapping[str, LoadedTensor]
    """By the names of transformers' GPT-2; matrices are (outputs, inputs), unlike there."""


def read_nanogpt(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises WeightsError if it is not one of nanoGPT's."""
    content = _load(path)
    sizes, tensors = content.get("model_args"), content.get("model")
    if not isinstance(sizes, dict) or not isinstance(tensors, dict):
        raise WeightsError(
            f"{path} is not a checkpoint of nanoGPT's: it has {_keys(content)}, and not 'model' and "
            "'model_args'"
        )
    numbers: dict[str, Any] = {name: sizes.get(name) for name in _SIZES}
    if any(type(number) is not int for number in numbers.values()):
        raise WeightsError(f"{path}: its model_args are not all whole numbers: {numbers}")
    try:
        config = ModelConfig(
            layers=numbers["n_layer"],
            heads=numbers["n_head"],
            width=numbers["n_embd"],
            context=numbers["block_size"],
            qkv_bias=True,
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise WeightsError(f"{path}: its model_args describe no model: {reason}") from error
    loaded = {str(name): LoadedTensor(each) for name, each in tensors.items() if _is_tensor(each)}
    plain = plain_names(loaded, str(path))
    tied = _is_tied(plain)
    if tied:
        plain.pop(_HEAD, None)
    config = config.model_copy(update={"tie_embeddings": tied})
    return Checkpoint(config, bool(sizes.get("bias", True)), plain)


def _load(path: Path) -> dict[str, Any]:
    import torch

    if not path.is_file():  # reading a named pipe would block
        raise WeightsError(f"{path} is not a file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors and plain values, and is not read: such a pickle can run "
            "any code. Save {'model': model.state_dict(), 'model_args': model_args} alone"
        ) from error
    except (RuntimeError, ValueError, EOFError, KeyError, AttributeError) as error:
        raise WeightsError(f"{path} is not a checkpoint of torch's, or is damaged") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a checkpoint of nanoGPT's: it holds no dictionary")
    return content


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _is_tied(tensors: Mapping[str, LoadedTensor]) -> bool:
    head, embedding = tensors.get(_HEAD), tensors.get(_EMBEDDING)
    return head is None or (embedding is not None and head.tensor.equal(embedding.tensor))


def _keys(content: Mapping[Any, Any]) -> str:
    names = [repr(str(key)[:40]) for key in content]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "nothing"

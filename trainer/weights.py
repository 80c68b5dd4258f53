"""The final parameters of a run, by name, as safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from trainer.errors import CheckpointError
from trainer.files import sync


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

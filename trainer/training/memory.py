"""The memory that a run needs on a device, and the largest micro-batch that fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch

from model.size import parameter_count
from trainer.errors import DeviceMemoryError, ExecutionSettingError
from trainer.files import write_json
from trainer.recipe import Recipe, vocabulary_size
from trainer.sharing import gpu_share, memory_limit
from trainer.training.provenance import device_name
from trainer.words import counted

MOMENTS = {"adamw": 2, "muon": 2, "lion": 1, "sgd": 1, "adafactor": 0}
"""Numbers per parameter that an optimiser keeps; at most, for Muon, whose matrices have one."""
CPU_MEMORY_SHARE = 0.8
"""Share of the free RAM that a run may use on a CPU; a run that uses all of it is OOM-killed."""


def is_out_of_memory(error: BaseException) -> bool:
    """True if torch could not allocate memory, on a GPU or on a CPU."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    # torch's CPU allocator raises a plain RuntimeError, which only its text identifies.
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def keep_to_share(device: torch.device) -> None:
    """Let torch allocate no more than this run's share of a GPU that it shares with others.

    Beyond it, an allocation fails as it does on a full GPU: a run that needs more than its share fails,
    and its neighbours go on.
    """
    share = gpu_share()
    if device.type != "cuda" or share == 1:
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(memory_limit(total, share) / total, device)


def free_bytes(device: torch.device) -> int | None:
    """Free memory of the device in bytes; None if it is unknown."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return min(free, memory_limit(total, gpu_share()) - torch.cuda.memory_reserved(device))
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    system = int(lines["MemAvailable"].split()[0]) * 1024
    return min([system, *_cgroup_free()])


def _cgroup_free() -> list[int]:
    """Bytes left below the limit of the memory cgroup; an empty list without a limit."""
    for folder, limit, usage, cached in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        (
            "/sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ):
        try:
            allowed, used = (int(Path(folder, name).read_text()) for name in (limit, usage))
            # The page cache counts as used, but the kernel drops it when memory is needed.
            stat = Path(folder, "memory.stat").read_text().split()
            used -= int(stat[stat.index(cached) + 1])
        except (OSError, ValueError):  # no such cgroup, or no limit ("max")
            continue
        return [max(0, allowed - used)]
    return []


def kept_numbers(recipe: Recipe) -> int:
    """Numbers per parameter beside value and gradient: moments, and copies of the values."""
    return MOMENTS[recipe.optimizer.kind] + _copies(recipe)


def _copies(recipe: Recipe) -> int:
    """Copies of all values: one for a cautious decay, an average of the weights and one to swap it in."""
    is_averaged = recipe.train.ema is not None or recipe.averaged_steps > 0
    return max(2 * is_averaged, is_averaged + recipe.optimizer.cautious_decay)


def bytes_per_parameter(recipe: Recipe) -> int:
    """Bytes per parameter for its value, its gradient and the numbers kept beside them, in float32."""
    return 4 * (2 + kept_numbers(recipe))


def _parameters(recipe: Recipe) -> int:
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    return parameter_count(recipe.model, vocabulary, recipe.train.multi_token)


def fixed_bytes(recipe: Recipe) -> int:
    """Bytes for all parameters, their gradients and the numbers kept beside them."""
    return bytes_per_parameter(recipe) * _parameters(recipe)


def bytes_per_sequence(recipe: Recipe, device: torch.device) -> int:
    """Approximate bytes of the activations that one sequence keeps for the backward pass.

    Eighteen tensors of the residual stream's width per block; on a CPU also the attention weights
    below the causal mask, which a GPU's fused kernel recomputes instead.
    """
    shape = recipe.model
    size = 4 if recipe.train.precision in {"float32", "tf32"} else 2
    per_block = 18 * shape.width * size
    if device.type == "cpu":
        per_block += 4 * shape.heads * (shape.context // 2 + 32)
    embeddings = 4 * 4 * shape.width
    blocks = shape.layers + recipe.train.multi_token - 1
    return shape.context * (blocks * per_block + embeddings)


def check_fits(recipe: Recipe, device: torch.device, free: int | None) -> None:
    """Raise ExecutionSettingError if not even a micro-batch of one sequence fits the device."""
    fixed, sequence = fixed_bytes(recipe), bytes_per_sequence(recipe, device)
    if free is None or fixed + sequence <= free:
        return
    raise ExecutionSettingError(
        f"the recipe does not fit {device_name(device)}: {_parameters(recipe):,} parameters x "
        f"{bytes_per_parameter(recipe)} bytes ({_kept(recipe)}) = {_gigabytes(fixed)}, and "
        f"{_gigabytes(sequence)} for one sequence of {recipe.model.context} tokens, but "
        f"{_gigabytes(free)} are free; use a smaller model.width, model.layers or model.context, "
        "or another device"
    )


def out_of_memory_error(recipe: Recipe, device: torch.device, tried: str) -> DeviceMemoryError:
    """The error for a device that ran out of memory although `check_fits` passed."""
    fixed = fixed_bytes(recipe)
    return DeviceMemoryError(
        f"out of memory on {device_name(device)} {tried}: {_parameters(recipe):,} "
        f"parameters x {bytes_per_parameter(recipe)} bytes = {_gigabytes(fixed)}, and about "
        f"{_gigabytes(bytes_per_sequence(recipe, device))} for each sequence; set a smaller "
        "jobs.micro_batch, use a smaller model, or end other programs that use the device"
    )


def _kept(recipe: Recipe) -> str:
    """What is kept of each parameter, in words."""
    moments = MOMENTS[recipe.optimizer.kind]
    words = {0: [], 1: ["one moment"], 2: ["two moments"]}[moments]
    copies = [counted(_copies(recipe), "copy", "copies")] if _copies(recipe) else []
    return ", ".join(["value", "gradient", *words, *copies])


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB"


class MicroBatches:
    """Finds the largest micro-batch that fits, and stores it in a file by device and model."""

    def __init__(self, folder: Path | None, free: int | None = None) -> None:
        self._free = free
        self._file = folder / "micro-batches.json" if folder else None

    def find(
        self, recipe: Recipe, device: torch.device, most: int, attempt: Callable[[int], None]
    ) -> int:
        """The largest micro-batch that fits, out of `most` sequences, half of that, a quarter, ...

        On a GPU, `attempt` is called with each size and raises if it does not fit. On a CPU the
        size is calculated, since a process that uses too much memory is killed without an error.
        """
        if device.type == "cpu":
            return self._calculate(recipe, device, most)
        key = self._key(recipe, device, most)
        known = self._read().get(key)
        if isinstance(known, int) and 1 <= known <= most:
            return known
        size = most
        while not _fits(attempt, size):
            if size == 1:
                raise out_of_memory_error(recipe, device, "with a single sequence")
            size = (size + 1) // 2
        self._remember(key, size)
        return size

    def _calculate(self, recipe: Recipe, device: torch.device, most: int) -> int:
        if self._free is None:
            return most
        room = CPU_MEMORY_SHARE * self._free - fixed_bytes(recipe)
        size = most
        while size > 1 and size * bytes_per_sequence(recipe, device) > room:
            size = (size + 1) // 2
        return size

    def _key(self, recipe: Recipe, device: torch.device, most: int) -> str:
        shape: dict[str, object] = {
            "sequences": most,
            "model": recipe.model.model_dump(mode="json"),
            "vocabulary": vocabulary_size(recipe.data.tokenizer),
            "precision": recipe.train.precision,
            "memory": memory_limit(
                torch.cuda.get_device_properties(device).total_memory, gpu_share()
            ),
        }
        if kept_numbers(recipe) != MOMENTS["adamw"]:
            shape["kept"] = kept_numbers(recipe)
        if recipe.train.multi_token > 1:
            shape["multi_token"] = recipe.train.multi_token
        if recipe.data.mask_documents:
            shape["documents"] = True
        digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
        return f"{device_name(device)} {digest[:16]}"

    def _read(self) -> dict[str, object]:
        try:
            known = json.loads(self._file.read_bytes()) if self._file else {}
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _remember(self, key: str, size: int) -> None:
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, {**self._read(), key: size})


def _fits(attempt: Callable[[int], None], size: int) -> bool:
    try:
        attempt(size)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True

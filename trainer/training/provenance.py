"""Provenance of a result: code, packages, device, corpus."""

from __future__ import annotations

import functools
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from trainer.corpora.corpus import CorpusInfo
from trainer.recipe import METRIC_VERSION, Recipe
from trainer.sharing import sharing
from trainer.training.world import Place
from trainer.weights.pretrained import Pretrained


def circumstances(recipe: Recipe, place: Place, micro_batch: int) -> dict[str, Any]:
    """What an attempt trains with, as far as it can change how its sums are rounded."""
    return {
        **code(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": version("numpy"),
        },
        "device": device_name(place.device),
        "device_type": place.device.type,
        "threads": torch.get_num_threads(),
        "processes": place.world.size,
        "micro_batch": micro_batch,
        "precision": recipe.train.precision,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def provenance(
    corpus: CorpusInfo, weights: Pretrained | None, attempts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The record that is stored with a result, to compare and repeat it.

    `attempts` has the circumstances of the attempts that trained it, each unlike the one before.
    """
    initial = {"folder": str(weights.folder), "hash": weights.hash} if weights else None
    *earlier, last = attempts
    return {
        **{key: value for key, value in last.items() if key != "from_step"},
        "metric": METRIC_VERSION,
        "corpus": corpus.as_json(),
        **sharing(),
        **({"initial_weights": initial} if initial else {}),
        **({"earlier_attempts": earlier, "from_step": last["from_step"]} if earlier else {}),
    }


@functools.cache
def code() -> dict[str, Any]:
    """The commit of the running code, and whether files differ from it; None outside a checkout."""
    # An environment inside another project's repository is not a checkout of this one.
    if _git("ls-files", "--error-unmatch", __file__) is None:
        return {"commit": None, "dirty": None}
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", "model", "trainer")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }


def _git(*arguments: str) -> str | None:
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root), *arguments]
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603  (fixed arguments)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return finished.stdout.strip() if finished.returncode == 0 else None


@functools.cache
def device_name(device: torch.device) -> str:
    """The product name of the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()

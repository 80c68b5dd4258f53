"""Provenance of a script's result: its code, and the device. Light to import."""

from __future__ import annotations

import functools
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from trainer.scripts.request import ScriptRequest
from trainer.sharing import sharing


def provenance(request: ScriptRequest, device: str, threads: int | None) -> dict[str, Any]:
    """The record that is stored with a result."""
    return {
        "command": request.command,
        "function": request.function,
        "code": request.code,
        "device": device_name(device),
        "device_type": device,
        "threads": threads,
        "processes": request.processes,
        **sharing(),
    }


@functools.cache
def device_name(device: str) -> str:
    """The product name of the first GPU, or of the processor."""
    if device == "cuda" and (query := shutil.which("nvidia-smi")):
        command = [query, "--query-gpu=name", "--format=csv,noheader"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  (no shell, fixed arguments)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return found.stdout.partition("\n")[0].strip() if found.returncode == 0 else ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()

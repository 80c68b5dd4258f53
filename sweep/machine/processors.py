"""GPUs and cores that this process may use, found without importing torch."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The environment variable that limits the GPUs of a process."""


def find_gpus(*, with_torch: bool = True) -> list[str]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    None if torch was built without CUDA, unless they are for a script, which may not use torch. The
    variable limits the GPUs that are there; as for CUDA,
    the first number without a GPU hides itself and all names after it.
    """
    if with_torch and not torch_has_cuda():
        return []
    there = installed_gpus()
    named = _named_gpus()
    if named is None or not there:
        return there
    absent = (gpu.isdecimal() and int(gpu) >= len(there) for gpu in named)
    return [gpu for gpu, _ in takewhile(lambda each: not each[1], zip(named, absent, strict=True))]


def why_no_gpu() -> str | None:
    """Why runs train on the CPU although a GPU is named, or is there; None if there is no reason."""
    named = _named_gpus()
    if find_gpus() or named == []:
        return None
    if named is None:
        there = installed_gpus()
        return None if not there else "This machine has a GPU, but torch was built without CUDA"
    reason = (
        "torch was built without CUDA"
        if not torch_has_cuda()
        else f"this machine has {len(installed_gpus()) or 'no'} GPU"
    )
    return f"{VISIBLE} = {os.environ[VISIBLE]} names a GPU, but {reason}"


def torch_has_cuda() -> bool:
    """True if the installed torch was built with CUDA or ROCm; read from its files, not imported."""
    try:
        torch = find_spec("torch")
        text = Path(torch.origin or "").with_name("version.py").read_text() if torch else ""
    except (OSError, ValueError):  # no such file: torch itself says what it lacks
        return True
    return re.search(r"^(cuda|hip)\b[^=]*= *['\"]", text, re.MULTILINE) is not None


def _named_gpus() -> list[str] | None:
    """The names in CUDA_VISIBLE_DEVICES; None if it is not set."""
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return None
    return [gpu.strip() for gpu in visible.split(",") if gpu.strip() not in {"", "-1"}]


@cache
def _installed_gpus() -> tuple[str, ...]:
    devices = [path.name for path in Path("/dev").glob("nvidia[0-9]*")]
    return tuple(_listed_gpus() or [str(number) for number in range(len(devices))])


def installed_gpus() -> list[str]:
    """The numbers of the NVIDIA GPUs of this machine, by nvidia-smi, or else by their devices."""
    return list(_installed_gpus())


def gpu_names(gpus: Sequence[str]) -> list[str]:
    """The product names of GPUs that are named as CUDA_VISIBLE_DEVICES does: by number or UUID.

    Empty if one of them is not known, such as a part of a GPU (MIG).
    """
    if not gpus:
        return []
    names = _listed_gpus("name")
    known = {str(number): name for number, name in enumerate(names)}
    if not all(gpu in known for gpu in gpus):
        known |= dict(zip(_listed_gpus("uuid"), names, strict=False))
    found = [_named(gpu, known) for gpu in gpus]
    return [name for name in found if name] if all(found) else []


def _named(gpu: str, known: Mapping[str, str]) -> str | None:
    """The name of a GPU; CUDA takes the beginning of a UUID for it, if no other begins so."""
    if gpu in known:
        return known[gpu]
    names = [
        name for word, name in known.items() if gpu.startswith("GPU-") and word.startswith(gpu)
    ]
    return names[0] if len(names) == 1 else None


def _listed_gpus(field: str = "index") -> list[str]:
    query = shutil.which("nvidia-smi")
    if query is None:
        return []
    command = [query, f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  (no shell, fixed arguments)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return found.stdout.splitlines() if found.returncode == 0 else []


@cache
def device_name() -> str:
    """The product name of a GPU, or else of the processor, as results record it."""
    if find_gpus():
        return next(iter(_listed_gpus("name")), "")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def available_cores() -> int:
    """Number of cores that this process may use, by its affinity and its container's limit."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cores = os.cpu_count() or 1
    return max(1, min(cores, _container_limit() or cores))


def _container_limit() -> int | None:
    """Whole cores that the control group allows; None without a limit."""
    for quota_file, period_file in (
        ("/sys/fs/cgroup/cpu.max", None),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ):
        try:
            words = Path(quota_file).read_text().split()
            words += Path(period_file).read_text().split() if period_file else []
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            continue
        if quota > 0:
            return max(1, quota // period)
    return None

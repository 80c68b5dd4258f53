"""How many runs this machine can train at once, found without importing torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from sweep.errors import ExecutionError


@dataclass(frozen=True)
class Slot:
    """A place for one run."""

    name: str
    device: str
    threads: int
    environment: dict[str, str] = field(default_factory=dict)


def find_slots(number: int | None = None, per_run: int = 1) -> list[Slot]:
    """One slot per `per_run` GPUs, or cores when there is no GPU; `number` overrides how many.

    Without GPUs a run's processes may outnumber the cores: they only try a study out.
    Raises ExecutionError when more are asked for than there are GPUs, or slots than cores.
    """
    gpus, cores = find_gpus(), available_cores()
    available, unit = (len(gpus), "GPUs") if gpus else (cores, "cores")
    most = available // per_run if gpus else max(1, available // per_run)
    if not most:
        raise ExecutionError(
            f"jobs.gpus_per_run = {per_run} is not possible here; this machine has {available} "
            f"{unit}, so 1 to {available} are allowed"
        )
    wanted = most if number is None else number
    if not 1 <= wanted <= most:
        shared = f", {per_run} for each run" if per_run > 1 else ""
        raise ExecutionError(
            f"--slots {wanted} is not possible here; this machine has {available} {unit}{shared}, "
            f"so 1 to {most} are allowed"
        )
    threads = max(1, cores // wanted)
    if gpus:
        groups = [gpus[first : first + per_run] for first in range(0, wanted * per_run, per_run)]
        return [
            Slot(
                f"gpu {'+'.join(group)}", "cuda", threads, {"CUDA_VISIBLE_DEVICES": ",".join(group)}
            )
            for group in groups
        ]
    return [Slot(f"cpu {index}", "cpu", threads) for index in range(wanted)]


def find_gpus() -> list[str]:
    """The NVIDIA GPUs that may be used, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip() not in {"", "-1"}]
    query = shutil.which("nvidia-smi")
    if query is None:
        return []
    command = [query, "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603  (no shell, fixed arguments)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return found.stdout.split() if found.returncode == 0 else []


def available_cores() -> int:
    """Cores that this process may use: its affinity, and its container's share."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cores = os.cpu_count() or 1
    return max(1, min(cores, _container_share() or cores))


def _container_share() -> int | None:
    """Whole cores that a control group allows, if it sets a limit."""
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

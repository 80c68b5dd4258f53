"""Overhead of a script's run: a command that does nothing, through the whole path of `sweep run`.

    python benchmarks/overhead.py --only scripts

Beside it, `xargs -P` starts the same command as often, with as many processes at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from sqlalchemy import func, select

from sweep.executors.slots import find_slots
from sweep.store.schema import attempts
from sweep.store.store import Store
from sweep.store.url import store_url

PROMISED_RATE = 30.0
"""Runs a second on two cores."""
ARMS = 4
STUDY = """\
name = "nothing"
[trainer]
command = ["/bin/echo", "loss {{seed}}{{level}}"]
[parameters]
level = 0
[metrics.loss]
source = {{ regex = 'loss (\\d+)' }}
direction = "minimize"
[design]
seeds = {seeds}
[analysis]
smallest_effect = 0.1
"""
INTERVENTION = '[interventions.level-{level}]\nset = {{ level = {level} }}\nbecause = "Nothing."\n'


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Rates of runs a second."""

    runs: int
    slots: int
    rate: float
    """From the first claim to the end of the last run."""
    xargs: float
    load: float
    """Processes that wanted to run at the end of it, by the load average of a minute."""


def measure(folder: Path, seeds: int = 100) -> Overhead:
    """Run a study of `ARMS` arms in a folder, then the same command from xargs."""
    study = folder / "nothing.toml"
    arms = "".join(INTERVENTION.format(level=level) for level in range(1, ARMS))
    study.write_text(STUDY.format(seeds=seeds) + arms)
    command = [sys.executable, "-m", "sweep", "run", str(study), "--runs", str(folder / "runs")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with Store(store_url(None, folder / "runs")).begin() as connection:
        number, first, last = connection.execute(
            select(func.count(), func.min(attempts.c.claimed), func.max(attempts.c.ended))
        ).one()
    slots = len(find_slots())
    return Overhead(
        runs=number,
        slots=slots,
        rate=number / (last - first),
        xargs=_xargs(number, slots),
        load=os.getloadavg()[0],
    )


def _xargs(number: int, slots: int) -> float:
    """Runs a second of the same command from xargs."""
    lines = "".join(f"{seed}\n" for seed in range(number)).encode()
    command = ["xargs", f"-P{slots}", "-n1", "/bin/echo", "loss"]
    began = time.perf_counter()
    subprocess.run(command, input=lines, check=True, stdout=subprocess.DEVNULL)
    return number / (time.perf_counter() - began)


def print_overhead(found: Overhead) -> None:
    """Print the figures, and whether the promise is kept."""
    kept = "kept" if found.rate >= PROMISED_RATE else "NOT kept"
    print(
        f"a command that does nothing, {found.runs} runs in {found.slots} slots: {found.rate:.1f} "
        f"runs a second (promised {PROMISED_RATE:g} on two idle cores: {kept}; load {found.load:.1f})"
    )
    print(f"{f'the same from xargs -P{found.slots}':<40} {found.xargs:.0f} runs a second")

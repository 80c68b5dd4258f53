"""The gates that the verdicts are held to: error rate, power, coverage, published numbers, A/A.

    python benchmarks/statistics.py                  # all of them, in at most 15 minutes
    python benchmarks/statistics.py --check          # and fail when one is not kept
    python benchmarks/statistics.py --only paired    # one gate; repeat it for more

Most gates simulate thousands of studies at once, through the functions that judge a real one. Each
simulated rate has its 99% Monte Carlo interval. `benchmarks/gates/registry.py` lists the gates. One
of them trains the default study's baseline, shortened, eighty times, and deals its runs out as if
they were arms.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else this file would pass for Python's own `statistics`

import argparse
import time

from benchmarks.gates.gate import Gate, Measured, Settings
from benchmarks.gates.printing import told
from benchmarks.gates.registry import GATES

STUDIES, DEALS = 4000, 1000
STUDY = ROOT / "studies" / "interventions.toml"
REFERENCE = ROOT.parent / "shared" / "data" / "reference_interventions.csv"


def measure(gate: Gate, settings: Settings) -> Measured:
    """Measure one gate and its time."""
    started = time.monotonic()
    found = gate.measure(settings)
    return Measured(gate, found, time.monotonic() - started)


def main() -> None:
    """Print every gate as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated, per cell")
    parser.add_argument("--study", type=Path, default=STUDY, help="whose baseline is trained")
    parser.add_argument("--tokens", type=int, default=30_000, help="per trained run; 0: train none")
    parser.add_argument("--deals", type=int, default=DEALS, help="of the trained runs")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="published single runs")
    parser.add_argument("--only", choices=[gate.name for gate in GATES], action="append")
    parser.add_argument("--every", action="store_true", help="print every figure")
    parser.add_argument("--check", action="store_true", help="fail when a gate is not kept")
    arguments = parser.parse_args()
    settings = Settings(
        studies=arguments.studies,
        study=arguments.study.resolve(),
        tokens=arguments.tokens,
        deals=arguments.deals,
        reference=arguments.reference,
    )
    started = time.monotonic()
    kept = True
    for gate in GATES:
        if arguments.only and gate.name not in arguments.only:
            continue
        measured = measure(gate, settings)
        kept = kept and measured.kept
        print(told(measured, every=arguments.every), flush=True)
    print(f"{time.monotonic() - started:.0f} s in all")
    if arguments.check and not kept:
        sys.exit(1)


if __name__ == "__main__":
    main()

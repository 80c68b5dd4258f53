"""Kill the processes of studies at random for some minutes; nothing may be lost or done twice.

    python benchmarks/faults.py --minutes 5

Small studies are run one after the other while a monkey kills, with SIGKILL, the scheduler (also
at the moment of a database commit), the fork server, and runs (mostly inside a checkpoint). After
each kill of a scheduler the command is started again. Each study must end like an
undisturbed one: every run done once, every loss and curve the same to the last bit, the
database whole, no process and no temporary file left. Exits with status 1 if a study does not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from benchmarks.monkey import Tally, Torment, differences, small_study, undisturbed

STEPS = 100
SEEDS = 8


def main() -> int:
    """Disturb studies until the time is over, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    study = small_study(STEPS, SEEDS)
    until = time.monotonic() + 60 * arguments.minutes
    rng = random.Random(arguments.seed)
    total, wrong, peace = Tally(), [], list[float]()
    with tempfile.TemporaryDirectory() as name:
        while time.monotonic() < until:  # in turns, so that both have the machine as it is
            calm, wild = (Path(name) / f"{kind}-{len(peace)}" for kind in ("calm", "wild"))
            peace.append(undisturbed(calm, study))
            torment = Torment(wild, study, rng, peace[-1])
            torment.run(until - time.monotonic())
            wrong += torment.left_over() + differences(wild, calm)
            total.add(torment.tally)
    print("\n".join(told(total, peace)))
    print("\n".join(wrong) or "Every study ended like an undisturbed one.")
    return int(bool(wrong))


def told(total: Tally, peace: Sequence[float]) -> list[str]:
    """The figures, for people; `peace`: seconds of the undisturbed studies."""
    kills = {kind: number for kind, number in total.kills.items() if not kind.startswith(".")}
    by_kind = ", ".join(f"{number} of a {kind}" for kind, number in sorted(kills.items()))
    in_checkpoint, steps = total.kills["... in a checkpoint"], total.runs * STEPS
    lost = total.seconds - sum(peace)
    return [
        f"{total.killed} kills: {by_kind}; {in_checkpoint} runs in a checkpoint",
        f"{len(peace)} studies with {total.runs} runs: {total.resumes} resumes",
        f"{total.steps_lost} of {steps} steps lost, and taken again",
        f"{lost:.0f} of {total.seconds:.0f} s lost, {lost / total.killed:.2f} s a kill",
        f"(an undisturbed study, in turns with these, takes {sum(peace) / len(peace):.1f} s)",
        f"what hung from a killed process lived on for {total.slowest_end:.2f} s at most",
    ]


if __name__ == "__main__":
    sys.exit(main())

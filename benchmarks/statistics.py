"""The gates that the verdicts are held to: error rate, power, coverage, published numbers, A/A.

    python benchmarks/statistics.py                  # all of them, in a few minutes
    python benchmarks/statistics.py --check          # and fail when one is not kept

Gates 1 to 3 simulate thousands of studies at once (`benchmarks/simulation.py`). Gate 6 trains the
default study's baseline, shortened, eighty times, and deals its runs out as if they were arms
(`benchmarks/same_recipe.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else this file would pass for Python's own `statistics`

import argparse
import tempfile
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.dunnett import dunnett
from analysis.effects import paired_t, prediction_t, welch_t
from analysis.multiplicity import adjust
from analysis.noise import noise
from analysis.variance.estimate import variance_components
from analysis.variance.factorial import factorial_effects
from benchmarks.published import BLOOD, DYESTUFF, FILTRATION, SLEEP_1, SLEEP_2
from benchmarks.simulation import (
    ALPHA,
    ARMS,
    COVERAGE,
    EFFECTS,
    FAMILYWISE,
    POWER,
    SCENARIOS,
    SDS,
    SEEDS,
    null_studies,
    power,
)

STUDIES, DEALS = 4000, 1000
STUDY = ROOT / "studies" / "interventions.toml"
REFERENCE = ROOT.parent / "shared" / "data" / "reference_interventions.csv"
PLACED = {
    "gradient-clipping": 0.78,
    "float32": 0.72,
    "qkv-bias": 0.71,
    "weight-decay-0.01": 0.056,
    "no-dropout": 0.047,
    "lr-schedule": 0.0016,
}
REMAIN = {"lr-schedule", "weight-tying", "weight-decay-0.337"}


@dataclass(frozen=True)
class Line:
    """One figure and whether its gate is kept."""

    gate: int
    what: str
    figure: str
    kept: bool


def simulated(studies: int) -> list[Line]:
    """Gates 1 and 3, each cell of them."""
    lines, (low, high) = [], COVERAGE
    for name, seeds, arms in [(n, s, a) for n in SCENARIOS for s in SEEDS for a in ARMS]:
        found = null_studies(name, seeds, arms, studies)
        wrong, covered = found.familywise, found.coverage
        cell = f"{name}, {seeds} seeds, {arms} arms"
        lines += [
            Line(1, f"familywise error: {cell}", f"{wrong:.4f}", wrong <= FAMILYWISE),
            Line(3, f"coverage: {cell}", f"{covered:.4f}", low <= covered <= high),
        ]
    return lines


def powers(studies: int) -> list[Line]:
    """Gate 2: the unequal study with its effects, at three seeds."""
    return [
        Line(2, f"power: effect {effect:+.4f}, sd {sd:.4f}", f"{share:.4f}", bool(share >= POWER))
        for effect, sd, share in zip(EFFECTS, SDS, power(studies), strict=True)
        if effect != 0
    ]


def published() -> list[Line]:
    """Gate 4: figures in print. The tests of `analysis` have more of them, with their sources."""
    paired, welch = paired_t(np.subtract(SLEEP_1, SLEEP_2)), welch_t(SLEEP_1, SLEEP_2)
    blood = dunnett(
        pd.DataFrame(
            [(arm, i, loss) for arm, losses in BLOOD.items() for i, loss in enumerate(losses)],
            columns=["arm", "seed", "loss"],
        ).assign(status="done")
    )
    batches = pd.DataFrame({"batch": np.repeat(range(6), 5), "loss": DYESTUFF})
    dye = variance_components(batches, ["batch"])
    runs = pd.DataFrame([[i >> k & 1 for k in range(4)] for i in range(16)], columns=list("ABCD"))
    filtration = factorial_effects(runs.assign(loss=FILTRATION), list("ABCD"))
    adjusted = {
        method: float(adjust([0.01, 0.02, 0.03, 0.04, 0.05], method)[1])
        for method in ("holm", "bh", "bonferroni")
    }
    return [
        _equal("sleep, paired t (R)", paired.t, -4.0621, 5e-5),
        _equal("sleep, its p (R)", paired.p, 0.002833, 5e-7),
        _equal("sleep, Welch t (R)", welch.t, -1.8608, 5e-5),
        _equal("sleep, its p (R)", welch.p, 0.07939, 5e-6),
        _equal("blood counts, drug A (Dunnett 1955, by scipy)", blood["drug A"].p, 0.6201, 1e-4),
        _equal("blood counts, drug B", blood["drug B"].p, 0.0058, 5e-5),
        _equal("Dyestuff, batch variance (lme4)", dye["batch"].variance, 1764.05, 5e-3),
        _equal("Dyestuff, residual sd (lme4)", dye["residual"].sd, 49.510, 5e-4),
        _equal("filtration rate, A (Montgomery)", filtration["A"], 21.625, 5e-4),
        _equal("filtration rate, AC", filtration["A:C"], -18.125, 5e-4),
        _equal("p.adjust, holm (R)", adjusted["holm"], 0.08, 1e-12),
        _equal("p.adjust, BH (R)", adjusted["bh"], 0.05, 1e-12),
        _equal("p.adjust, bonferroni (R)", adjusted["bonferroni"], 0.10, 1e-12),
    ]


def reference(path: Path) -> list[Line]:
    """Gate 5: the published single runs; nothing where the file is absent."""
    if not path.exists():
        return []
    losses = {str(arm): rows for arm, rows in pd.read_csv(path).groupby("arm", sort=False)["loss"]}
    baseline = losses.pop("baseline")
    sigma = noise(baseline)
    placed = {arm: prediction_t(float(rows.iloc[0]), baseline).p for arm, rows in losses.items()}
    holm = dict(zip(placed, adjust(list(placed.values()), "holm").tolist(), strict=True))
    remain = {arm for arm, p in holm.items() if p < ALPHA}
    return [
        _equal("noise sd", sigma.sd, 0.01234, 5e-6, gate=5),
        _equal("its interval from", sigma.ci_low, 0.00795, 5e-6, gate=5),
        _equal("to", sigma.ci_high, 0.02717, 5e-6, gate=5),
        *(
            _equal(f"prediction t, {arm}", placed[arm], p, 5e-3 if p > 0.1 else 6e-4, gate=5)
            for arm, p in PLACED.items()
        ),
        _equal("after Holm, lr-schedule", holm["lr-schedule"], 0.0094, 6e-5, gate=5),
        Line(5, "after Holm remain", ", ".join(sorted(remain)), remain == REMAIN),
    ]


def same_recipe(study: Path, tokens: int, deals: int) -> list[Line]:
    """Gate 6: real runs of one recipe as a baseline and seven arms of five seeds."""
    from benchmarks import same_recipe as real  # noqa: PLC0415  (only this gate trains)

    kinds = {
        "arms with seeds of their own, unpaired": (real.own_seeds(), False),
        "placebo arms that change the dropout stream, paired": (real.placebos(), True),
    }
    with tempfile.TemporaryDirectory() as name:
        losses = {
            kind: (real.train(study, seeds, tokens, Path(name)), paired)
            for kind, (seeds, paired) in kinds.items()
        }
    # A rate of FAMILYWISE shows as more than this in one of forty benchmarks.
    limit = FAMILYWISE + 2 * (FAMILYWISE * (1 - FAMILYWISE) / deals) ** 0.5
    lines = []
    for kind, (found, paired) in losses.items():
        as_run = real.judged(found, paired=paired)
        gains = [row.pairing_gain for row in as_run.arms[1:] if row.pairing_gain is not None]
        saved = f"; pairing is worth {np.median(gains):.1f} times the runs" if gains else ""
        decided = f"{real.wrong(as_run)} of {real.ARMS - 1} arms better or worse{saved}"
        rate = real.error_rate(found, deals, paired=paired)
        lines += [
            # One study in twenty may have a wrong arm; two in one study are beyond that rate.
            Line(6, f"{kind}, as run", decided, real.wrong(as_run) <= 1),
            Line(6, f"{kind}, dealt {deals:,} times: any", f"{rate:.4f}", rate <= limit),
        ]
    return lines


def _equal(what: str, found: float, expected: float, within: float, gate: int = 4) -> Line:
    kept = abs(found - expected) <= within
    return Line(gate, what, f"{found:.7g}, published {expected:g}", kept)


def report(lines: list[Line], *, every: bool) -> str:
    """All figures, or of gates 1 and 3 only the broken ones and the extremes."""
    out = []
    for gate in sorted({line.gate for line in lines}):
        mine = [line for line in lines if line.gate == gate]
        broken = [line for line in mine if not line.kept]
        kept = f"NOT KEPT: {len(broken)} of {len(mine)} figures" if broken else "kept"
        out.append(f"gate {gate}: {kept}" + ("" if broken else f", {len(mine)} figures"))
        by_figure = sorted(mine, key=lambda line: line.figure)
        extremes = [by_figure[0], by_figure[-1]]
        shown = mine if every or gate not in (1, 3) else dict.fromkeys([*extremes, *broken])
        out += [f"  {'    ' if line.kept else 'NOT '}{line.what}: {line.figure}" for line in shown]
    return "\n".join(out)


def main() -> None:
    """Print every gate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated, per cell")
    parser.add_argument("--study", type=Path, default=STUDY, help="whose baseline gate 6 trains")
    parser.add_argument("--tokens", type=int, default=30_000, help="per run of gate 6; 0 omits it")
    parser.add_argument("--deals", type=int, default=DEALS, help="of the runs of gate 6")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="the runs of gate 5")
    parser.add_argument("--every", action="store_true", help="print every cell of gates 1 and 3")
    parser.add_argument("--check", action="store_true", help="fail when a gate is not kept")
    arguments = parser.parse_args()
    started = time.monotonic()
    lines = simulated(arguments.studies) + powers(arguments.studies) + published()
    lines += reference(arguments.reference)
    if arguments.tokens:
        lines += same_recipe(arguments.study.resolve(), arguments.tokens, arguments.deals)
    print(report(lines, every=arguments.every))
    for gate, reason in ((5, f"{arguments.reference} is absent"), (6, "--tokens 0")):
        if not any(line.gate == gate for line in lines):
            print(f"gate {gate}: not tried ({reason})")
    print(f"{time.monotonic() - started:.0f} s in all")
    if arguments.check and not all(line.kept for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()

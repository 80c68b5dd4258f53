"""Measure how many seeds pairing saves, by arm, at several training lengths.

    python benchmarks/pairing.py                     # the default study, 5 seeds, three lengths
    python benchmarks/pairing.py --runs DIR          # keep the runs, and go on where it stopped

For each arm and length: the correlation of its losses with the baseline's over the seeds, the
variance ratio (var arm + var baseline) / var difference, and the seeds that Welch's t and the
moderated paired t would need to see the effect with 80% power at the level of the whole family,
if the measured effect and spread are the true ones.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

import sweep
from analysis.comparison import Comparison, learn_prior
from analysis.effects import Estimate, moments
from analysis.moderation import Prior
from analysis.power import MAX_SEEDS, Precision, paired_precision, t_power, unpaired_precision
from analysis.runs import read_runs
from sweep.study.file import load_study

LENGTHS = (100_000, 300_000, 900_000)
ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Row:
    """Measurements of one arm at one length."""

    arm: str
    tokens: int
    effect: float
    correlation: float | None
    ratio: float | None
    """(var arm + var baseline) / var difference."""
    welch: int | None
    """Seeds per arm; None for more than `MAX_SEEDS`."""
    paired: int | None


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT / "studies" / "interventions.toml"
    parser.add_argument("study", type=Path, nargs="?", default=default)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, metavar="N")
    parser.add_argument("--runs", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.runs or Path(name)
        rows = [
            row
            for tokens in sorted(arguments.tokens)
            for row in measure(arguments.study.resolve(), tokens, folder)
        ]
    print(table(rows))


def measure(study: Path, tokens: int, folder: Path) -> list[Row]:
    """The arms of the study, trained on `tokens`."""
    words = ["run", str(study), "--runs", str(folder), *_override(study, tokens)]
    subprocess.run([sys.executable, "-m", "sweep", *words], check=True, stdout=sys.stderr)
    frame = sweep.load(runs=folder)
    names = list(dict.fromkeys(frame["arm"]))
    runs = read_runs(frame[["arm", "seed", "loss", "status"]], names)
    comparisons = [Comparison(runs[arm], runs[names[0]]) for arm in names[1:]]
    prior, level = learn_prior(comparisons), ALPHA / len(comparisons)
    return [_row(comparison, prior, level, tokens) for comparison in comparisons]


def _override(study: Path, tokens: int) -> list[str]:
    """None where the study asks for that budget itself."""
    same = load_study(study).baseline.train.tokens == tokens
    return [] if same else ["--override", f"train.tokens={tokens}"]


def _row(comparison: Comparison, prior: Prior, level: float, tokens: int) -> Row:
    decided = comparison.moderated(prior) or comparison.paired
    sides = [moments(side.observed)[1] for side in (comparison.arm, comparison.baseline)]
    effect = comparison.effect or 0.0
    unpaired = unpaired_precision(sides[0], 2, sides[1], 2)
    return Row(
        arm=comparison.arm.arm,
        tokens=tokens,
        effect=effect,
        correlation=comparison.correlation,
        ratio=comparison.pairing_gain,
        welch=_seeds(effect, unpaired, level),
        paired=_seeds(effect, _paired(decided, len(comparison.seeds)), level) if decided else None,
    )


def _paired(estimate: Estimate, n: int) -> Precision:
    """From two pairs on, as `unpaired_precision` counts them."""
    sd, lent = estimate.standard_error * math.sqrt(n), estimate.df - (n - 1)
    return paired_precision(sd, 2, lent)


def _seeds(effect: float, precision: Precision, level: float) -> int | None:
    """The smallest number of seeds, from two, that sees the effect."""
    for seeds in range(2, MAX_SEEDS + 1):
        if t_power(effect, *precision(seeds - 2), level) >= POWER:
            return seeds
    return None


def table(rows: list[Row]) -> str:
    """In Markdown, the lengths of an arm below each other."""
    head = "| arm | tokens | effect | correlation | variance ratio | Welch needs | paired needs |"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|"]
    arms = dict.fromkeys(row.arm for row in rows)
    for row in sorted(rows, key=lambda row: (list(arms).index(row.arm), row.tokens)):
        numbers = [
            f"{row.tokens:,}",
            f"{row.effect:+.4f}",
            "" if row.correlation is None else f"{row.correlation:.3f}",
            "" if row.ratio is None else f"{row.ratio:,.1f}",
            *(f"over {MAX_SEEDS:,}" if n is None else f"{n:,}" for n in (row.welch, row.paired)),
        ]
        lines.append(f"| {row.arm} | {' | '.join(numbers)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

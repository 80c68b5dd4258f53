"""The gates that the verdicts are held to: error rate, power, coverage, published numbers, A/A.

    python benchmarks/statistics.py                  # all of them, in a few minutes
    python benchmarks/statistics.py --check          # and fail when one is not kept

Gates 1 to 3 simulate thousands of studies at once, through the functions that judge one
(`tests/analysis/test_gates.py` holds the two together, study by study). Gate 6 trains the default
study's baseline, shortened, on many seeds and deals its runs out as if they were arms.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else this file would pass for Python's own `statistics`

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from analysis.dunnett import dunnett
from analysis.effects import paired_t, welch_t
from analysis.factorial import factorial_effects
from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust
from analysis.noise import noise
from analysis.variance import variance_components
from analysis.verdict import Plan, judge

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

ALPHA, STUDIES = 0.05, 4000
FAMILYWISE, POWER, COVERAGE = 0.06, 0.80, (0.94, 0.97)
BASELINE_SD = 0.012
SDS = np.array([0.0025, 0.0063, 0.0030, 0.0091, 0.0003, 0.0006, 0.0188, 0.0075])
EFFECTS = np.array([-0.0108, -0.031, 0.0, -0.0465, -0.0041, 0.0123, 0.415, -0.1336])
SEEDS, ARMS = (3, 5, 7), (2, 3, 4, 8, 16)
REFERENCE = ROOT.parent / "shared" / "data" / "reference_interventions.csv"


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return generator.standard_normal(shape)


def t4(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Heavy tails, with variance 1."""
    return generator.standard_t(4, shape) / np.sqrt(2)


@dataclass(frozen=True)
class Scenario:
    """How the paired differences of a study without effects are drawn."""

    draw: Draw
    correlation: float | None = None
    """Of arm and baseline, equally noisy; None for `SDS`, each arm's own spread."""

    def differences(self, generator: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
        """Shape (studies, seeds, arms), nats. Equally noisy arms share the baseline's runs."""
        own = self.draw(generator, shape)
        if self.correlation is None:
            return np.resize(SDS, shape[2]) * own
        baseline = self.draw(generator, (*shape[:2], 1))
        return BASELINE_SD * np.sqrt(1 - self.correlation) * (own - baseline)


SCENARIOS = {
    "equal, correlation 0": Scenario(normal, 0.0),
    "equal, correlation 0.5": Scenario(normal, 0.5),
    "equal, correlation 0.8": Scenario(normal, 0.8),
    "equal, t(4)": Scenario(t4, 0.5),
    "unequal": Scenario(normal),
    "unequal, t(4)": Scenario(t4),
}


@dataclass(frozen=True)
class Decisions:
    """What the default test says of every arm of many studies; each of shape (studies, arms)."""

    effect: Floats
    margin: Floats
    """Half the width of the 1 - alpha interval."""
    p_adjusted: Floats

    @classmethod
    def on(cls, differences: Floats) -> Decisions:
        """On paired differences of shape (studies, seeds, arms), in nats."""
        seeds = differences.shape[1]
        variances = differences.var(axis=1, ddof=1)
        moderated, df = moderate(variances, seeds - 1, fit_prior(variances, seeds - 1))
        effect, error = differences.mean(axis=1), np.sqrt(moderated / seeds)
        p = 2 * stdtr(df, -np.abs(effect) / error)
        return cls(effect, -stdtrit(df, ALPHA / 2) * error, adjust(p, "holm"))

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Better or worse, where every effect matters."""
        return self.p_adjusted < ALPHA


@dataclass(frozen=True)
class Line:
    """One figure and whether its gate is kept."""

    gate: int
    what: str
    figure: str
    kept: bool


def decisions(name: str, seeds: int, arms: int, studies: int) -> Decisions:
    """Of the null studies of one cell; the same ones whenever it is asked for."""
    generator = np.random.default_rng([list(SCENARIOS).index(name), seeds, arms])
    return Decisions.on(SCENARIOS[name].differences(generator, (studies, seeds, arms)))


def simulated(studies: int) -> list[Line]:
    """Gates 1 and 3, each cell of them."""
    lines = []
    for name in SCENARIOS:
        for seeds in SEEDS:
            for arms in ARMS:
                found = decisions(name, seeds, arms, studies)
                wrong = float(found.decided.any(axis=1).mean())
                covered = float((np.abs(found.effect) <= found.margin).mean())
                cell = f"{name}, {seeds} seeds, {arms} arms"
                low, high = COVERAGE
                lines += [
                    Line(1, f"familywise error: {cell}", f"{wrong:.4f}", wrong <= FAMILYWISE),
                    Line(3, f"coverage: {cell}", f"{covered:.4f}", low <= covered <= high),
                ]
    return lines


def power(studies: int) -> list[Line]:
    """Gate 2: the unequal study with its effects, at three seeds."""
    generator = np.random.default_rng(2)
    noise_ = SCENARIOS["unequal"].differences(generator, (studies, 3, EFFECTS.size))
    seen = Decisions.on(noise_ + EFFECTS).decided.mean(axis=0)
    return [
        Line(2, f"power: effect {effect:+.4f}, sd {sd:.4f}", f"{share:.4f}", bool(share >= POWER))
        for effect, sd, share in zip(EFFECTS, SDS, seen, strict=True)
        if effect != 0
    ]


def published() -> list[Line]:
    """Gate 4: figures in print. The tests of `analysis` have more of them, with their sources."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    paired, welch = paired_t(np.subtract(first, second)), welch_t(first, second)
    counts = {
        "baseline": [7.40, 8.50, 7.20, 8.24, 9.84, 8.32],
        "A": [9.76, 8.80, 7.68, 9.36],
        "B": [12.80, 9.68, 12.16, 9.20, 10.55],
    }
    yields = [
        *(1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510),
        *(1560, 1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450),
        *(1480, 1445),
    ]
    dye = variance_components(
        pd.DataFrame({"batch": np.repeat(range(6), 5), "loss": yields}), ["batch"]
    )
    rates = [45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96]
    runs = pd.DataFrame([[i >> k & 1 for k in range(4)] for i in range(16)], columns=list("ABCD"))
    filtration = factorial_effects(runs.assign(loss=rates), list("ABCD"))
    blood = dunnett(_frame(counts))
    return [
        _equal("sleep, paired t (R)", paired.t, -4.0621, 5e-5),
        _equal("sleep, its p (R)", paired.p, 0.002833, 5e-7),
        _equal("sleep, Welch t (R)", welch.t, -1.8608, 5e-5),
        _equal("sleep, its p (R)", welch.p, 0.07939, 5e-6),
        _equal("blood counts, drug A (Dunnett 1955)", blood["A"].p, 0.6201, 3e-4),
        _equal("blood counts, drug B", blood["B"].p, 0.0058, 3e-4),
        _equal("Dyestuff, batch variance (lme4)", dye["batch"].variance, 1764.05, 5e-3),
        _equal("Dyestuff, residual sd (lme4)", dye["residual"].sd, 49.510, 5e-4),
        _equal("filtration rate, A (Montgomery)", filtration["A"], 21.625, 5e-4),
        _equal("filtration rate, AC", filtration["A:C"], -18.125, 5e-4),
        *(
            _equal(f"p.adjust, {method} (R)", value, expected, 1e-12)
            for method, expected in (("holm", 0.08), ("bh", 0.05), ("bonferroni", 0.10))
            for value in [float(adjust([0.01, 0.02, 0.03, 0.04, 0.05], method)[1])]
        ),
    ]


def reference() -> list[Line]:
    """Gate 5: the published single runs; nothing where the file is absent."""
    if not REFERENCE.exists():
        return []
    runs = pd.read_csv(REFERENCE).assign(status="done")
    arms = tuple(dict.fromkeys(runs["arm"][runs["arm"] != "baseline"]))
    sigma = noise(runs["loss"][runs["arm"] == "baseline"])
    placed = {arm: _prediction(runs, arm) for arm in arms}
    holm = dict(zip(arms, adjust(list(placed.values()), "holm").tolist(), strict=True))
    expected = {
        "gradient-clipping": 0.78,
        "float32": 0.72,
        "qkv-bias": 0.71,
        "weight-decay-0.01": 0.056,
        "no-dropout": 0.047,
        "lr-schedule": 0.0016,
    }
    remain = {arm for arm, p in holm.items() if p < ALPHA}
    return [
        _gate5("noise sd", sigma.sd, 0.01234, 5e-6),
        _gate5("its interval from", sigma.ci_low, 0.00795, 5e-6),
        _gate5("to", sigma.ci_high, 0.02717, 5e-6),
        *(
            _gate5(f"prediction t, {arm}", placed[arm], p, 5e-3 if p > 0.1 else 6e-4)
            for arm, p in expected.items()
        ),
        _gate5("after Holm, lr-schedule", holm["lr-schedule"], 0.0094, 6e-5),
        Line(
            5,
            "after Holm remain",
            ", ".join(sorted(remain)),
            remain == {"lr-schedule", "weight-tying", "weight-decay-0.337"},
        ),
    ]


def _prediction(runs: pd.DataFrame, arm: str) -> float:
    from analysis.effects import prediction_t  # noqa: PLC0415

    baseline = runs["loss"][runs["arm"] == "baseline"]
    return prediction_t(float(runs["loss"][runs["arm"] == arm].iloc[0]), baseline).p


def same_recipe(runs: int, tokens: int, deals: int) -> list[Line]:
    """Gate 6: real runs of one recipe, dealt out as a baseline and seven arms of five seeds."""
    losses = train(runs, tokens)
    return [
        _errors(losses, deals, "arms with seeds of their own (Welch)", paired=False),
        _errors(losses, deals, "placebo arms: the baseline's seed, other streams", paired=True),
    ]


def _errors(losses: Floats, deals: int, what: str, *, paired: bool) -> Line:
    """The share of deals in which any arm is called better or worse, and how sure that is."""
    generator = np.random.default_rng(6)
    arms, seeds = losses.size // 5, 5
    names = ["baseline", *(f"arm-{i}" for i in range(1, arms))]
    plan = Plan(arms=tuple(names[1:]), smallest_effect=0.0)
    numbers = np.arange(arms * seeds).reshape(arms, seeds)
    frame = pd.DataFrame(
        {
            "arm": np.repeat(names, seeds),
            "seed": (numbers % seeds if paired else numbers).ravel(),
            "status": "done",
        }
    )
    wrong = 0
    for _ in range(deals):
        dealt = frame.assign(loss=generator.permutation(losses)[: arms * seeds])
        wrong += any(row.verdict in ("better", "worse") for row in judge(dealt, plan).arms)
    share, error = wrong / deals, (ALPHA * (1 - ALPHA) / deals) ** 0.5
    figure = f"{share:.4f} of {deals} deals of {losses.size} runs"
    return Line(6, what, figure, share <= FAMILYWISE + 2 * error)


def train(runs: int, tokens: int) -> Floats:
    """Test losses of the default study's baseline on seeds 1 to `runs`, in nats."""
    import sweep  # noqa: PLC0415  (only this gate needs it)

    study = (ROOT / "studies" / "interventions.toml").read_text()
    head, _, rest = study.partition("[interventions.")
    design = rest[rest.index("[design]") :].replace("seeds = 5", f"seeds = {runs}", 1)
    # A study must have an intervention; this one costs a step of each seed.
    short = (
        '[interventions.short]\nbecause = "A study has one."\nset = { "train.tokens" = 1024 }\n\n'
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "same.toml"
        path.write_text(head + short + design)
        words = ["run", str(path), "--runs", name, "--override", f"train.tokens={tokens}"]
        subprocess.run(
            [sys.executable, "-m", "sweep", *words],
            check=True,
            stdout=sys.stderr,
            cwd=ROOT,
        )
        frame = sweep.load(runs=name)
    return frame["loss"][frame["arm"] == "baseline"].to_numpy(float)


def _frame(arms: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(arm, seed, loss) for arm, losses in arms.items() for seed, loss in enumerate(losses)]
    return pd.DataFrame(rows, columns=["arm", "seed", "loss"]).assign(status="done")


def _equal(what: str, found: float, expected: float, within: float, gate: int = 4) -> Line:
    kept = abs(found - expected) <= within
    return Line(gate, what, f"{found:.7g}, published {expected:g}", kept)


def _gate5(what: str, found: float, expected: float, within: float) -> Line:
    return _equal(what, found, expected, within, gate=5)


def report(lines: list[Line], *, every: bool) -> str:
    """All figures, or of gates 1 and 3 only the broken ones and the extremes."""
    out = []
    for gate in sorted({line.gate for line in lines}):
        mine = [line for line in lines if line.gate == gate]
        broken = [line for line in mine if not line.kept]
        shown = mine
        if gate in (1, 3) and not every:
            by_figure = sorted(mine, key=lambda line: float(line.figure))
            shown = list(dict.fromkeys([by_figure[0], by_figure[-1], *broken]))
        verdict = "kept" if not broken else f"NOT KEPT in {len(broken)}"
        out.append(
            f"gate {gate}: {verdict} of {len(mine)}"
            if broken
            else f"gate {gate}: kept, {len(mine)} figures"
        )
        out += [f"  {'    ' if line.kept else 'NOT '}{line.what}: {line.figure}" for line in shown]
    return "\n".join(out)


def main() -> None:
    """Print every gate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated, per cell")
    parser.add_argument("--runs", type=int, default=40, help="trained for gate 6; 0 for none")
    parser.add_argument("--tokens", type=int, default=60_000, help="that each of them trains on")
    parser.add_argument("--every", action="store_true", help="print every cell of gates 1 and 3")
    parser.add_argument("--check", action="store_true", help="fail when a gate is not kept")
    arguments = parser.parse_args()
    started = time.monotonic()
    lines = simulated(arguments.studies) + power(arguments.studies) + published() + reference()
    if arguments.runs:
        lines += same_recipe(arguments.runs, arguments.tokens, deals=1000)
    print(report(lines, every=arguments.every))
    print(f"{time.monotonic() - started:.0f} s in all")
    if arguments.check and not all(line.kept for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()

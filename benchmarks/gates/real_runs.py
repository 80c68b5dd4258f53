"""The gate on real runs of one recipe, dealt out as a baseline and seven arms of five seeds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.gates.gate import NotTried, Settings
from benchmarks.gates.line import Line, Rate, at_most, is_true
from benchmarks.simulation import FAMILYWISE


def same_recipe(settings: Settings) -> list[Line] | NotTried:
    """Trains eighty runs; any arm that is called better or worse is called so wrongly."""
    if not settings.tokens:
        return NotTried("--tokens 0")
    from benchmarks import same_recipe as real  # noqa: PLC0415  (only this gate trains)

    kinds = {
        "arms with seeds of their own, unpaired": (real.own_seeds(), False),
        "placebo arms that change the dropout stream, paired": (real.placebos(), True),
    }
    lines = []
    with tempfile.TemporaryDirectory() as name:
        for kind, (seeds, paired) in kinds.items():
            losses = real.train(settings.study, seeds, settings.tokens, Path(name))
            lines += _lines(kind, losses, settings.deals, paired=paired)
    return lines


def _lines(kind: str, losses: list[float], deals: int, *, paired: bool) -> list[Line]:
    from benchmarks import same_recipe as real  # noqa: PLC0415  (only this gate trains)

    as_run = real.judged(losses, paired=paired)
    gains = [row.pairing_gain for row in as_run.arms[1:] if row.pairing_gain is not None]
    saved = f"; pairing is worth {np.median(gains):.1f} times the runs" if gains else ""
    wrong = real.wrong(as_run)
    decided = f"{wrong} of {real.ARMS - 1} arms better or worse{saved}"
    rate = Rate(round(deals * real.error_rate(losses, deals, paired=paired)), deals)
    return [
        # One study in twenty may have a wrong arm; two in one study are beyond that rate.
        is_true(f"{kind}, as run", decided, kept=wrong <= 1),
        at_most(f"{kind}, dealt {deals:,} times: any", rate, FAMILYWISE),
    ]

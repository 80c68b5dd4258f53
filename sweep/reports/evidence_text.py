"""Sentences on the evidence behind verdicts: confounders, test text, reproducibility, references."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.errors import listed
from sweep.terminal.printable import harmless
from sweep.terminal.units import two_digits
from sweep.verdicts.confounders import Confounder
from sweep.verdicts.equal_losses import EqualLosses
from sweep.verdicts.mixed_attempts import MixedRun
from sweep.verdicts.provenance import Provenance
from sweep.verdicts.references import Reference
from sweep.verdicts.reproducible import Reproducible
from sweep.verdicts.test_text import ChunkEffects
from trainer.words import counted, shortened, with_rest

MAX_ARMS = 6
"""Arms that the sentence on a confounder names."""
MAX_SEEDS = 5
"""Seeds with equal losses that the sentence on them names, for each arm."""
MAX_RUNS = 8
"""Runs that the sentence on mixed attempts names."""


def confounder_lines(confounders: Sequence[Confounder]) -> list[str]:
    """A sentence for each difference, with the arms that it concerns."""
    arms: dict[tuple[str, str, str], list[str]] = {}
    for each in confounders:
        names = arms.setdefault((each.what, each.value, each.baseline), [])
        names.append(f"{harmless(each.arm)} ({_runs(each.runs)})")
    return [
        f"Confounded by {harmless(what)}, {harmless(value)} where the baseline has "
        f"{harmless(other)}: {_first_arms(names)}."
        for (what, value, other), names in arms.items()
    ]


def mixed_attempt_lines(runs: Sequence[MixedRun]) -> list[str]:
    """The runs whose attempts differ, and in what; empty if there are none."""
    if not runs:
        return []
    told = []
    for run in runs[:MAX_RUNS]:
        what = "; ".join(f"{name} {value}" for name, value in run.differences.items())
        told.append(f"{harmless(run.arm)}/{run.seed} ({harmless(what)})")
    more = f" and {counted(len(runs) - MAX_RUNS, 'more run')}" if len(runs) > MAX_RUNS else ""
    line = (
        f"Confounded by attempts that differ: {', '.join(told)}{more}; training again would not give "
        "the same bits."
    )
    return [line]


def equal_loss_lines(equal: Sequence[EqualLosses]) -> list[str]:
    """The arms with seeds whose losses are equal to the last bit; empty if there are none."""
    if not equal:
        return []
    named = [f"{harmless(each.arm)} seeds {_seeds(each.seeds)} ({each.loss!r})" for each in equal]
    line = (
        f"Bit-identical losses of distinct seeds: {shortened(named, MAX_ARMS)}. Either the seed has no "
        "effect on these runs, or one run is listed under several seeds: then they are no evidence."
    )
    return [line]


def _seeds(seeds: Sequence[int]) -> str:
    words = list(map(str, seeds))
    return listed(words) if len(words) <= MAX_SEEDS else ", ".join(with_rest(words, MAX_SEEDS))


def _first_arms(names: Sequence[str]) -> str:
    more = f" and {counted(len(names) - MAX_ARMS, 'more arm')}" if len(names) > MAX_ARMS else ""
    return ", ".join(names[:MAX_ARMS]) + more


def split_lines(provenances: Sequence[Provenance]) -> list[str]:
    """How the text for testing was chosen; empty if no run recorded it."""
    rules = dict.fromkeys(harmless(found.split) for found in provenances if found.split)
    return [f"Split: {'; or '.join(rules)}."] if rules else []


def chunk_effect_lines(effects: ChunkEffects) -> list[str]:
    """The smallest and the largest standard error over chunks of the test text."""
    errors = sorted((found.se_chunks, arm) for arm, found in effects.by_arm.items())
    if not errors:
        return []
    (least, steadiest), (most, noisiest) = errors[0], errors[-1]
    chunks = max(found.n_chunks for found in effects.by_arm.values())
    range_ = f"{two_digits(least)} ({steadiest}) to {two_digits(most)} ({noisiest})"
    shown = range_ if len(errors) > 1 else two_digits(least)
    return [f"Test text: over {chunks} chunks of it an effect has a standard error of {shown}."]


def reproducible_lines(found: Reproducible) -> list[str]:
    """How many runs are reproducible, exactly or roughly."""
    lines = []
    if found.exactly:
        devices = harmless(" or ".join(found.on))
        lines.append(f"Reproducible to the last bit on {devices}: {_runs(found.exactly)}.")
    if found.roughly:
        lines.append(
            f"Reproducible but for rounding: {_runs(found.roughly)}, trained on a GPU without "
            "jobs.deterministic."
        )
    return lines


def reference_lines(references: Sequence[Reference]) -> list[str]:
    """An explanation of references, and the figures of each."""
    if not references:
        return []
    first = (
        "A reference is a model that `sweep evaluate` has put beside the arms: its effect is its "
        "loss − the baseline's mean, on the same text; it gets no verdict, and the family does not "
        "count it."
    )
    return [first, *map(_reference_line, references)]


def _reference_line(reference: Reference) -> str:
    model = reference.model
    return (
        f"{model.name}: {model.test_loss:.4f} nats per token, {model.bits_per_byte:.4f} bits per "
        f"byte, {model.parameters:,} parameters."
    )


def _runs(count: int) -> str:
    return f"{count} run{'s' if count > 1 else ''}"

"""Confounders: differences between an arm's and the baseline's runs that are no intervention."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from sweep.verdicts.evidence import Evidence
from sweep.verdicts.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

COMMIT_DIGITS = 12
UNKNOWN_ATTEMPTS = "attempts of an older version"


class Aspect(StrEnum):
    """Facts in which runs may differ, besides the versions of packages."""

    DEVICE_TYPE = "device type"
    DEVICE = "device"
    CODE = "code"
    PRECISION = "precision"
    TOKENS = "tokens"
    LAST_STEP = "last step"
    PROCESSES = "processes"
    THREADS = "threads"
    MICRO_BATCH = "micro-batch"


@dataclass(frozen=True, kw_only=True)
class Confounder:
    """A difference between runs of an arm and of the baseline that is no intervention."""

    arm: str
    what: Aspect | str
    """An aspect, or the name of a package."""
    value: str
    """Value in the arm's runs."""
    baseline: str
    """Value in the baseline's runs; several are joined by `or`."""
    runs: int
    """Number of the arm's done runs with this value."""


@dataclass(frozen=True, kw_only=True)
class Requested:
    """Settings in an arm's recipe. A difference that was requested is part of the intervention."""

    tokens: int | None = None
    """Training tokens, rounded down to whole steps; None for a script."""
    precision: str = ""
    test_text: Mapping[str, str] = field(default_factory=dict)
    """The settings that choose the text for testing and its unit, by name. Another loss is measured
    if they differ, also if that was requested."""


class RunKind(NamedTuple):
    """The recorded facts of a run; many runs share the same ones."""

    tokens: float
    """NaN if unknown."""
    provenance: int
    """Index into `Evidence.provenances`."""


class Comparison(NamedTuple):
    """Runs of one arm and kind, and the kinds of baseline runs to compare them with."""

    arm: str
    kind: RunKind
    baseline_kinds: Sequence[RunKind]
    runs: int


class Difference(NamedTuple):
    """One difference between runs of an arm and of the baseline."""

    what: Aspect | str
    value: str
    baseline: str


def find_confounders(evidence: Evidence, requested: Mapping[str, Requested]) -> list[Confounder]:
    """Differences between the done runs of each arm and the baseline's runs with the same seeds.

    A run with a seed that the baseline lacks is compared with all runs of the baseline. `requested`
    has the settings of each arm; for arms without an entry, every difference is listed. Another text
    for testing is listed although it was requested: no loss on it compares with the baseline's.
    """
    if evidence.frame.empty:
        return []
    baseline = str(evidence.frame.arm.iloc[0])
    facts = [_facts(provenance) for provenance in evidence.provenances]
    found: dict[tuple[str, Difference], int] = {}
    for comparison in _comparisons(evidence.frame, baseline):
        arm = comparison.arm
        for difference in _differences(comparison, facts):
            if not _was_requested(difference, requested.get(arm), requested.get(baseline)):
                found[arm, difference] = found.get((arm, difference), 0) + comparison.runs
    for arm, difference, runs in _other_test_text(evidence.frame, baseline, requested):
        found[arm, difference] = runs
    return [
        Confounder(arm=arm, what=each.what, value=each.value, baseline=each.baseline, runs=runs)
        for (arm, each), runs in found.items()
    ]


def _other_test_text(
    frame: pd.DataFrame, baseline: str, requested: Mapping[str, Requested]
) -> Iterator[tuple[str, Difference, int]]:
    """Yield arms whose loss is measured on other text than the baseline's, or in other tokens."""
    if baseline not in requested:
        return
    ours = requested[baseline].test_text
    counts = frame[frame.status == "done"].groupby("arm", sort=False).size()
    for arm, runs in counts.items():
        theirs = requested[str(arm)].test_text if arm in requested else {}
        for what, value in theirs.items():
            if value != ours.get(what):
                yield str(arm), Difference(what, value, ours.get(what, "none")), int(runs)


def _comparisons(frame: pd.DataFrame, baseline: str) -> Iterator[Comparison]:
    """Group done runs by arm, by kind, and by the kind of the baseline's run with the same seed."""
    kind = list(RunKind._fields)
    done = frame[frame.status == "done"]
    ours = done[done.arm == baseline]
    all_kinds = [RunKind(*row) for row in ours[kind].drop_duplicates().itertuples(index=False)]
    pairs = done[done.arm != baseline].merge(
        ours[["seed", *kind]], on="seed", how="left", suffixes=("", "_of_baseline")
    )
    columns = ["arm", *kind, *(f"{name}_of_baseline" for name in kind)]
    counts = pairs.groupby(columns, sort=False, dropna=False).size()
    for arm, tokens, provenance, *partner, runs in counts.reset_index().itertuples(index=False):
        partner_kind = RunKind(*partner)
        is_unpaired = math.isnan(partner_kind.provenance)
        kinds = all_kinds if is_unpaired else [partner_kind]
        yield Comparison(arm, RunKind(tokens, provenance), kinds, runs)


def _facts(provenance: Provenance) -> dict[str, str]:
    """Known values by aspect or package; `2, then 1` if they differ between attempts."""
    facts = {**_compared(provenance), **attempt_differences(provenance)}
    facts.pop(UNKNOWN_ATTEMPTS, None)
    return facts


def attempt_differences(provenance: Provenance) -> dict[str, str]:
    """In what the attempts that trained a run differ, such as `{"processes": "2, then 1"}`."""
    if not provenance.earlier:
        return {}
    attempts = [_of_attempt(each) for each in (*provenance.earlier, provenance)]
    if any(not each for each in attempts):
        return {UNKNOWN_ATTEMPTS: "not recorded"}
    found = {}
    for what in dict.fromkeys(what for each in attempts for what in each):
        values = [each.get(what, "unknown") for each in attempts]
        if len(set(values)) > 1:
            found[what] = ", then ".join(value for value, _ in groupby(values))
    return found


def _compared(provenance: Provenance) -> dict[str, str]:
    """Known values that are compared between runs: others only change how sums are rounded."""
    known: dict[str, str | None] = {
        Aspect.DEVICE_TYPE: provenance.device_type,
        Aspect.DEVICE: provenance.device,
        Aspect.CODE: _code(provenance),
        Aspect.PRECISION: provenance.precision,
        Aspect.LAST_STEP: provenance.last_step,
        Aspect.PROCESSES: _number(provenance.processes),
    }
    facts = {what: value for what, value in known.items() if value is not None}
    return {**facts, **provenance.versions}


def _of_attempt(provenance: Provenance) -> dict[str, str]:
    """Known values that are compared between the attempts of a run; the split is the corpus's."""
    known = {
        **_compared(provenance),
        Aspect.THREADS: _number(provenance.threads),
        Aspect.MICRO_BATCH: _number(provenance.micro_batch),
    }
    return {what: value for what, value in known.items() if value is not None}


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _code(provenance: Provenance) -> str | None:
    if provenance.commit is None:
        return None
    return provenance.commit[:COMMIT_DIGITS] + (" with changes" if provenance.dirty else "")


def _differences(
    comparison: Comparison, facts: Sequence[Mapping[str, str]]
) -> Iterator[Difference]:
    """Facts of the arm's runs that no baseline run shares; unknown facts are left out."""
    arm_facts = _with_tokens(comparison.kind, facts)
    baseline_facts = [_with_tokens(kind, facts) for kind in comparison.baseline_kinds]
    device_types = {each.get(Aspect.DEVICE_TYPE) for each in baseline_facts}
    for what, value in arm_facts.items():
        known = {each[what] for each in baseline_facts if what in each}
        # A device of another type always has another name: say it once.
        if what == Aspect.DEVICE and arm_facts.get(Aspect.DEVICE_TYPE) not in device_types:
            continue
        if known and value not in known:
            yield Difference(what, value, " or ".join(sorted(known)))


def _with_tokens(kind: RunKind, facts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    known = dict(facts[int(kind.provenance)])
    if not math.isnan(kind.tokens):
        known[Aspect.TOKENS] = f"{int(kind.tokens):,}"
    return known


def _was_requested(
    difference: Difference, arm: Requested | None, baseline: Requested | None
) -> bool:
    """True if both values are those in the recipes."""
    if arm is None or baseline is None:
        return False
    values = (difference.value, difference.baseline)
    if difference.what == Aspect.TOKENS and arm.tokens is not None and baseline.tokens is not None:
        return values == (f"{arm.tokens:,}", f"{baseline.tokens:,}")
    if difference.what == Aspect.PRECISION:
        return values == (arm.precision, baseline.precision)
    return False

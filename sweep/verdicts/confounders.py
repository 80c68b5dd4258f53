"""What else differed between an arm and the baseline: machine, packages, code, precision, tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.terminal.printable import harmless
from sweep.verdicts.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

SHORT = 12
"""Characters of a commit."""


@dataclass(frozen=True, kw_only=True)
class Confounder:
    """Something beside its interventions in which runs of an arm differ from the baseline's."""

    arm: str
    what: str
    """`device type`, `device`, `code`, `precision`, `tokens`, or a package."""
    value: str
    baseline: str
    runs: int
    """Of the arm's done runs, those that it is true of."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an arm's recipe asks for: a difference of that kind is the intervention's own."""

    tokens: int
    precision: str


def find_confounders(evidence: Evidence, asked: Mapping[str, Asked]) -> list[Confounder]:
    """Differences of done runs from the baseline's run with the same seed, arm by arm.

    A run whose seed the baseline lacks is held against all runs of the baseline. `asked` has what
    the plan asks for, by arm; without it every difference in tokens or precision is listed.
    """
    done = evidence.frame[evidence.frame["status"] == "done"]
    arms = evidence.frame["arm"].unique()
    if not len(arms):
        return []
    facts = [_facts(text) for text in evidence.origins]
    own = done[done["arm"] == arms[0]]
    found: dict[tuple[str, str, str, str], int] = {}
    for run, others in _beside(done[done["arm"] != arms[0]], own):
        for what, value, other in _differences(run, others, facts):
            if not _explained(run["arm"], what, (value, other), asked, arms[0]):
                key = (run["arm"], what, value, other)
                found[key] = found.get(key, 0) + run["count"]
    return [
        Confounder(arm=arm, what=what, value=value, baseline=other, runs=count)
        for (arm, what, value, other), count in found.items()
    ]


def _beside(
    done: pd.DataFrame, own: pd.DataFrame
) -> Iterator[tuple[Mapping[Any, Any], list[dict[Any, Any]]]]:
    """Kinds of runs, with their `count`, each with the kinds of baseline runs to hold it against."""
    kind = ["tokens", "origin"]
    everything = own[kind].drop_duplicates().to_dict("records")
    both = done.merge(own[["seed", *kind]], on="seed", how="left", suffixes=("", "_of_baseline"))
    theirs = [f"{name}_of_baseline" for name in kind]
    counts = both.groupby(["arm", *kind, *theirs], sort=False, dropna=False).size()
    for row in counts.reset_index(name="count").to_dict("records"):
        pair = {name: row[f"{name}_of_baseline"] for name in kind}
        unpaired = pair["origin"] != pair["origin"]  # NaN
        yield row, everything if unpaired else [pair]


def _facts(text: str | None) -> dict[str, str]:
    """What a provenance says of a run, by what it is."""
    origin = json.loads(text) if text else None
    if not isinstance(origin, dict):
        return {}
    found = {
        "device type": origin.get("device_type"),
        "device": origin.get("device"),
        "code": _code(origin),
        "precision": origin.get("precision"),
        **(origin.get("versions") or {}),
    }
    return {what: str(value) for what, value in found.items() if value is not None}


def _code(origin: Mapping[str, Any]) -> str | None:
    if origin.get("commit") is None:
        return None
    return str(origin["commit"])[:SHORT] + (" with changes" if origin.get("dirty") else "")


def _differences(
    run: Mapping[Any, Any], others: list[dict[Any, Any]], facts: list[dict[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """What differs, its value in the run, and in the baseline."""
    mine = _with_tokens(run, facts)
    theirs = [_with_tokens(other, facts) for other in others]
    for what, value in mine.items():
        known = {each[what] for each in theirs if what in each}
        # A device of another type has another name as well.
        if what == "device" and mine.get("device type") not in {
            e.get("device type") for e in theirs
        }:
            continue
        if known and value not in known:
            yield what, value, " or ".join(sorted(known))


def _with_tokens(run: Mapping[Any, Any], facts: list[dict[str, str]]) -> dict[str, str]:
    tokens = run["tokens"]
    known = {} if tokens != tokens else {"tokens": f"{int(tokens):,}"}  # noqa: PLR0124  (NaN)
    return {**facts[int(run["origin"])], **known}


def _explained(
    arm: str, what: str, values: tuple[str, str], asked: Mapping[str, Asked], baseline: str
) -> bool:
    """Whether both sides are as their recipes have it."""
    if what not in {"tokens", "precision"} or not {arm, baseline} <= asked.keys():
        return False
    wanted = (getattr(asked[name], what) for name in (arm, baseline))
    return values == tuple(f"{each:,}" if what == "tokens" else str(each) for each in wanted)


def confounder_lines(confounders: Sequence[Confounder], most: int = 6) -> list[str]:
    """Sentences, one for each thing that differs, with the arms that it concerns."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in confounders:
        arms = alike.setdefault((each.what, each.value, each.baseline), [])
        arms.append(f"{harmless(each.arm)} ({each.runs} run{'s' if each.runs > 1 else ''})")
    return [
        f"Confounded by {harmless(what)}, {harmless(value)} where the baseline has "
        f"{harmless(other)}: {_some(arms, most)}."
        for (what, value, other), arms in alike.items()
    ]


def _some(arms: Sequence[str], most: int) -> str:
    more = f" and {len(arms) - most} arms more" if len(arms) > most else ""
    return ", ".join(arms[:most]) + more

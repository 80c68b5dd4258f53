"""The sentence that says what each verdict rests on: planned seeds, or e-values at every look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweep.terminal.printable import harmless_first
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import counted

MAX_ARMS = 6
"""Arms that a part of the sentence names."""


@dataclass(frozen=True, kw_only=True)
class _Basis:
    """What some verdicts rest on, in words."""

    words: str
    again: str = ""
    """The words after a basis of the same kind; empty if no other is of its kind."""


def basis_lines(report: Report) -> list[str]:
    """What the verdicts rest on; nothing for an import whose verdicts all rest on its file."""
    arms = [arm for arm in report.arms[1:] if not arm.stopped]
    if not arms or (report.imported and all(arm.result.basis == "planned" for arm in arms)):
        return []
    groups = _groups(arms, imported=report.imported)
    if len(groups) == 1:
        return [f"Verdicts rest {next(iter(groups)).words}."]
    parts, said = [], False
    for basis, found in groups.items():
        words = basis.again if basis.again and said else basis.words
        said = said or bool(basis.again)
        parts.append(f"{words}: {_named(found)}")
    return [f"Verdicts rest {'; '.join(parts)}."]


def race_lines(report: Report) -> list[str]:
    """How far a race has come; nothing for a fixed plan."""
    if report.plan.race_start is None:
        return []
    arms, most = report.arms[1:], len(report.seeds)
    undecided = [arm for arm in arms if arm.result.verdict in ("undecided", "unstable")]
    line = (
        f"Race with {report.plan.race_start} to {counted(most, 'seed')}: {len(arms) - len(undecided)} of "
        f"{counted(len(arms), 'arm')} decided"
    )
    racing = [arm for arm in undecided if arm.result.n_ended < most]
    if racing:
        return [f"{line}; `sweep run` goes on with {_named(racing)}."]
    return [f"{line}; it is over." if undecided else f"{line}."]


def _groups(arms: Sequence[ArmReport], *, imported: bool) -> dict[_Basis, list[ArmReport]]:
    """The arms by what their verdicts rest on, in the order of the table, e-values last."""
    groups: dict[_Basis, list[ArmReport]] = {}
    for arm in arms:
        groups.setdefault(_basis(arm, imported=imported), []).append(arm)
    return dict(sorted(groups.items(), key=lambda group: bool(group[0].again)))


def _basis(arm: ArmReport, *, imported: bool) -> _Basis:
    result = arm.result
    if result.basis == "looks" and result.method != "e-value" and result.alpha_share:
        share = 1 / result.alpha_share
        return _Basis(words=f"on all runs, tested at alpha / {share:g} as a later look")
    if result.basis == "looks":
        seeds = counted(result.n_shared or 0, "seed")
        p = f"{1 / (result.alpha_share or 0.5):g} / e-value"
        words = f"on e-values over {seeds} (p = {p}), which hold at every look"
        return _Basis(words=words, again=f"over {seeds}")
    is_part = result.n_independent is not None and result.n_independent < result.n_done
    are_runs = is_part or (imported and not result.n_shared)
    planned = counted(result.n_planned or 0, "run" if are_runs else "seed")
    if result.basis == "provisional":
        return _Basis(words=f"provisionally on those of the planned {planned} that have ended")
    return _Basis(words=f"on the planned {planned}")


def _named(arms: Iterable[ArmReport]) -> str:
    return harmless_first([arm.name for arm in arms], MAX_ARMS)

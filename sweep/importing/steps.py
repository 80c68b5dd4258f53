"""Files with a row for each step: the step of each run that counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.fields import find_ends_of_runs
from sweep.importing.rules import Rules
from sweep.importing.run_table import RunTable
from sweep.store.states import RunState
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The steps at which the runs of a file end, if they differ."""

    by_arm: Mapping[str, tuple[float, float]]
    """The smallest and the largest last step of each arm's done runs; empty if all are equal."""
    common: float | None
    """The largest step at which all of them have a loss."""
    column: str = ""
    """The column that says so in a file with one row for each run."""


def pick_steps(table: RunTable, empty: pd.Series[Any], rules: Rules, source: str) -> RunTable:
    """Keep one step of each run: that of the rules, else the last one with a loss.

    `empty` is True for rows without a loss. Raises ResultsError.
    """
    if table.step.isna().any():
        raise ResultsError(
            f"{source}: row {table.row[int(table.step.isna().argmax())]} has no step"
        )
    label = table.label.fillna("")  # without seed or run, the rows of an arm are one run
    run = [table.arm, label]
    logged = ~empty | empty.groupby(run).transform("all")
    last = logged & (table.step == table.step.where(logged).groupby(run).transform("max"))
    if rules.at_step is not None:
        chosen = logged & ~empty & (table.step == rules.at_step)
        has_step = chosen.groupby(run).transform("any")
        _check_at_step(table, has_step, rules.at_step, source)
        table = _without_step(table, ~has_step & (table.state == RunState.DONE), rules.at_step)
        last = chosen | (last & ~has_step)
    _check_unique(table, last, source)
    return table.take(last.to_numpy().nonzero()[0])


def check_no_step(rules: Rules, source: str) -> None:
    """Raise ResultsError if a step is asked for in a file with one row for each run."""
    if rules.at_step is not None:
        raise ResultsError(
            f"{source} has one row for each run, and --at-step needs a row for each step; name the "
            "column of the step: --column step=COLUMN"
        )


def find_ends(steps: RunTable, empty: pd.Series[Any], kept: RunTable) -> tuple[RunTable, Ends]:
    """Compare the last steps of the runs `kept` that are done; `steps` has a row for each step.

    Returns these runs, too, as `read_ends` does.
    """
    done = kept.take((kept.state == RunState.DONE).to_numpy().nonzero()[0])
    if done.step.nunique() < 2:
        return kept, Ends(by_arm={}, common=None)
    by_arm = ends_by_arm(done)
    names = set(zip(done.arm, done.label.fillna(""), strict=True))
    logged = [
        (step, (arm, label))
        for step, arm, label, lost in zip(
            steps.step, steps.arm, steps.label.fillna(""), empty, strict=True
        )
        if not lost and (arm, label) in names
    ]
    runs_at: dict[float, set[tuple[str, str]]] = {}
    for step, name in logged:
        runs_at.setdefault(float(step), set()).add(name)
    common = [step for step, found in runs_at.items() if len(found) == len(names)]
    return kept, Ends(by_arm=by_arm, common=max(common, default=None))


def read_ends(table: RunTable, further: pd.DataFrame) -> tuple[RunTable, Ends]:
    """Take the last step of each run from another column, in a file with one row for each run.

    It is the first such column by which the runs that are done end at different steps.
    """
    import pandas as pd

    done = (table.state == RunState.DONE).to_numpy()
    for name in find_ends_of_runs([str(name) for name in further.columns]):
        column = further[name].iloc[table.row.to_numpy() - 1].reset_index(drop=True)
        steps = pd.to_numeric(column, errors="coerce").astype("float64")
        if len(set(steps[done].dropna())) > 1:
            table = replace(table, step=steps)
            by_arm = ends_by_arm(table.take(done.nonzero()[0]))
            return table, Ends(by_arm=by_arm, common=None, column=name)
    return table, Ends(by_arm={}, common=None)


def ends_by_arm(done: RunTable) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest last step of each arm."""
    groups = done.step.groupby(done.arm, sort=False)
    return {str(arm): (float(some.min()), float(some.max())) for arm, some in groups}


def step_text(step: float) -> str:
    """Return a step without a decimal point if it is whole."""
    return str(int(step)) if float(step).is_integer() else f"{step:g}"


def _check_at_step(table: RunTable, has_step: pd.Series[Any], at_step: float, source: str) -> None:
    """Raise ResultsError if no run has a loss at the step that was asked for."""
    if has_step.any():
        return
    raise ResultsError(
        f"{source}: no run has a loss at step {step_text(at_step)}; its steps are between "
        f"{step_text(table.step.min())} and {step_text(table.step.max())}: name one with --at-step N"
    )


def _without_step(table: RunTable, rows: pd.Series[Any], at_step: float) -> RunTable:
    """Let runs fail that have no loss at the step that was asked for."""
    import pandas as pd

    failed = pd.Series(RunState.FAILED, index=rows.index, dtype=object)
    cause = table.cause.astype(object).mask(rows, f"it has no loss at step {step_text(at_step)}")
    return replace(table, state=table.state.mask(rows, failed), cause=cause)


def _check_unique(table: RunTable, last: pd.Series[Any], source: str) -> None:
    """Raise ResultsError if an arm without labels has its last step twice."""
    arms = table.arm[last & table.label.isna()]
    twice = arms.duplicated(keep=False)
    if twice.any():
        row = int(arms.index[int(twice.argmax())])
        raise ResultsError(
            f"{source}: arm {shown(table.arm[row])} has step {step_text(table.step[row])} more "
            "than once, and nothing tells its runs apart; name the column that does: --column "
            "seed=COLUMN or --column run=COLUMN"
        )

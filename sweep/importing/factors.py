"""Factors of a published factorial: the columns with the levels of each run, `--factors A,B,C`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.fields import Field
from sweep.importing.questions import no_column
from sweep.importing.settings import Settings
from sweep.store.plan_content import IMPORTED_FACTORIAL, DesignContent, PlanContent
from sweep.terminal.printable import shown
from trainer.words import counted, shortened

if TYPE_CHECKING:
    import pandas as pd

MAX_FACTORS = 24
MAX_LEVELS = 12
"""Maximum numbers of factors, and of levels of one."""
LOW_FIRST = (
    *(("-", "+"), ("low", "high"), ("lo", "hi"), ("l", "h"), ("off", "on"), ("no", "yes")),
    *(("false", "true"), ("n", "y"), ("without", "with"), ("minus", "plus"), ("min", "max")),
)
"""Words for two levels, in lower case, the lower level first."""
NAMES_LISTED = 30


@dataclass(frozen=True, kw_only=True)
class FactorColumns:
    """The factors of a file, and its rows with one spelling for each level."""

    frame: pd.DataFrame
    """Without the rows of centre points."""
    levels: Mapping[str, Sequence[str]]
    """By factor: its levels, the lowest first."""
    remarks: Sequence[str]

    def design(self, arms: pd.Series[Any], rows: pd.Series[Any]) -> DesignContent:
        """The design of runs with these arms, in these rows of the frame, counted from 1."""
        columns = {
            name: self.frame[name].iloc[[row - 1 for row in rows]].tolist() for name in self.levels
        }
        combined = zip(*columns.values(), strict=True)
        known = list(self.levels.values())
        cells = {
            str(arm): [levels.index(cell) for levels, cell in zip(known, cells, strict=True)]
            for arm, cells in zip(arms, combined, strict=True)
        }
        return DesignContent(kind=IMPORTED_FACTORIAL, factors=self.levels, cells=cells)


def parse_factors(text: str | None) -> list[str]:
    """Parse `A,B,C`. Raises ResultsError for a name that is empty or given twice."""
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise ResultsError(
            f"--factors {shown(text)}: write the columns of the factors once each, such as "
            "--factors A,B,C"
        )
    if len(names) > MAX_FACTORS:
        raise ResultsError(f"--factors: at most {MAX_FACTORS} factors are possible")
    return names


def arm_of_factors(names: Sequence[str], columns: Mapping[Field, str]) -> dict[Field, str]:
    """The columns that make an arm, as `--column arm=A,B,C` has them; empty without factors.

    Raises ResultsError if there is a column of arms, too.
    """
    if names and Field.ARM in columns:
        raise ResultsError("--factors makes the arms; leave --column arm out")
    return {Field.ARM: ",".join(names)} if names else {}


def with_low_baseline(
    settings: Settings, earlier: PlanContent | None, design: DesignContent | None
) -> Settings:
    """The settings; for a new factorial, the arm with the lowest levels is the baseline."""
    if design is None or earlier is not None or settings.baseline is not None:
        return settings
    lowest = min(design.cells, key=lambda arm: sum(design.cells[arm]))
    return replace(settings, baseline=lowest)


def read_factors(frame: pd.DataFrame, names: Sequence[str], source: str) -> FactorColumns:
    """Read the levels of each factor. Raises ResultsError for a factor that is none."""
    present = [str(name) for name in frame.columns]
    for name in names:
        if name not in present:
            raise ResultsError(no_column(name, present, source, "--factors"))
    frame = frame.reset_index(drop=True)
    frame = frame.assign(**{name: _spelled(frame[name], name, source) for name in names})
    frame, remarks = _without_centre(frame, names)
    levels = {name: _levels(frame[name], name, source) for name in names}
    return FactorColumns(frame=frame, levels=levels, remarks=[*remarks, *_remarks(levels)])


def design_of(new: DesignContent | None, earlier: DesignContent | None) -> DesignContent | None:
    """The design of a study that is imported again. Raises ResultsError if its factors changed."""
    if new is None or earlier is None:
        return new or earlier
    before = {name: list(levels) for name, levels in earlier.factors.items()}
    if before != {name: list(levels) for name, levels in new.factors.items()}:
        raise ResultsError(
            f"the study has the factors {before} already, and this file has others; choose another "
            "name with --study"
        )
    cells = {**earlier.cells, **new.cells}
    return DesignContent(kind=new.kind, factors=new.factors, cells=cells)


def _spelled(cells: pd.Series[Any], name: str, source: str) -> list[str]:
    """One spelling of each level: numbers as short as they can be, `−` as `-`."""
    found = []
    for row, cell in enumerate(cells.tolist(), 1):
        text = "" if cell is None or cell != cell else str(cell).strip()  # noqa: PLR0124  (NaN)
        if not text:
            raise ResultsError(f"{source}: row {row} has no level of the factor {shown(name)}")
        text = text.replace("−", "-")
        number = _number(text)
        found.append(text if number is None else f"{number:.12g}")
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _without_centre(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out rows in which every factor is in the middle of two others."""
    import pandas as pd

    middles = {name: _middle(frame[name].unique().tolist()) for name in names}
    if any(middle is None for middle in middles.values()):
        return frame, []
    in_middle = frame[list(names)].eq(pd.Series(middles)).sum(axis=1)
    whole = in_middle == len(names)
    if not whole.any() or ((in_middle > 0) & ~whole).any():
        return frame, []
    remark = (
        f"{counted(int(whole.sum()), 'centre point')} left out: the effects are those of the two "
        "levels on either side."
    )
    kept = frame.loc[~whole].reset_index(drop=True)
    return kept, [remark]


def _middle(levels: Sequence[str]) -> str | None:
    """The level in the middle of two others at equal distances; None for other factors."""
    numbers = {level: _number(level) for level in levels}
    if len(levels) != 3 or None in numbers.values():
        return None
    low, middle, high = sorted(levels, key=lambda level: numbers[level] or 0.0)
    ends = (numbers[low] or 0.0) + (numbers[high] or 0.0)
    return middle if abs(ends - 2 * (numbers[middle] or 0.0)) < 1e-9 * (1 + abs(ends)) else None


def _levels(cells: pd.Series[Any], name: str, source: str) -> list[str]:
    """The levels, the lowest first. Raises ResultsError for one level, and for many."""
    found = cells.unique().tolist()
    if len(found) == 1:
        raise ResultsError(
            f"{source}: the factor {shown(name)} is {shown(found[0])} in every row; leave it out of "
            "--factors"
        )
    if len(found) > MAX_LEVELS:
        raise ResultsError(
            f"{source}: the factor {shown(name)} has {len(found)} levels, and at most {MAX_LEVELS} "
            "are possible; a measured quantity is no factor"
        )
    numbers = [_number(level) for level in found]
    if None not in numbers:
        return sorted(found, key=lambda level: _number(level) or 0.0)
    pair = tuple(sorted(found, key=str.lower))
    for low, high in LOW_FIRST:
        words = {level.lower(): level for level in found}
        if set(words) == {low, high}:
            return [words[low], words[high]]
    return list(pair)


def _remarks(levels: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which level is the low one, and how factors with more levels are compared."""
    told = [f"{shown(name)} {' < '.join(each)}" for name, each in levels.items()]
    lines = [f"Factors, the lowest level first: {shortened(told, NAMES_LISTED)}."]
    several = [shown(name) for name, each in levels.items() if len(each) > 2]
    if several:
        lines.append(
            f"With more than two levels: {', '.join(several)}. Each level is compared with the "
            "lowest; for a curve, keep two levels at a time with --where."
        )
    return lines

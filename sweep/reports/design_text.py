"""The design of a plan in words: its matrix, generators and aliases; and designs compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from analysis.tables.table import Column
from sweep.design.factors import Factor
from sweep.design.fractions import letters
from sweep.forecast.designs import DesignMatrix, DesignOption
from sweep.forecast.outline import Outline
from sweep.reports.document import Table
from sweep.study.file import changed_fields
from sweep.terminal.printable import shown
from sweep.terminal.units import rough_duration, two_digits
from trainer.words import counted, shortened

MatrixRow = tuple[str, list[int], str]
"""An arm, its levels, and its runs that are done."""
FactorRow = tuple[str, str, dict[str, Any]]
"""Letter and sign of a level, its intervention, and the fields that it sets."""
MOST_ROWS = 64
"""Rows of the matrix that are printed."""
WORDS_LISTED = 15
"""Words of the defining relation, and chains of aliases, that are listed."""
SIGNS = ("-", "+")
"""Signs of the levels of a factor that has two."""


def design_parts(matrix: DesignMatrix, outline: Outline) -> list[str | Table[Any]]:
    """The factors and the matrix of a design, its generators and aliases, and what it estimates."""
    kind = matrix.plan.study.design.kind
    head = f"Design: {kind}, {counted(len(matrix.factors), 'factor')}."
    done = {arm.arm: f"{arm.done}/{arm.runs}" for arm in outline.arms()}
    rows = [(*row, done[row[0]]) for row in matrix.rows[:MOST_ROWS]]
    more = len(matrix.rows) - len(rows)
    further = [f"… and {counted(more, 'more arm')}: --format json has them all."] if more else []
    arms = Table(_columns(matrix), rows)
    return [head, _factor_table(matrix), arms, *further, *_estimates(matrix)]


def _factor_table(matrix: DesignMatrix) -> Table[FactorRow]:
    """A row for each level that a factor has beside the baseline's."""
    changes = {name: changed_fields(each) for name, each in matrix.plan.study.interventions.items()}
    columns: list[Column[FactorRow]] = [
        Column("", lambda row: row[0], "left"),
        Column("intervention", lambda row: row[1], "left"),
        Column(
            "changes",
            lambda row: ", ".join(f"{key} = {shown(value)}" for key, value in row[2].items()),
            "left",
            style=lambda _: "",  # whole, and not cut as a name is
        ),
    ]
    rows = [
        (f"{letter} {sign}", level, changes[level])
        for letter, factor in zip(matrix.letters, matrix.factors, strict=True)
        for sign, level in zip(_signs(factor)[1:], factor.levels, strict=False)
    ]
    return Table(columns, rows)


def _signs(factor: Factor) -> Sequence[str]:
    return SIGNS if len(factor.levels) == 1 else [str(n) for n in range(len(factor.levels) + 1)]


def comparison_parts(options: Sequence[DesignOption]) -> list[str | Table[Any]]:
    """Designs of the same interventions and seeds: runs, hours, smallest visible effect."""
    if not options:
        return []
    columns: list[Column[DesignOption]] = [
        Column("design", _name, "left"),
        Column("arms", lambda each: str(each.arms)),
        Column("runs", lambda each: f"{each.runs:,}"),
        Column(
            "training", lambda each: "" if each.hours is None else rough_duration(each.hours * 3600)
        ),
        Column("visible", lambda each: "" if each.effect is None else two_digits(each.effect)),
        Column("effects", lambda each: each.measures, "left", spare=1),
    ]
    lines = ["Designs of these interventions with these seeds (* is the study's):"]
    known = any(each.effect is not None for each in options)
    end = (
        "visible: the smallest effect of one change that is seen with 80% power, in the median arm (before "
        "any has run: if shared seeds cancel no noise); of factorials, if the noise of arms is "
        "independent once the seeds are shared."
    )
    return [*lines, Table(columns, list(options)), *([end] if known else [])]


def design_json(matrix: DesignMatrix) -> dict[str, Any]:
    """JSON values of a design."""
    fraction = matrix.fraction
    return {
        "kind": matrix.plan.study.design.kind,
        "factors": {each.name: list(each.levels) for each in matrix.factors},
        "letters": dict(zip(matrix.letters, (each.name for each in matrix.factors), strict=True)),
        "matrix": dict(matrix.rows),
        "resolution": fraction.resolution if fraction else None,
        "generators": fraction.generator_names() if fraction else [],
        "defining_relation": fraction.word_names() if fraction else [],
        "aliases": list(_chains(matrix)),
    }


def _columns(matrix: DesignMatrix) -> list[Column[MatrixRow]]:
    def cell(place: int) -> Column[MatrixRow]:
        signs = _signs(matrix.factors[place])
        return Column(matrix.letters[place], lambda row: signs[row[1][place]])

    places = range(len(matrix.factors))
    done: Column[MatrixRow] = Column("done", lambda row: row[2], spare=1)
    return [Column("arm", lambda row: row[0], "left"), *(cell(place) for place in places), done]


def _estimates(matrix: DesignMatrix) -> Iterator[str]:
    kind, fraction = matrix.plan.study.design.kind, matrix.fraction
    if fraction:
        yield from _fraction_lines(matrix)
    elif kind == "factorial":
        yield "Estimated: the average effect of every factor, and all interactions."
    elif kind == "pairs":
        yield "Estimated: each intervention alone, and of every two how far both together miss the sum."
    elif kind == "leave-one-out":
        yield "Estimated: each intervention beside all others, and all together."
    else:
        yield from _explicit_lines(matrix)


def _fraction_lines(matrix: DesignMatrix) -> Iterator[str]:
    fraction = matrix.fraction
    if fraction is None:
        return
    k, p = fraction.factors, len(fraction.generators)
    words = shortened(fraction.word_names(), WORDS_LISTED)
    yield (
        f"A 2^({k}-{p}) fraction of resolution {fraction.resolution}, {fraction.runs} of {2**k} "
        f"combinations, with generators {', '.join(fraction.generator_names())} (a minus sign where "
        f"it keeps the baseline among the runs). Defining relation: I = {words}."
    )
    chains = list(_chains(matrix))
    if not chains:
        yield "Estimated: every main effect and every interaction of two, clear of each other."
        return
    clear = "" if fraction.resolution == 3 else ", clear of interactions of two"
    yield f"Estimated: every main effect{clear}, and the sums {shortened(chains, WORDS_LISTED)}."


def _chains(matrix: DesignMatrix) -> Iterator[str]:
    """Chains of aliases of up to two factors: `AB + CD`."""
    fraction = matrix.fraction
    for first, *others in fraction.chains() if fraction else []:
        if others and fraction:
            rest = [f"{fraction.alias_sign(first, each)} {letters(each)}" for each in others]
            yield " ".join([letters(first), *rest])


def _explicit_lines(matrix: DesignMatrix) -> Iterator[str]:
    """Which main effects the listed arms tell apart, by least squares."""
    import numpy as np

    from analysis.factorials.model import choose_model
    from analysis.factorials.terms import Factors

    factors = Factors(
        names=tuple(each.name for each in matrix.factors),
        labels=tuple(each.levels for each in matrix.factors),
        cells={name: tuple(levels) for name, levels in matrix.rows},
    )
    model = choose_model(factors, list(factors.cells.values()), np.ones((len(matrix.rows), 1)))
    mains = [chain for chain in model.chains if chain.term.order == 1]
    told = [
        " ".join([factors.label(each.term), *(f"+ {factors.label(t)}" for _, t in each.aliases)])
        for each in mains
    ]
    yield f"Estimated by least squares: {shortened(told, WORDS_LISTED)}."
    lost = [*model.dependent, *(term for _, term in model.constant if term.order == 1)]
    if lost:
        names = shortened([factors.label(term) for term in lost], WORDS_LISTED)
        yield f"Not to be told from the others: {names}."
    if model.left_out:
        yield "There are too few arms to estimate interactions, which are taken to be zero."


def _name(option: DesignOption) -> str:
    resolution = f", resolution {option.resolution}" if option.resolution else ""
    return f"{option.kind}{resolution}{' *' if option.chosen else ''}"

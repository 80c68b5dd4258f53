"""The effects of a factorial as a table, sentences, JSON and CSV records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analysis.tables.table import (
    Column,
    interval_text,
    number,
    probability,
    signed,
    verdict_style,
)
from sweep.errors import listed
from sweep.reports.document import Table, finite
from sweep.reports.verdict_columns import undecided
from sweep.terminal.units import supported_decimals
from sweep.verdicts.decimals import arm_mean_decimals
from sweep.verdicts.effects import LEAVE_ONE_OUT, PAIRS, DesignEffects
from sweep.verdicts.judge import ArmReport
from trainer.words import counted, shortened

if TYPE_CHECKING:
    from analysis.factorials.result import Effect, FactorialResult

TITLES = {PAIRS: "together less the sum of each alone", LEAVE_ONE_OUT: "effect beside all others"}
AVERAGE = "average effect over the other factors"
"""Titles of the column of effects."""
NAMES_LISTED = 8
WORDS_LISTED = 15


def effect_parts(design: DesignEffects, digits: int = 4) -> list[str | Table[Any]]:
    """The sentences and the table of a design's effects, with so many decimals."""
    result = design.result
    lines = [_design_line(design), *_left_out(result)]
    if not result.effects:
        return [*lines, "The runs so far tell no effect."]
    table = Table(_columns(design, digits), list(result.effects))
    return [*lines, table, *_notes(design)]


def cells_table(arms: Sequence[ArmReport], digits: int = 4) -> Table[ArmReport]:
    """The arms of a factorial: their runs and means, without a comparison with the baseline."""
    columns: list[Column[ArmReport]] = [
        Column("arm", lambda arm: arm.name, "left"),
        Column("runs", _runs),
        Column("mean", lambda arm: number(arm.mean_loss, arm_mean_decimals(arm, digits))),
    ]
    return Table(columns, arms, "Means of the arms")


def effects_json(design: DesignEffects) -> dict[str, Any]:
    """JSON values of a design and its effects; `half_normal` has the points of that plot."""
    result = design.result
    content = asdict(result)
    effects, points = content.pop("effects"), content.pop("points")
    partial = content.pop("partial")
    return {
        "kind": design.kind,
        "factors": {name: list(levels) for name, levels in design.factors.items()},
        "column": _title(design),
        **content,
        "partial": [{"effect": a, "contains": b, "share": share} for a, b, share in partial],
        "effects": [finite(each) for each in effects],
        "half_normal": points,
    }


def effect_records(design: DesignEffects) -> list[dict[str, Any]]:
    """A CSV record for each effect."""
    return [
        {**finite(asdict(each)), "aliases": " ".join(each.aliases)}
        for each in design.result.effects
    ]


def _title(design: DesignEffects) -> str:
    return TITLES.get(design.kind, AVERAGE)


def _columns(design: DesignEffects, digits: int) -> list[Column[Effect]]:
    return [
        Column("effect of", lambda row: row.name, "left"),
        Column("n", lambda row: str(row.n), spare=3),
        Column(_title(design), lambda row: signed(row.effect, _digits(row, digits)), "left"),
        Column(
            "adj. interval",
            lambda row: interval_text(
                row.ci_low_adjusted, row.ci_high_adjusted, _digits(row, digits)
            ),
        ),
        Column("p", lambda row: probability(row.p), spare=2),
        Column("p adj.", lambda row: probability(row.p_adjusted)),
        Column("verdict", _verdict, "left", style=lambda row: verdict_style(row.verdict)),
    ]


def _digits(row: Effect, most: int) -> int:
    return supported_decimals(row.ci_low_adjusted, row.ci_high_adjusted, most)


def _verdict(row: Effect) -> str:
    if row.verdict == "undecided" and row.n_missing and row.effect is None:
        return "undecided (no run yet)"
    if row.verdict == "undecided" and (row.seeds_to_settle is not None or row.basis is not None):
        return undecided(row.seeds_to_settle, row.ci_low)
    words = f"{row.verdict} (real)" if row.real_but_negligible else str(row.verdict)
    return f"{words} (provisional)" if row.basis == "provisional" else words


def _runs(arm: ArmReport) -> str:
    result = arm.result
    total = result.n_ended + result.n_missing
    diverged = f", {result.n_diverged} diverged" if result.n_diverged else ""
    return f"{result.n_done} of {total}{diverged}" if total > result.n_done else str(total)


def _design_line(design: DesignEffects) -> str:
    factors = counted(len(design.factors), "factor")
    questions = design.result.families
    asked = listed(
        counted(count, "main effect" if family == "main" else "interaction")
        for family, count in questions.items()
    )
    families = f"; p is adjusted over {asked}" if asked else ""
    each = ", each group by itself" if len(questions) > 1 else ""
    return f"Design: {design.kind}, {factors}{families}{each}."


def _left_out(result: FactorialResult) -> Iterator[str]:
    if result.arms_left_out:
        names = shortened([repr(each) for each in result.arms_left_out], NAMES_LISTED)
        yield f"Without enough results, and left out of the effects: {names}."
    if result.seeds_left_out:
        seeds = counted(result.seeds_left_out, "seed")
        yield f"{seeds} left out of the effects: too many of their runs have no loss."
    if result.not_estimable:
        names = shortened(list(result.not_estimable), NAMES_LISTED)
        yield f"Not to be told from other effects by these runs: {names}."


def _notes(design: DesignEffects) -> Iterator[str]:
    result = design.result
    yield _how_tested(result)
    yield from _looks(result)
    if result.defining_relation:
        words = shortened(list(result.defining_relation), WORDS_LISTED)
        yield f"A fraction of all combinations; these are the same in every run (I): {words}."
    chains = [f"{each.name} {' '.join(each.aliases)}" for each in result.effects if each.aliases]
    if chains:
        yield (
            "Aliases, which these runs cannot tell from each other: each effect is the sum of its "
            f"chain. {'; '.join(chains)}."
        )
    if result.confounded_with_blocks:
        words = shortened(list(result.confounded_with_blocks), NAMES_LISTED)
        yield f"Not to be told from the blocks: {words}."
    if result.partial:
        parts = [f"{main} has {share:+.2g} of {other}" for main, other, share in result.partial]
        yield (
            "There are too few runs to estimate interactions, which are taken to be zero. Where they "
            f"are not, main effects contain a part of them: {shortened(parts, NAMES_LISTED)}."
        )
    elif result.taken_for_zero:
        yield "There are too few runs to estimate interactions, which are taken to be zero."
    interactions = [each for each in result.effects if each.family == "interaction"]
    real = [each.name for each in interactions if each.verdict in ("better", "worse")]
    if real and design.kind not in TITLES:
        yield (
            f"They act on each other: {shortened(real, NAMES_LISTED)}. Their main effects are averages "
            "over both levels of the other one, so look at the means of the arms."
        )


def _looks(result: FactorialResult) -> Iterator[str]:
    """Says which verdicts hold at every look, and what an undecided one needs."""
    later = [each.name for each in result.effects if each.basis == "looks"]
    if later:
        names = "all of them" if len(later) == len(result.effects) else ", ".join(later)
        yield f"By e-values, which hold at every look (p = 2 / e-value): {names}."
    open_ = [each for each in result.effects if each.seeds_to_settle]
    if open_:
        most = max(each.seeds_to_settle or 0 for each in open_)
        total = max(each.n + (each.seeds_to_settle or 0) for each in open_)
        chance = min(each.chance_to_settle or 0.0 for each in open_)
        yield (
            f"(+n) n more seeds of every arm may settle it: with {counted(most, 'more seed')}, "
            f"design.seeds = {total}, each effect has a {chance:.0%} chance or more, if the noise stays "
            "as it is."
        )


def _how_tested(result: FactorialResult) -> str:
    if result.mode == "paired":
        seeds = counted(result.n_seeds, "seed")
        return f"Each of {seeds} gives an estimate of every effect; their spread is its noise."
    if result.mode == "pooled":
        df = f"{result.residual_df:g} degrees of freedom"
        return f"One linear model of all runs; its residuals, with {df}, are the noise."
    if result.lenth is not None:
        found = result.lenth
        return (
            f"No run is repeated: by Lenth's method, the {found.contrasts} effects that can be "
            f"estimated have a pseudo standard error of {found.pse:.4g}; margin of error "
            f"{found.margin:.4g}, simultaneous {found.simultaneous_margin:.4g} (simulated critical "
            "values)."
        )
    return (
        "No effect is tested: no run is repeated, and Lenth's method needs every combination of the "
        "design, three effects or more, and that not most of them are equal to zero. Run every arm "
        "twice or more."
    )

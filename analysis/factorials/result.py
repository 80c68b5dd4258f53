"""The effects of a factorial, with their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..decision import Verdict
from ..effect_verdict import EffectVerdict

Mode = Literal["paired", "pooled", "Lenth", "none"]
"""How effects are tested. `paired`: each seed gives an estimate, and they are compared by a (moderated)
paired t. `pooled`: one linear model, with the noise of repeated runs. `Lenth`: no run is repeated. `none`:
there is nothing to test them with."""
Family = Literal["main", "interaction"]
"""The questions that p-values are adjusted for: the main effects, or the interactions of two."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """An effect that is asked for."""

    name: str
    """The factor, or `clip × no-dropout`."""
    family: Family
    aliases: tuple[str, ...] = ()
    """Other effects that the runs cannot tell from it, each with its sign: `+ decay × bias`."""


@dataclass(frozen=True, kw_only=True)
class Effect(EffectVerdict, Question):
    """One effect with its verdict."""

    verdict: Verdict = "undecided"
    n: int = 0
    """Seeds that it is estimated from; without shared seeds, runs."""
    n_missing: int = 0
    """Seeds whose estimate is missing because runs are."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """An effect in the half-normal plot (Daniel 1959, Technometrics 1, 311-341)."""

    name: str
    order: int
    """Number of factors."""
    effect: float
    size: float
    """Its absolute value."""
    quantile: float
    """The half-normal quantile of its rank: effects of noise alone lie on a line through 0."""


@dataclass(frozen=True, kw_only=True)
class LenthMargins:
    """Lenth's margins; an effect beyond them is not noise."""

    contrasts: int
    pse: float
    """The pseudo standard error."""
    margin: float
    """Margin of error (ME) of a single effect, at alpha."""
    simultaneous_margin: float
    """Simultaneous margin of error (SME) of all effects."""


@dataclass(frozen=True, kw_only=True)
class FactorialResult:
    """The effects of a factorial."""

    mode: Mode
    effects: Sequence[Effect] = ()
    """Main effects first."""
    families: dict[Family, int] = field(default_factory=dict)
    """Number of questions in each family."""
    points: Sequence[Point] = ()
    """All effects that are estimated, the smallest first."""
    lenth: LenthMargins | None = None
    n_seeds: int = 0
    """Seeds that count; 0 without shared seeds."""
    seeds_left_out: int = 0
    """Seeds with a result in which so many runs are missing that they tell no effect."""
    arms_left_out: Sequence[str] = ()
    """Arms without enough results, which do not count."""
    not_estimable: Sequence[str] = ()
    """Main effects that the runs cannot tell."""
    defining_relation: Sequence[str] = ()
    """The words of a fraction: interactions with the same level in every run, each with its sign."""
    confounded_with_blocks: Sequence[str] = ()
    """Effects that change with the blocks, and with nothing else."""
    taken_for_zero: Sequence[str] = ()
    """Interactions that are left out of the model, because there are too few runs for all."""
    partial: Sequence[tuple[str, str, float]] = ()
    """Main effect, interaction, and the share of the interaction that the main effect contains."""
    is_orthogonal: bool = True
    residual_df: float = 0.0

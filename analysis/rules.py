"""The rules of an analysis: its questions, error rate and smallest effect, fixed before any run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any

from .looks import Look
from .multiplicity import CORRECTIONS, CorrectionName


@dataclass(frozen=True, kw_only=True)
class Race:
    """A plan whose arms get further seeds until they are decided: see `analysis.race`."""

    start: int
    """Seeds of the first look, at least 2."""
    seeds: Mapping[str, tuple[Any, ...]]
    """By arm: its seeds, in the order in which it gets them; the baseline has those of all."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The analysis of a study. Raises ValueError for an invalid value."""

    arms: tuple[str, ...]
    """The arms to compare with the baseline, in the order of the tables."""
    smallest_effect: float
    """Delta, nats: an effect inside +-delta is negligible. 0 means that every effect matters."""
    baseline: str = "baseline"
    """The arm that all others are compared with."""
    alpha: float = 0.05
    """Familywise error rate; also the level of equivalence tests, and 1 - coverage of intervals."""
    correction: CorrectionName = "holm"
    """How p-values are adjusted for the number of questions; "bh" makes the study exploratory."""
    outside_family: frozenset[str] = frozenset()
    """Arms outside the family (a placebo): tested at alpha and not counted as questions."""
    withdrawn: int = 0
    """Number of questions that earlier plans asked; they count like arms without a result."""
    higher_is_better: bool = False
    """True for an accuracy and the like: an effect above zero is an improvement."""
    looks: Mapping[str, Look] = field(default_factory=dict)
    """By arm: the seeds that were planned when its first result could be seen. An arm that is not
    here has had no look before this plan: all of its seeds are planned."""
    seen_before: frozenset[str] = frozenset()
    """Arms whose runs had results before this plan, under another study's name: their verdicts rest
    on e-values alone."""
    by_looks: bool = False
    """True if all arms are judged by e-values. `judge` sets it for the arms that a look left open."""
    race: Race | None = None
    """For a race, whose arms are judged by e-values at every look; None for a fixed plan."""
    pairs: bool = True
    """False if runs of arm and baseline with equal seeds do not pair: no noise is common to them."""
    margin: float | None = None
    """Nats, above 0: arms are also tested for an improvement by at least this much."""
    target: float | None = None
    """Nats: the mean of every arm, the baseline's included, is tested against it."""
    resolution: float = 0.0
    """The size of the last digit that the losses were computed from, if they do not show it: nats."""
    budgets: Mapping[str, float] = field(default_factory=dict)
    """Arms that are the baseline with another budget: their tokens over the baseline's. They turn
    effects into tokens, and are no questions: name them in `outside_family` too."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is {self.alpha}; give a number between 0 and 0.5")
        if not 0 <= self.smallest_effect < float("inf"):
            raise ValueError(f"smallest_effect is {self.smallest_effect}; give nats, 0 or more")
        if self.correction not in CORRECTIONS:
            raise ValueError(f"correction is {self.correction!r}; choose from {list(CORRECTIONS)}")
        if self.margin is not None and not 0 < self.margin < float("inf"):
            raise ValueError(f"margin is {self.margin}; give nats, above 0")
        if self.target is not None and not isfinite(self.target):
            raise ValueError(f"target is {self.target}; give a finite number")
        self._check_arms()

    def _check_arms(self) -> None:
        names = (self.baseline, *self.arms)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"arm {twice[0]!r} is named twice, the baseline included; name it once"
            )
        for what, arms in (("outside_family", self.outside_family), ("budgets", set(self.budgets))):
            unknown = sorted(arms - set(self.arms))
            if unknown:
                raise ValueError(
                    f"{what} names {unknown[0]!r}, which is no arm; arms: {list(self.arms)}"
                )

    @cached_property
    def family(self) -> tuple[str, ...]:
        """The arms that count as questions, failed and diverged ones included."""
        return tuple(arm for arm in self.arms if arm not in self.outside_family)

    @property
    def questions(self) -> int:
        """Number of questions that p-values are adjusted for."""
        return len(self.family) + self.withdrawn

    def log_choices(self, arm: str, n: int) -> float:
        """`Look.log_choices` of an arm; 0 if it has had no look."""
        return self.looks[arm].log_choices(n) if arm in self.looks else 0.0

    @property
    def strictest_alpha(self) -> float:
        """The strictest level at which the correction may test an arm."""
        return CORRECTIONS[self.correction].level(self.alpha, self.questions)

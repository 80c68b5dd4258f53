"""How much worse a metric may be: the bound of a guard, absolute or relative to the baseline."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How much worse than the baseline an arm may be. Raises ValueError for an impossible one."""

    amount: float
    """0 or more: in the unit of the metric or, if relative, a share of the baseline's mean."""
    is_relative: bool = False
    higher_is_better: bool = False
    """True for a metric such as a speed: worse is lower."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount >= 0):
            raise ValueError(f"the bound is {self.amount}; give a number, 0 or more")
        if self.is_relative and self.higher_is_better and self.amount >= 1:
            raise ValueError("nothing can be lower by 100% or more; give fewer percent")

    @property
    def change(self) -> float:
        """The bound as a signed change: -0.05 for "at most 5% slower", +0.002 for a loss."""
        return -self.amount if self.higher_is_better else self.amount

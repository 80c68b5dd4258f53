"""The verdict on one arm, and the verdicts on a study."""

from dataclasses import dataclass
from typing import Literal

from .effect_verdict import ComparisonVerdict
from .moderation import Prior
from .noise import Noise
from .spread import CommonSpread


@dataclass(frozen=True, kw_only=True)
class ArmSummary:
    """The runs of an arm. Losses in nats; None if a field does not apply."""

    arm: str
    n_done: int
    n_diverged: int
    n_failed: int
    n_missing: int
    """Queued, running or cancelled."""
    n_independent: int | None = None
    """Independent seeds among the done runs: fewer than runs if runs share init, order or dropout
    seeds. `n_shared`, `df` and `seeds_to_settle` count these."""
    n_shared: int | None = None
    """Seeds done in both arm and baseline, also if they do not pair. This and the fields below are
    None for the baseline, except `mean` and `sd`."""
    mean: float | None = None
    """Mean over the runs that are done; diverged runs are left out."""
    sd: float | None = None
    mean_used: float | None = None
    """Mean over the arm's runs that the effect rests on: those of the shared seeds, if pairs decide."""
    baseline_mean_used: float | None = None
    """The same of the baseline; the effect is `mean_used` minus this."""

    @property
    def n_ended(self) -> int:
        """Number of runs that are done, diverged or failed."""
        return self.n_done + self.n_diverged + self.n_failed


@dataclass(frozen=True, kw_only=True)
class ArmVerdict(ComparisonVerdict, ArmSummary):
    """The verdict on one arm. The effect is arm minus baseline, in nats."""

    p_negligible: float | None = None
    """The larger p of two one-sided tests of an effect outside +-delta."""
    pairing_gain: float | None = None
    """(var arm + var baseline) / var of the differences: how many unpaired seeds replace a pair."""
    correlation: float | None = None
    """Correlation of the arm's and the baseline's losses; None below three shared seeds."""
    correlation_low: float | None = None
    """Its 1 - alpha interval, by Fisher's z."""
    correlation_high: float | None = None
    n_planned: int | None = None
    """Seeds planned for the arm when its first result could be seen. 0 if its runs had results
    before this plan, or if some of these seeds are no longer in it: then nothing is fixed."""
    log_e_value: float | None = None
    """Natural log of the e-value against "no effect", over the shared seeds of the verdict."""
    p_margin: float | None = None
    """One-sided p: small if the arm is shown to be better by at least `Plan.margin`."""
    p_margin_adjusted: float | None = None
    by_margin: bool = False
    """True for a better arm with an adjusted p of the margin below alpha."""
    p_target: float | None = None
    """One-sided p: small if the mean is shown to be better than `Plan.target`. For the baseline,
    too; not adjusted: it is about the arm by itself."""
    worth_tokens: float | None = None
    """The effect in tokens: 0.12 if 12% more tokens would change the baseline's loss as much."""
    worth_tokens_low: float | None = None
    """Its 1 - alpha interval by Fieller; not adjusted for multiple comparisons."""
    worth_tokens_high: float | None = None
    worth_is_extrapolated: bool = False
    """True if `worth_tokens` lies outside the budgets of tokens that were trained."""
    looks: Literal["better", "worse"] | None = None
    """For a single run beyond the baseline's spread. It is no verdict: such a p holds only for
    normal noise as large as the baseline's."""
    runs_to_test: int | None = None
    """Runs on each side that would make an undecided comparison a test; None if it is one."""
    runs_counted: int | None = None
    """If `runs_to_test` is given: the independent runs of the side that has fewer."""
    hidden_by_rounding: bool = False
    """True if the differences vary less than rounding explains; then rounding gives their
    variance, and differences of one or two units of the last digit have the sign-flip test's p."""
    p_paired: float | None = None
    p_welch: float | None = None
    p_permutation: float | None = None
    divergence_rate: float | None = None
    """Diverged runs, of those that are done or diverged; None if there are none. Of the baseline,
    too."""
    divergence_rate_low: float | None = None
    """The exact 1 - alpha interval of the rate."""
    divergence_rate_high: float | None = None
    p_divergence: float | None = None
    """Fisher's exact test, two-sided, of the baseline's rate. This and the next three are None if no
    run of either diverged."""
    p_divergence_adjusted: float | None = None
    p_rank: float | None = None
    """Two-sided p of equal losses with a diverged run as the worst of all: Wilcoxon's signed ranks
    if the arm is judged by pairs, else Mann and Whitney's rank sums."""
    p_rank_claim: float | None = None
    """One-sided p, by the same test, of `verdict_converged` if that is in the arm's favour."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdicts on a study."""

    noise: Noise | None
    """Noise of the baseline; None with fewer than two baseline runs."""
    family: int
    """Number of questions that p-values were adjusted for."""
    shared_streams: tuple[str, ...] = ()
    """Seed columns in which runs of one arm share seeds: their runs are no independent seeds."""
    prior: Prior
    """The prior fitted to all arms' variances; `prior.df` is 0 if too few arms had pairs."""
    resolution: float
    """Size of the last digit of the losses, in nats; 0 if they have all their digits."""
    spread: CommonSpread | None = None
    """The standard deviation that all arms have in common; None if runs share seeds of streams."""
    arms: tuple[ArmVerdict, ...]
    """The baseline first, then the plan's arms in the plan's order."""

    def __getitem__(self, arm: str) -> ArmVerdict:
        for row in self.arms:
            if row.arm == arm:
                return row
        raise KeyError(f"no arm {arm!r}; arms: {[row.arm for row in self.arms]}")

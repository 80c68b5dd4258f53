"""All gates. A new gate is one more entry: a function in a file of its own, and a line here."""

from benchmarks.gates.apart import apart, single_runs
from benchmarks.gates.clusters import clusters
from benchmarks.gates.divergence import divergence
from benchmarks.gates.factorials import factorials
from benchmarks.gates.gate import Gate
from benchmarks.gates.guards import guards
from benchmarks.gates.judged import judged
from benchmarks.gates.looking import looking
from benchmarks.gates.many_questions import missed_intervals, worth_in_tokens, wrong_claims
from benchmarks.gates.paired import error_and_coverage, powers
from benchmarks.gates.pairs import pairs
from benchmarks.gates.partly import partly_shared
from benchmarks.gates.published import published, reference
from benchmarks.gates.races import races
from benchmarks.gates.real_runs import same_recipe
from benchmarks.gates.settling import settling
from benchmarks.gates.shapes import rounded, shapes, unequal
from benchmarks.gates.stacks import stacks

GATES: tuple[Gate, ...] = (
    Gate("paired", "Error at most 0.06, coverage 0.94 to 0.97: shared seeds.", error_and_coverage),
    Gate("power", "Three seeds see each effect of the unequal study in 0.80 of studies.", powers),
    Gate("shapes", "Error at most 0.06, worst arm's coverage 0.93: other noise.", shapes),
    Gate("unequal", "Error at most 0.06, worst arm's coverage 0.93: unequal seeds.", unequal),
    Gate("rounded", "Error at most 0.06: losses with 2, 3 and 4 decimals.", rounded),
    Gate(
        "apart",
        "Error at most 0.06, and where Welch's t keeps that, no less power: no shared seeds.",
        apart,
    ),
    Gate(
        "partly", "Error at most 0.06: a few shared seeds, compared without pairs.", partly_shared
    ),
    Gate("single", "A single run may look better or worse, and is never a verdict.", single_runs),
    Gate(
        "looking",
        "A look at 3, 5 or 7 seeds and later ones: error at most 0.06; e-values alone: 0.05.",
        looking,
    ),
    Gate(
        "races",
        "Races: error at most 0.05 over all looks, intervals at the stop 0.95, seeds until decided.",
        races,
    ),
    Gate("pairs", "Error at most 0.06 where it is fixed in advance whether seeds pair.", pairs),
    Gate("claims", "Negligible, better or worse: any wrong claim in at most 0.06.", wrong_claims),
    Gate("intervals", "Any of eight printed intervals misses in at most 0.06.", missed_intervals),
    Gate("tokens", "Intervals of effects in tokens cover 0.94 to 0.97.", worth_in_tokens),
    Gate("guards", "Arms at the bound of a guard: any is called not worse in 0.06.", guards),
    Gate(
        "clusters",
        "Runs that share seeds: error at most 0.06, coverage of the noise at least 0.93.",
        clusters,
    ),
    Gate("divergence", "Null arms that diverge as the baseline: any verdict in 0.06.", divergence),
    Gate(
        "judged",
        "Scores of a judge: intervals for other items cover 0.94, mean variances within a tenth.",
        judged,
    ),
    Gate("settling", "Stated chances of further seeds come true within 10 points.", settling),
    Gate("stacks", "A stack's predicted interval holds the true sum in at least 0.93.", stacks),
    Gate(
        "factorials",
        "Main effects and interactions: error at most 0.06 each, worst coverage 0.93.",
        factorials,
    ),
    Gate("published", "Published numbers, to the printed digits.", published),
    Gate("reference", "The published single runs: noise, prediction t, Holm.", reference),
    Gate(
        "real", "Real runs of one recipe as arms: any better or worse in at most 0.06.", same_recipe
    ),
)

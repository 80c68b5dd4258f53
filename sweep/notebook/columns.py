"""The columns of the tables for notebooks, each with its meaning: what `docs/results.md` shows.

Imports nothing of ours: it is used in the user's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

NUMBER: Final = "number"
TEXT: Final = "text"
TIME: Final = "time"
DICTIONARY: Final = "dictionary"
LIST: Final = "list"


class Column(NamedTuple):
    """A column of a table."""

    kind: str
    """`NUMBER`: NaN where there is none. `TIME`: a timestamp in UTC; NaT where there is none."""
    meaning: str


Columns = Mapping[str, Column]

LOAD: Columns = {
    "arm": Column(TEXT, "name of the arm"),
    "seed": Column(NUMBER, "as the study names it"),
    "init_seed": Column(NUMBER, "seed of the initial weights"),
    "order_seed": Column(NUMBER, "seed of the order of the text"),
    "dropout_seed": Column(NUMBER, "seed of the dropout masks"),
    "loss": Column(
        NUMBER,
        "test loss in nats per token, or the primary metric of the study; NaN if there is none",
    ),
    "status": Column(TEXT, "queued, running, done, diverged, failed or cancelled"),
    "run": Column(TEXT, "id of the run: `runs/RUN` is its folder"),
    "repeat_of": Column(TEXT, "always empty here: exact reruns are not part of a study"),
    "recipe": Column(DICTIONARY, "every field that determines the result"),
    "corpus_hash": Column(TEXT, "hash of the text"),
    "family": Column(TEXT, "the run's fingerprint without the seeds"),
    "owner": Column(TEXT, "the scheduler that runs it"),
    "attempt": Column(NUMBER, "number of the claim that holds it"),
    "beat": Column(NUMBER, "grows while the scheduler that runs it lives"),
    "failures": Column(NUMBER, "attempts that failed since a command last queued it"),
    "retry_at": Column(TIME, "next attempt after a failure"),
    "bits_per_byte": Column(NUMBER, "of the test text"),
    "diverged_at": Column(NUMBER, "step at which it diverged"),
    "cause": Column(TEXT, "why it diverged or failed"),
    "last_loss": Column(NUMBER, "last finite training loss"),
    "steps": Column(NUMBER, "steps that it has trained"),
    "tokens": Column(NUMBER, "tokens that it has trained on"),
    "tokens_per_second": Column(NUMBER, "training speed"),
    "skipped_steps": Column(NUMBER, "steps whose gradient was not finite"),
    "micro_batch": Column(NUMBER, "sequences per process and pass"),
    "processes": Column(NUMBER, "data-parallel processes"),
    "notes": Column(LIST, "remarks on how the run went"),
    "started": Column(TIME, "when the run was started"),
    "first_step": Column(TIME, "when it took its first step"),
    "finished": Column(TIME, "when it had its result"),
    "provenance": Column(DICTIONARY, "code, packages, device, corpus"),
    "further": Column(DICTIONARY, "further columns of an imported file"),
    "device": Column(TEXT, "name of the processor or GPU"),
    "torch": Column(TEXT, "version of torch; empty for scripts and imports"),
}
"""Columns of `sweep.load`: a row per arm and seed. More follow: see `load`."""

CURVES: Columns = {
    "arm": Column(TEXT, "name of the arm"),
    "seed": Column(NUMBER, "as the study names it"),
    "run": Column(TEXT, "id of the run"),
    "step": Column(NUMBER, "optimiser steps so far, or steps as a script counts them"),
    "loss": Column(NUMBER, "training loss in nats per token; NaN for scripts"),
    "learning_rate": Column(NUMBER, "at that step"),
    "grad_norm": Column(NUMBER, "mean over the steps since the point before, before clipping"),
    "clipped": Column(NUMBER, "fraction of those steps whose gradient was clipped"),
    "skipped": Column(NUMBER, "number of those steps whose gradient was not finite"),
    "tokens_per_second": Column(NUMBER, "training speed since the point before"),
}
"""Columns of `sweep.curves`: a row per run and step. Each metric that a script reports follows."""

EFFECTS: Columns = {
    "arm": Column(TEXT, "name of the arm; of a factorial, name of the effect"),
    "interventions": Column(TEXT, "names of its interventions, joined by commas"),
    "n_done": Column(NUMBER, "runs that have a result"),
    "n_diverged": Column(NUMBER, "runs that diverged"),
    "n_failed": Column(NUMBER, "runs that failed"),
    "n_missing": Column(NUMBER, "runs that have not ended"),
    "mean": Column(NUMBER, "mean of the runs that are done"),
    "sd": Column(NUMBER, "their standard deviation"),
    "effect": Column(NUMBER, "arm minus baseline"),
    "ci_low": Column(NUMBER, "end of its interval, not adjusted"),
    "ci_high": Column(NUMBER, "other end"),
    "ci_low_adjusted": Column(NUMBER, "end of the interval that the verdict uses"),
    "ci_high_adjusted": Column(NUMBER, "other end"),
    "ci_level": Column(NUMBER, "coverage of the adjusted interval"),
    "standard_error": Column(NUMBER, "of the effect"),
    "df": Column(NUMBER, "degrees of freedom of the test"),
    "p": Column(NUMBER, "p-value of an effect of zero"),
    "p_adjusted": Column(NUMBER, "the same, adjusted for the family"),
    "p_negligible_adjusted": Column(
        NUMBER, "p-value of an effect outside ± the smallest effect, adjusted"
    ),
    "method": Column(TEXT, "the test"),
    "pairing_gain": Column(NUMBER, "unpaired runs that one paired run is worth"),
    "verdict": Column(TEXT, "better, worse, negligible, undecided, unstable or identical"),
    "basis": Column(
        TEXT, "what the verdict rests on: planned seeds, looks, a race, or provisional"
    ),
    "looks": Column(TEXT, "better or worse, for single runs that look so: no verdict"),
    "seeds_to_settle": Column(NUMBER, "further seeds of the arm that may settle the verdict"),
    "chance_to_settle": Column(NUMBER, "the probability that they do"),
    "seconds": Column(NUMBER, "seconds that all runs of the arm took together"),
}
"""Columns of `sweep.effects`: a row per arm, or per effect of a factorial.

With guards, four columns follow for each, such as `guard_tokens_per_second_state`.
"""

NOISE: Columns = {
    "study": Column(TEXT, "name of the study"),
    "stream": Column(TEXT, "`all`, or the random stream that varies: init, order, dropout"),
    "source": Column(TEXT, "`sweep noise`, or `runs` for the baseline's runs in the study"),
    "n": Column(NUMBER, "runs"),
    "mean": Column(NUMBER, "mean of the runs; only of `all`"),
    "sd": Column(NUMBER, "standard deviation of single runs"),
    "ci_low": Column(NUMBER, "end of its 95% interval"),
    "ci_high": Column(NUMBER, "other end"),
    "share": Column(NUMBER, "share of the variance; only of a stream"),
    "device": Column(TEXT, "where the runs were trained"),
    "measured": Column(TIME, "when; empty for `runs`"),
}
"""Columns of `sweep.noise`: a row for all noise, and one per stream that was measured by itself."""

PLAN: Columns = {
    "study": Column(TEXT, "name of the study"),
    "arm": Column(TEXT, "name of the arm"),
    "changes": Column(TEXT, "fields that differ from the baseline's, as in a study file"),
    "parameters": Column(NUMBER, "parameters of the model; empty for scripts"),
    "steps": Column(NUMBER, "steps of a run; empty for scripts"),
    "runs": Column(NUMBER, "runs of the arm"),
    "done": Column(NUMBER, "runs that have a result"),
    "visible_effect": Column(
        NUMBER, "smallest effect that is seen with 80% power; empty before the arm has run"
    ),
}
"""Columns of `sweep.plan`: a row per arm."""

TABLES: Mapping[str, Columns] = {
    "load": LOAD,
    "curves": CURVES,
    "effects": EFFECTS,
    "noise": NOISE,
    "plan": PLAN,
}
"""Columns by the name of the function."""

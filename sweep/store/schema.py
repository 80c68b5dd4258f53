"""The tables of the store."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from sweep.store.enumeration import Stored
from sweep.store.states import AttemptOutcome, RunState

SCHEMA_VERSION = 5
"""Version of the tables below. `ADDED` upgrades older ones to it."""

metadata = MetaData()

LONGEST_ARM_NAME = 250
"""Characters: as many as MLflow takes; W&B takes 128. SQLite does not check the length of texts."""
LONGEST_METRIC_NAME = 128
"""Characters."""

versions = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, comment="version of these tables"),
)

studies = Table(
    "studies",
    metadata,
    Column("name", String(64), primary_key=True, comment="as commands and reports name it"),
    Column("path", Text, nullable=False, comment="the study file that was last run"),
    Column("plan_hash", String(64), nullable=False, comment="the plan that was last run"),
    Column("last_run", Float, nullable=False, comment="Unix time"),
    Column("paused", Float, comment="Unix time at which it was paused; empty if it is not"),
    Column("imported", Boolean, comment="true if the results come from the file `path`"),
    Column("note", Text, comment="what a person has written about it"),
    Column("tags", JSON, comment="words that a person has given it"),
)

plans = Table(
    "plans",
    metadata,
    Column("study", ForeignKey("studies.name"), primary_key=True),
    Column("hash", String(64), primary_key=True, comment="hash of the content"),
    Column(
        "content", JSON, nullable=False, comment="arms, seeds and analysis, fixed before any result"
    ),
    Column("stored", Float, nullable=False, comment="Unix time"),
)

arms = Table(
    "arms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study", ForeignKey("studies.name"), nullable=False),
    Column(
        "name",
        String(64).with_variant(String(LONGEST_ARM_NAME), "postgresql"),
        nullable=False,
        comment="as the study names it",
    ),
    Column("position", Integer, nullable=False, comment="the baseline is 0"),
    Column(
        "interventions", JSON, nullable=False, comment="names of the interventions that it combines"
    ),
    Column("changes", JSON, nullable=False, comment="recipe fields that differ from the baseline"),
    UniqueConstraint("study", "name"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(80), primary_key=True, comment="fingerprint of recipe, corpus and metric"),
    Column("repeat_of", ForeignKey("runs.id"), comment="set for an exact rerun, never evidence"),
    Column(
        "recipe",
        JSON,
        nullable=False,
        comment="every field that determines the result, with the seeds",
    ),
    Column(
        "corpus_hash", String(64), nullable=False, comment="hash of the text and of how it is read"
    ),
    Column("family", String(64), nullable=False, comment="the fingerprint without the seeds"),
    Column("init_seed", BigInteger, nullable=False, comment="seed of the initial weights"),
    Column("order_seed", BigInteger, nullable=False, comment="seed of the order of the text"),
    Column("dropout_seed", BigInteger, nullable=False, comment="seed of the dropout masks"),
    Column(
        "state",
        Stored(RunState),
        nullable=False,
        comment="queued, running, done, diverged, failed, cancelled; see sweep.store.states",
    ),
    Column("owner", String(128), comment="the scheduler that runs it"),
    Column("attempt", Integer, comment="number of the claim that holds it: the fencing token"),
    Column("beat", Integer, comment="grows while the scheduler that runs it lives"),
    Column("failures", Integer, comment="attempts that failed since a command last queued it"),
    Column("retry_at", Float, comment="Unix time of the next attempt after a failure"),
    Column("test_loss", Float, comment="nats per token; else the primary metric of the study"),
    Column("bits_per_byte", Float, comment="of the test text"),
    Column("diverged_at", Integer, comment="step"),
    Column("cause", Text, comment="why it diverged or failed"),
    Column("last_loss", Float, comment="last finite training loss"),
    Column("steps", Integer, comment="steps that it has trained"),
    Column("tokens", BigInteger, comment="tokens that it has trained on"),
    Column("tokens_per_second", Float, comment="training speed"),
    Column("skipped_steps", Integer, comment="their gradient was not finite"),
    Column("micro_batch", Integer, comment="sequences per process and pass"),
    Column("processes", Integer, comment="data-parallel processes"),
    Column("notes", JSON, comment="remarks on how the run went, as sentences"),
    Column("started", Float, comment="Unix time"),
    Column("first_step", Float, comment="Unix time"),
    Column("finished", Float, comment="Unix time"),
    Column("provenance", JSON, comment="code, packages, device, corpus"),
    Column("further", JSON, comment="further columns of an imported file"),
    Index("runs_by_family", "family"),
    Index("runs_by_state", "state"),
)

runs_by_repeat = Index("runs_by_repeat", runs.c.repeat_of)

members = Table(
    "members",
    metadata,
    Column("arm_id", ForeignKey("arms.id", ondelete="CASCADE"), primary_key=True),
    Column("seed", BigInteger, primary_key=True, comment="as the study names it"),
    Column("run_id", ForeignKey("runs.id"), nullable=False),
    Index("members_by_run", "run_id"),
)

planned_runs = arms.join(members).join(runs)
"""Each arm and seed of every study, with its run."""

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, comment="from 1"),
    Column("claimed", Float, nullable=False, comment="Unix time"),
    Column("ended", Float, comment="Unix time"),
    Column("outcome", Stored(AttemptOutcome), comment="see sweep.store.states"),
    Column("reason", Text, comment="why it ended so, as a sentence"),
    Column("peak_bytes", BigInteger, comment="largest memory of the run"),
)

curves = Table(
    "curves",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("step", Integer, primary_key=True, comment="optimiser steps so far"),
    Column("loss", Float, comment="training loss in nats per token"),
    Column("learning_rate", Float, nullable=False, comment="at that step"),
    Column(
        "grad_norm", Float, comment="mean over the steps since the point before, before clipping"
    ),
    Column("clipped", Float, comment="fraction of those steps"),
    Column("skipped", Integer, comment="steps whose gradient was not finite"),
    Column("tokens_per_second", Float, nullable=False, comment="since the point before"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column(
        "name",
        String(LONGEST_METRIC_NAME),
        primary_key=True,
        comment="such as bits_per_byte, or what a script calls it",
    ),
    Column("value", Float, nullable=False, comment="in the unit of the metric"),
    sqlite_with_rowid=False,
)
"""Every metric of every run; of an import with one metric, `runs.test_loss` alone has it."""

metric_points = Table(
    "metric_points",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column(
        "name", String(LONGEST_METRIC_NAME), primary_key=True, comment="as in the table metrics"
    ),
    Column("step", Integer, primary_key=True, comment="as the script counts it"),
    Column("value", Float, nullable=False, comment="in the unit of the metric"),
    sqlite_with_rowid=False,
)
"""Curves of metrics, as scripts report them."""

chunk_losses = Table(
    "chunk_losses",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("chunk", Integer, primary_key=True, comment="number of the chunk of test text"),
    Column("loss", Float, nullable=False, comment="nats per token"),
)

references = Table(
    "reference_models",
    metadata,
    Column(
        "study",
        ForeignKey("studies.name"),
        primary_key=True,
        comment="the study whose reports show it",
    ),
    Column(
        "test_text",
        String(64),
        primary_key=True,
        comment="hash of the text and of the evaluation settings",
    ),
    Column("weights_hash", String(64), primary_key=True),
    Column("name", Text, nullable=False, comment="its name in reports"),
    Column("folder", Text, nullable=False, comment="the folder it was loaded from"),
    Column("test_loss", Float, nullable=False, comment="nats per token"),
    Column("bits_per_byte", Float, nullable=False, comment="of that text"),
    Column("parameters", BigInteger, nullable=False, comment="number of its parameters"),
    Column("context", Integer, nullable=False, comment="tokens that it can see"),
    Column("evaluated", Float, nullable=False, comment="Unix time"),
    Column("provenance", JSON, nullable=False, comment="code, device, torch"),
)
"""Models that a study did not train, measured on its test text. They take part in no test."""

noises = Table(
    "noises",
    metadata,
    Column("study", String(64), primary_key=True, comment="the study whose baseline was measured"),
    Column(
        "fingerprint", String(64), primary_key=True, comment="hash of all columns but `content`"
    ),
    Column("recipe", JSON, nullable=False, comment="the baseline's, and the streams that vary"),
    Column("corpus_hash", String(64), nullable=False, comment="as in the table runs"),
    Column("device", Text, nullable=False, comment="name of the device"),
    Column("measured", Float, nullable=False, comment="Unix time"),
    Column(
        "content", JSON, nullable=False, comment="the JSON that `sweep noise --format json` prints"
    ),
)

trials = Table(
    "trials",
    metadata,
    Column("study", ForeignKey("studies.name"), primary_key=True, comment="the searching study"),
    Column("search", String(64), primary_key=True, comment="hash of the arm, fields and sampler"),
    Column("number", Integer, primary_key=True, comment="from 0"),
    Column("arm", Text, nullable=False, comment="the arm that is tuned"),
    Column("name", Text, nullable=False, comment="its arm in this study, which has its runs"),
    Column("field_values", JSON, nullable=False, comment="recipe fields that were tried"),
    Column("sampler_state", JSON, nullable=False, comment="what Optuna's sampler remembers"),
    Column("pruned_at", Integer, comment="step at which it was stopped"),
    Column("refused", Text, comment="why its values give no valid recipe"),
    Column("asked", Float, nullable=False, comment="Unix time"),
)
"""Trials of searches. Their states and values are those of their runs."""

ADDED: dict[int, tuple[Table | Column[Any] | Index, ...]] = {
    2: (
        runs.c.skipped_steps,
        runs.c.micro_batch,
        runs.c.processes,
        runs.c.notes,
        curves.c.clipped,
        curves.c.skipped,
    ),
    3: (
        runs_by_repeat,
        noises,
        runs.c.attempt,
        runs.c.beat,
        runs.c.failures,
        runs.c.retry_at,
        runs.c.further,
        studies.c.paused,
        studies.c.imported,
        references,
    ),
    4: (metrics, metric_points, trials),
    5: (studies.c.note, studies.c.tags),
}
"""Tables, columns and indexes that each version added, in the order in which they are created.

An older database gets them when it is opened. A column that is never empty needs `server_default`.
"""
DROPPED = {3: (("runs", "lease_until"),)}
"""Columns that each version removed, as (table, column)."""

"""The fields of an imported run, and the column names that stand for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sweep.metrics.metric import Direction
from sweep.metrics.names import direction_of_name, words_of_name
from sweep.study.names import STREAM_COLUMNS


class Field(StrEnum):
    """A field of an imported run. The value is its name in `--column FIELD=COLUMN`."""

    ARM = "arm"
    LOSS = "loss"
    SEED = "seed"
    INIT_SEED = "init_seed"
    ORDER_SEED = "order_seed"
    DROPOUT_SEED = "dropout_seed"
    STATUS = "status"
    STEP = "step"
    RUN = "run"
    """Tells runs apart in a file with a row for each step."""


STREAM_FIELDS = tuple(Field(name) for name in STREAM_COLUMNS)
"""Seeds of single random streams."""
SEED_FIELDS = (Field.SEED, *STREAM_FIELDS)
"""Runs of two arms pair if all of these agree."""

PREFIXES = (
    *("", "config.", "params.", "summary.", "metrics.", "tags."),
    *("config/", "params_", "user_attrs_"),
)
"""Prefixes of column names: in MLflow's `search_runs`, W&B's API, flattened JSON, Ray, Optuna."""
RUN_NAMES = ("Name", "name", "tags.mlflow.runName", "run_name")
"""Columns with the name of a run, which often ends in its seed."""
RUN_LABELS = (*RUN_NAMES, "file", "run", "Run", "dir_name")
"""Columns whose names of runs may end in a seed, if one of them is taken for the arm."""
OTHER_NAMES: dict[Field, tuple[str, ...]] = {
    Field.ARM: ("Group", "group", *RUN_NAMES),
    Field.SEED: (
        *("random_seed", "rng_seed", "manual_seed", "global_seed", "torch_seed", "seed_everything"),
        *("trainer.seed", "training.seed", "train.seed", "train_seed", "run_seed"),
    ),
    Field.STATUS: ("State", "Status", "state"),
    Field.STEP: ("_step", "Step"),
    Field.RUN: ("Run ID", "run_id"),
}
"""Column names other than the field's own, the likelier ones first."""
TEST_SPLITS = frozenset({"test", "eval", "val", "valid", "validation", "dev", "heldout"})
"""Words for text that a model was not trained on, in the name of a loss."""
LOSS_WORDS = frozenset({"loss", "nll", "ppl", "perplexity", "bpb", "entropy"})
"""Words for a loss, in the name of a column."""
SETTINGS_PREFIXES = ("config.", "config/", "params.", "params_", "user_attrs_")
"""Prefixes of what a run was told to do, as opposed to what it did."""
MATCHES = "matches"
"""The column with the number of lines of a log that match, where none has a step."""
_PROGRESS_WORDS = (
    frozenset({"step", "steps", "iter", "iters", "iteration", "iterations"}),
    frozenset({"epoch", "epochs"}),
    frozenset({"tokens"}),
    frozenset({"samples", "examples"}),
    frozenset({MATCHES}),
)
"""Words for how far a run got, those of the finest unit first."""
_WORDS_BESIDE = frozenset(
    {"last", "final", "end", "total", "num", "n", "global", "current", "seen", "consumed"}
    | {"processed", "train", "trainer", "training", "optimizer", "completed"}
)
"""Words beside these in the name of a column: `trainer/global_step`; not `warmup_steps`."""
RUN_TABLE_COLUMNS = ("State", "Status", "run_id")
"""A file with one of these has a row for each run: its `_step` is where the run ended."""


def recognise(present: Sequence[str]) -> Iterator[tuple[Field, str]]:
    """Yield the fields whose columns can be told by their names; if need be, in another case."""
    per_run = any(name in present for name in RUN_TABLE_COLUMNS)
    in_any_case = {name.lower(): name for name in reversed(present)}
    for field in Field:
        others = OTHER_NAMES.get(field, ()) if field == Field.SEED else ()
        own_names = [f"{prefix}{name}" for name in (field, *others) for prefix in PREFIXES]
        for wanted in (*own_names, *OTHER_NAMES.get(field, ())):
            name = wanted if wanted in present else in_any_case.get(wanted.lower())
            end_of_run = field == Field.STEP and name != Field.STEP and per_run
            if name is not None and not end_of_run:
                yield field, name
                break


def find_test_losses(present: Sequence[str]) -> list[str]:
    """Return the columns that look like a test loss: `eval_loss`, `test/loss`, `loss/val` ..."""
    return [name for name in present if is_test_loss(name)]


def is_test_loss(name: str) -> bool:
    """True for a name that consists of `loss` and a word for a test text."""
    words = _words(name)
    return len(words) == 2 and "loss" in words and not TEST_SPLITS.isdisjoint(words)


def is_test_split(name: str) -> bool:
    """True for a name with a word for a test text."""
    return not TEST_SPLITS.isdisjoint(_words(name))


def is_test_metric(name: str) -> bool:
    """True for a name with a word for a test text and a word for a kind of loss."""
    words = _words(name)
    return not TEST_SPLITS.isdisjoint(words) and not LOSS_WORDS.isdisjoint(words)


def find_ends_of_runs(present: Sequence[str]) -> list[str]:
    """Return the columns that say how far each run got, the likeliest one first."""
    told = [name for name in present if not name.lower().startswith(SETTINGS_PREFIXES)]
    words = {name: set(_words(name)) - _WORDS_BESIDE for name in told}
    return [
        name for unit in _PROGRESS_WORDS for name in told if words[name] and words[name] <= unit
    ]


def direction_of(column: str) -> Direction | None:
    """Return the direction in which the metric of a column improves, if its name says so."""
    return direction_of_name(bare_name(column))


def _words(name: str) -> list[str]:
    """Return the words of a column's name: `summary.evalLoss` has `eval` and `loss`."""
    return words_of_name(bare_name(name))


def bare_name(name: str) -> str:
    """Return a column's name without a prefix: `config.lr` is `lr`."""
    for prefix in PREFIXES:
        if prefix and name.startswith(prefix):
            return name.removeprefix(prefix)
    return name

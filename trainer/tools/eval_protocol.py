"""What `trainer.tools.evals` is asked, and what it answers. Quick to import."""

from __future__ import annotations

from model.config import Config


class ScoredTask(Config):
    """The scores of a run on one task, or on a group of tasks."""

    identity: str
    """SHA-256 of the task with its items and settings, and of lm-eval's version."""
    lm_eval: str
    """The version of lm-eval."""
    values: dict[str, float]
    """By TASK.METRIC, also of the tasks in a group."""
    higher_is_better: dict[str, bool]
    """By TASK.METRIC; metrics of which lm-eval does not say it are left out."""
    items: dict[str, int]
    """By task: how many items were scored."""


class RunRequest(Config):
    """A run to score, and what is known of it."""

    run_id: str
    folder: str
    known: dict[str, str]
    """Identities of the tasks that it has scores on, by name."""


class Request(Config):
    """Runs to score on tasks."""

    tasks: list[str]
    """Names of tasks, groups or tags."""
    include_path: str | None = None
    """A folder with further tasks, as YAML files."""
    few_shot: int | None = None
    """Examples in front of each item; None: as each task says."""
    limit: int | None = None
    """Score the first items of each task only; None for all."""
    runs: list[RunRequest]


class Scored(Config):
    """The scores of one run on the tasks that it had none of."""

    run_id: str
    tasks: dict[str, ScoredTask]

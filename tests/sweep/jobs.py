"""Jobs of the built-in trainer."""

from __future__ import annotations

from sweep.trainers.builtin import GptRun
from sweep.workload.job import Job
from trainer.recipe import Recipe

FAMILY = "f" * 64


def make_gpt_job(
    recipe: Recipe, corpus_hash: str = "c", family: str = FAMILY, repeat_of: str | None = None
) -> Job:
    """The job of a recipe, or of its exact rerun."""
    run_id = f"{repeat_of}-again" if repeat_of else recipe.fingerprint(corpus_hash)
    return Job(
        run_id=run_id,
        family=family,
        corpus_hash=corpus_hash,
        repeat_of=repeat_of,
        spec=GptRun(recipe),
    )

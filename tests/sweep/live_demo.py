"""A live display of eight slots on the terminal, until its input ends; tests look at it."""

from __future__ import annotations

import sys

from sweep.progress.terminal import watch
from sweep.progress.time_left import TimeLeft
from sweep.terminal.console import SafeConsole
from tests.sweep.jobs import make_gpt_job
from trainer.recipe import Recipe
from trainer.rundir.directory import Event

JOBS = [
    make_gpt_job(Recipe.model_validate({"seeds": {"init": seed, "order": seed, "dropout": seed}}))
    for seed in range(9)
]
LABELS = {job.run_id: f"an-intervention/{seed}" for seed, job in enumerate(JOBS)}
EVENT = Event(step=3, loss=3.0, learning_rate=0.1, grad_norm=1.0, tokens_per_second=123_456.0)

with watch(SafeConsole(), LABELS, len(JOBS), TimeLeft(JOBS, 8)) as progress:
    for slot, job in enumerate(JOBS[:8]):
        progress.started(job, f"cpu {slot}")
        progress.advanced(job, EVENT)
    progress.failed(JOBS[8], "an outcome", pause=None)
    sys.stdin.read()

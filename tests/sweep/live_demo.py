"""A live display of eight slots and four arms, until its input ends; tests look at it."""

from __future__ import annotations

import sys

from sweep.progress.screen import Standing
from sweep.progress.surroundings import Surroundings
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
BASELINE = Standing(arm="baseline", ended=5, planned=5, mean=2.3)
ARMS = [
    Standing(
        arm=f"arm-{number}",
        ended=5,
        planned=5,
        effect=0.01 * (2 - number),
        low=0.01 * (2 - number) - 0.005,
        high=0.01 * (2 - number) + 0.005,
        verdict="better",
    )
    for number in range(1, 4)
]
AROUND = Surroundings(standings=lambda: [BASELINE, *ARMS])

with watch(SafeConsole(), LABELS, len(JOBS), TimeLeft(JOBS, 8), AROUND) as progress:
    for slot, job in enumerate(JOBS[:8]):
        progress.started(job, f"cpu {slot}")
        progress.advanced(job, EVENT)
    progress.failed(JOBS[8], "an outcome", pause=None)
    sys.stdin.read()

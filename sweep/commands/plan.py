"""`sweep plan`: what would run, and what it could show; trains and writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from model.config import parameter_count
from sweep.console import say
from sweep.estimate import Pace, guessed_pace, measured_pace, sight
from sweep.explain import shown
from sweep.jobs import Workload, make_workload
from sweep.progress import duration
from sweep.queue import FINISHED
from sweep.running import unfinished
from sweep.slots import find_slots
from sweep.store import Store
from sweep.workspace import Workspace, read_plan
from trainer.recipe import vocabulary_size


def plan(workspace: Workspace, path: Path, slots: int | None, console: Console) -> int:
    """Print the arms of a study and what running it would take; the exit status."""
    workload = make_workload(read_plan(path), workspace.cache)
    store = workspace.open_if_any()
    console.print(arms_table(store, workload))
    print_outline(
        store, workload, len(find_slots(slots, workload.plan.study.jobs.gpus_per_run)), console
    )
    return 0


def arms_table(store: Store | None, workload: Workload) -> Table:
    """A row per arm: what it changes, its size, its runs."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", no_wrap=True)
    table.add_column("changes", overflow="fold")
    for title in ("parameters", "steps", "runs", "done"):
        table.add_column(title, justify="right")
    jobs = workload.jobs()
    states = store.states([job.run_id for job in jobs.values()]) if store else {}
    for arm in workload.plan.arms:
        ids = [jobs[arm.name, seed].run_id for seed in workload.plan.seeds]
        done = sum(states.get(run_id) in FINISHED for run_id in ids)
        recipe = arm.recipe
        size = parameter_count(recipe.model, vocabulary_size(recipe.data.tokenizer))
        numbers = (size, recipe.steps, len(ids), done)
        table.add_row(arm.name, changes(arm.changes), *(f"{number:,}" for number in numbers))
    return table


def changes(fields: dict[str, Any]) -> str:
    """`model.dropout = 0.0, ...`."""
    return ", ".join(f"{field} = {shown(value)}" for field, value in fields.items())


def print_outline(store: Store | None, workload: Workload, slots: int, console: Console) -> None:
    """A few lines: how much is to be done, how long it takes, what it can show."""
    study, jobs = workload.plan.study, list(workload.jobs().values())
    missing = unfinished(store, jobs) if store else jobs
    tokens = sum(job.recipe.steps * job.recipe.tokens_per_step for job in missing)
    flops = sum(job.recipe.flops for job in missing)
    say(
        console,
        f"{study.name}: {len(workload.plan.arms)} arms × {len(workload.plan.seeds)} seeds = "
        f"{len(jobs)} runs, {len(jobs) - len(missing)} done already, {len(missing)} to train; "
        f"{tokens:,} tokens, {flops:.2g} floating-point operations.",
    )
    for corpus in workload.corpora.values():
        info = corpus.info
        say(
            console,
            f"Corpus {info.corpus} ({info.tokenizer}): {info.train_tokens:,} training and "
            f"{info.test_tokens:,} test tokens in {info.documents:,} documents.",
        )
    if missing:
        pace = measured_pace(store, jobs) or guessed_pace(slots)
        say(console, f"Time: {_time(pace, workload, slots, store)}.")
    say(console, _sight_words(store, workload))


def _time(pace: Pace, workload: Workload, slots: int, store: Store | None) -> str:
    jobs = list(workload.jobs().values())
    missing = unfinished(store, jobs) if store else jobs
    seconds = sum(pace.seconds(job.recipe) for job in missing) / min(slots, len(missing))
    places = "one run at a time" if slots == 1 else f"{slots} runs at a time"
    return f"about {duration(seconds)}, {places} ({pace.source})"


def _sight_words(store: Store | None, workload: Workload) -> str:
    seen = sight(store, workload)
    if seen is None:
        return (
            "Smallest visible effect: unknown until the baseline has run with two seeds; "
            "`sweep noise` measures it."
        )
    words = (
        f"Smallest visible effect at 80% power: {seen.unpaired:.4f} if pairing were worth nothing"
    )
    if seen.paired:
        low, high = seen.paired
        words += f", {low:.4f} to {high:.4f} paired, arm by arm"
    return f"{words} (from {seen.runs} baseline runs)."

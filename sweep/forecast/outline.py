"""What running a study would take and could show, in a table and a few lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sweep.design.plan import Plan
from sweep.forecast.pace import Pace
from sweep.forecast.power import Power, known_chance
from sweep.store.states import FINISHED
from sweep.store.store import Store
from sweep.study.overrides import shown_overrides
from sweep.terminal.console import say
from sweep.terminal.printable import shown
from sweep.terminal.units import duration
from sweep.trainers.base import Cost
from sweep.trainers.inputs import Supply
from sweep.workload.job import Job
from sweep.workload.workload import Workload

SHOWN_ARMS = 100
"""Rows of the table of arms."""


@dataclass(frozen=True)
class Outline:
    """A plan, and what is known of its runs."""

    plan: Plan
    workload: Workload | None
    """None where a corpus or weights are not at hand, so that nobody can tell which runs are done."""
    store: Store | None
    sd: float | None = None
    """Of single runs of the baseline, in nats, where somebody has given it."""

    @cached_property
    def power(self) -> Power | None:
        """What the plan can see; None where nothing is known of the noise."""
        chance = known_chance(self.store, self.plan, self.workload, self.sd)
        return Power(plan=self.plan, chance=chance) if chance else None

    @cached_property
    def jobs(self) -> dict[tuple[str, int], Job]:
        """By arm and seed; empty where they are not known."""
        return self.workload.jobs() if self.workload else {}

    @cached_property
    def done(self) -> set[tuple[str, int]]:
        """Arms and seeds that have a result."""
        if self.store is None:
            return set()
        states = self.store.states([job.run_id for job in self.jobs.values()])
        return {key for key, job in self.jobs.items() if states.get(job.run_id) in FINISHED}

    @cached_property
    def missing(self) -> list[Cost]:
        """Costs of the runs that are still to be trained."""
        every = [(arm, seed) for arm in self.plan.arms for seed in self.plan.seeds]
        return [arm.specs[seed].cost for arm, seed in every if (arm.name, seed) not in self.done]


def arm_rows(outline: Outline) -> list[dict[str, Any]]:
    """What each arm changes, its size, its runs, as JSON values."""
    seeds = outline.plan.seeds
    return [
        {
            "arm": arm.name,
            "changes": arm.changes,
            "parameters": arm.spec.cost.parameters,
            "steps": arm.spec.cost.steps,
            "runs": len(seeds),
            "done": sum((arm.name, seed) in outline.done for seed in seeds),
        }
        for arm in outline.plan.arms
    ]


def print_arms(outline: Outline, console: Console) -> None:
    """A row per arm, as far as anybody reads on."""
    rows = arm_rows(outline)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", no_wrap=True)
    table.add_column("changes", overflow="fold")
    numbers = ("parameters", "steps", "runs", "done")
    for title in numbers:
        table.add_column(title, justify="right")
    for row in rows[:SHOWN_ARMS]:
        cells = (f"{row[title]:,}" for title in numbers)
        table.add_row(row["arm"], _changes(row["changes"]), *cells)
    console.print(table)
    if len(rows) > SHOWN_ARMS:
        say(console, f"… and {len(rows) - SHOWN_ARMS:,} arms more: --format json has them all.")


def _changes(fields: dict[str, Any]) -> str:
    """`model.dropout = 0.0, ...`."""
    return ", ".join(f"{field} = {shown(value)}" for field, value in fields.items())


def print_outline(outline: Outline, pace: Pace | None, slots: int, console: Console) -> None:
    """How much is to be done, how long it takes with `slots` runs at a time, what it can show.

    Without a pace there is no word on time.
    """
    if outline.plan.overrides:
        say(console, f"Overridden: {shown_overrides(outline.plan.overrides)}.")
    say(console, _work_words(outline))
    for supply in outline.workload.inputs.supplies.values() if outline.workload else ():
        say(console, _corpus_words(supply))
    if outline.missing and pace:
        say(console, _time_words(outline, pace, slots))
    for line in _sight_words(outline.power):
        say(console, line)


def _corpus_words(supply: Supply) -> str:
    data, corpus = supply.data, supply.corpus
    if corpus is None:
        size = supply.source.size
        amount = f", {size:,} bytes" if size else ""
        return (
            f"Corpus {shown(data.corpus)} ({data.tokenizer}): not prepared yet{amount}; "
            "`sweep data prepare STUDY` does it, or `sweep run`."
        )
    info = corpus.info
    return (
        f"Corpus {info.corpus} ({info.tokenizer}): {info.train_tokens:,} training and "
        f"{info.test_tokens:,} test tokens in {info.extent}."
    )


def _work_words(outline: Outline) -> str:
    plan, missing = outline.plan, outline.missing
    tokens = sum(cost.tokens for cost in missing)
    flops = sum(cost.flops for cost in missing)
    return (
        f"{plan.study.name}: {len(plan.arms)} arms × {len(plan.seeds)} seeds = "
        f"{len(plan.arms) * len(plan.seeds)} runs, {len(outline.done)} done already, "
        f"{len(missing)} to train; {tokens:,} tokens, {flops:.2g} floating-point operations."
    )


def _time_words(outline: Outline, pace: Pace, slots: int) -> str:
    training = sum(pace.seconds(cost) for cost in outline.missing)
    gpus = outline.plan.study.jobs.gpus_per_run
    places = "one run at a time" if slots == 1 else f"{slots} runs at a time"
    shared = f" on {gpus} GPUs" if gpus > 1 else ""
    cost = f" ({training * gpus / 3600:,.1f} GPU-hours)" if gpus > 1 else ""
    baseline = outline.plan.arms[0].spec.cost
    return (
        f"Time: about {duration(training / min(slots, len(outline.missing)))}, {places}{shared}; "
        f"{training / 3600:,.3g} hours of training and evaluation{cost} at "
        f"{pace.tokens_per_second(baseline):,.0f} tokens a second ({pace.source})."
    )


def _sight_words(power: Power | None) -> list[str]:
    if power is None:
        return [
            (
                "Smallest visible effect: unknown until the baseline has run with two seeds; "
                "`sweep noise` measures it."
            )
        ]
    content = power.content()
    noise, visible = content["noise"], content["smallest_visible_effect"]
    words = [
        (
            f"Smallest visible effect at 80% power, {_level_words(power)}: "
            f"{_seen(visible['unpaired'])} unpaired"
        )
    ]
    if visible["arms"]:
        low, high = visible["arms"][0], visible["arms"][-1]
        words.append(
            f"paired, as it will be judged, {_seen(visible['paired'])} in the middle arm "
            f"({low['arm']} {_seen(low['effect'])} to {high['arm']} {_seen(high['effect'])})"
        )
    else:
        words.append("paired, as it will be judged, mostly less: how much shows once arms have run")
    doubt = ", and other things hold now (`sweep plan` names them)" if noise["warning"] else ""
    return [
        f"{'; '.join(words)}. Noise: sd {noise['sd']:.4f}, {noise['source']}{doubt}.",
        *_loss_words(power, visible),
    ]


def _loss_words(power: Power, visible: dict[str, Any]) -> list[str]:
    """Why pairing sees less, where it does."""
    unpaired, paired = visible["unpaired"], visible["paired"]
    if unpaired is None or not visible["arms"] or (paired is not None and paired <= unpaired):
        return []
    known = power.chance.paired
    noisier = known[len(known) // 2].sd > math.sqrt(2) * power.chance.sd
    why = (
        "the middle arm's differences vary more than those of unrelated runs would, as far as the "
        "runs that there are can tell"
        if noisier
        else f"over {len(power.plan.seeds)} seeds a paired test has fewer degrees of freedom"
    )
    return [f"Pairing does not help here: {why}."]


def _level_words(power: Power) -> str:
    family, settings = len(power.plan.arms) - 1, power.plan.study.analysis
    if power.alpha == settings.alpha:
        return f"alpha {power.alpha:g}"
    return f"alpha {settings.alpha:g} over {family} arms"


def _seen(effect: float | None) -> str:
    return "nothing" if effect is None else f"{effect:.4f}"

"""Print the time and the price of training, and of the seeds that detect an effect."""

from __future__ import annotations

from collections.abc import Iterator

from sweep.forecast.forecast import Forecast
from sweep.forecast.price import SeedsNeeded, TrainingTime
from sweep.terminal.units import duration, rough_duration
from trainer.words import counted

MANY_HOURS = 10
"""Training that takes longer is told in hours."""


def time_line(time: TrainingTime) -> str:
    """The time from start to end, and what it is estimated from."""
    at_once = _at_once(time)
    several = time.gpus_per_run > 1 and time.may_have_gpus
    if not time.pace.is_known:
        return f"Time: {time.pace.source}; {at_once}."
    doubt = "" if time.pace.spread == 1.0 else "; the first runs will tell"
    gpu_hours = f" ({time.gpu_hours:,.1f} GPU-hours)" if several else ""
    return (
        f"Time: {_elapsed_words(time)}, {at_once}; "
        f"{_work_words(time.hours, rough=time.pace.spread != 1.0)} of training and evaluation{gpu_hours}{_speed(time)} "
        f"({time.pace.source}{doubt})."
    )


def runs_at_a_time(slots: int, runs: int) -> str:
    """`2 runs at a time`, if there are slots and runs for them."""
    used = max(1, min(slots, runs))
    return "one run at a time" if used == 1 else f"{used} runs at a time"


def _at_once(time: TrainingTime) -> str:
    """`4 runs at a time on 2 GPUs each`; on Slurm, only the cluster knows whether it has room."""
    room = " if Slurm has room for them" if time.executor == "slurm" else ""
    return f"{runs_at_a_time(time.slots, time.runs)}{_parts(time)}{room}"


def _parts(time: TrainingTime) -> str:
    """What a run is spread over. Whether there are GPUs, only the machine that trains it knows."""
    if time.gpus_per_run <= 1:
        return ""
    each = " each" if time.used_slots > 1 else ""
    processes = f"in {time.gpus_per_run:g} processes{each}"
    if not time.may_have_gpus:
        return f" {processes}"
    return f" on {time.gpus_per_run:g} GPUs{each} ({processes} without GPUs)"


def search_line(time: TrainingTime) -> str:
    """The runs that a search still trains before the arms are compared."""
    if not time.runs:
        return "Search: all trials are done."
    took = f": {_elapsed_words(time)}" if time.pace.is_known else ""
    return (
        "Search, before that: the trials and the arm tuned with their best values, "
        f"{counted(time.runs, 'run')} to train{took}."
    )


def _speed(time: TrainingTime) -> str:
    speed = time.tokens_per_second
    return f" at {speed:,.0f} tokens a second" if speed else ""


def _elapsed_words(time: TrainingTime) -> str:
    """`about 6 min`, or `3 min to 12 min` if the pace is a guess."""
    seconds, spread = time.elapsed_seconds, time.pace.spread
    if spread == 1.0:
        return f"about {_at_least_a_second(seconds)}"
    low, high = rough_duration(seconds / spread), rough_duration(seconds * spread)
    return f"about {low}" if low == high else f"{low} to {high}"


def _work_words(hours: float, *, rough: bool = True) -> str:
    """`5 min 13 s`, or `5 min 10 s` if it is a guess; from ten hours on `1,230 hours`."""
    if hours >= MANY_HOURS:
        return f"{hours:,.0f} hours"
    seconds = hours * 3600
    return rough_duration(seconds) if rough else _at_least_a_second(seconds)


def _at_least_a_second(seconds: float) -> str:
    return duration(max(1.0, seconds))


def wanted_lines(forecast: Forecast) -> Iterator[str]:
    """The cost, and the seeds that detect the wanted effect, if the user asked for them."""
    cost, effect, wanted = forecast.time.cost, forecast.effect, forecast.wanted
    if cost is not None:
        trials = forecast.trials.cost if forecast.trials else None
        more = f", and {trials:,.2f} for the search" if trials else ""
        yield f"Cost of the runs to train: {cost:,.2f}{more}, at {forecast.price.per_hour:g} an hour."
    if effect is not None and wanted is None:
        yield (
            f"The seeds that detect an effect of {effect:g} depend on the noise, which is unknown: "
            "give it with --sd, or measure it with `sweep noise`."
        )
    if wanted is not None:
        start = f"To see {wanted.effect:g} with 80% power"
        unknown = "unknown until arms have run"
        if forecast.outline.plan.pairs:
            yield f"{start} paired, in the median arm: {_needed_words(wanted.paired, unknown)}."
        yield f"{start} unpaired: {_needed_words(wanted.unpaired, 'more than 10,000 seeds')}."


def _needed_words(needed: SeedsNeeded, unknown: str) -> str:
    if needed.seeds is None:
        return unknown
    cost = "" if needed.cost is None else f", {needed.cost:,.2f}"
    hours = "" if needed.hours is None else f", {_work_words(needed.hours)}"
    return f"{needed.seeds} seeds, {needed.runs:,} runs{hours}{cost}"

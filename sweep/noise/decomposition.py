"""`--decompose`: the runs that tell the three streams of random numbers apart, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import StudyError, did_you_mean, listed
from sweep.study.file import BASELINE, STREAMS, Study
from sweep.trainers.base import RunSpec
from sweep.workload.job import Job
from sweep.workload.workload import Workload
from trainer.recipe import Seeds

if TYPE_CHECKING:
    import pandas as pd

LEVELS = 4
"""Seeds of each stream, unless more are asked for: the fewest that a share is quoted on."""


@dataclass(frozen=True)
class Question:
    """What `--decompose` asks for."""

    streams: tuple[str, ...]
    levels: int = LEVELS


def parse_streams(words: str) -> tuple[str, ...]:
    """`init,order` as a tuple. Raises StudyError for what is no stream, or named twice."""
    asked = tuple(word.strip() for word in words.split(","))
    for word in asked:
        if word not in STREAMS:
            raise StudyError(
                f"--decompose {words}: {word!r} is no stream of random numbers"
                f"{did_you_mean(word, STREAMS)}; those there are: {', '.join(STREAMS)}"
            )
    if len(set(asked)) < len(asked):
        raise StudyError(f"--decompose {words}: name each stream once")
    return asked


def idle_streams(study: Study, spec: RunSpec) -> dict[str, str]:
    """The streams that make no difference between the study's runs, and why."""
    held = {
        stream: f"design.vary holds it at {study.design.hold}"
        for stream in STREAMS
        if stream not in study.design.vary
    }
    return held | spec.idle_streams()


def layout_jobs(workload: Workload, question: Question, seeds: Sequence[int]) -> dict[str, Job]:
    """The jobs of the smallest crossed layout, by label; those with one seed throughout included.

    `seeds` are the levels of every stream. Raises StudyError where there is nothing to tell apart.
    """
    from analysis.variance.streams import crossed_layout

    study, arm = workload.plan.study, workload.plan.arms[0]
    idle = idle_streams(study, arm.spec)
    moving = [stream for stream in STREAMS if stream not in idle]
    _check(question, idle, moving)
    try:
        cells = crossed_layout(question.levels, len(moving))
    except ValueError as error:
        raise StudyError(f"--levels {question.levels}: {error}") from error
    jobs = {}
    for cell in cells:
        chosen = {stream: seeds[index] for stream, index in zip(moving, cell, strict=True)}
        base = study.design.streams(seeds[cell[0]]).model_dump()
        streams = Seeds(**{**base, **chosen})
        label = f"{BASELINE}/{'-'.join(str(getattr(streams, name)) for name in STREAMS)}"
        jobs[label] = workload.job(arm.spec.with_seeds(streams))
    return jobs


def imported_decomposition(
    runs: pd.DataFrame, columns: Sequence[str], question: Question
) -> dict[str, Any]:
    """The same of runs from elsewhere, whose file had the seeds in `columns`.

    Raises StudyError for a stream that the file has no column for.
    """
    there = [stream for stream in STREAMS if f"{stream}_seed" in columns]
    for stream in question.streams:
        if stream not in there:
            have = listed(f"{name}_seed" for name in there) if there else "no column of that kind"
            raise StudyError(
                f"--decompose {stream}: the imported file had no column {stream}_seed; it had {have}"
            )
    moving = [stream for stream in there if len(set(runs[f"{stream}_seed"])) > 1]
    done = runs[runs["status"] == "done"]
    return decomposition(done, list(dict.fromkeys([*moving, *question.streams])), question.streams)


def _check(question: Question, idle: Mapping[str, str], moving: Sequence[str]) -> None:
    for stream in question.streams:
        if stream in idle:
            raise StudyError(
                f"--decompose {stream}: that stream makes no difference here: {idle[stream]}"
            )
    if len(moving) == 1:
        raise StudyError(
            f"--decompose {moving[0]}: it is the only stream that makes a difference here, so all "
            "of the noise comes from it and there is nothing to decompose"
        )


def decomposition(
    runs: pd.DataFrame, streams: Sequence[str], asked: Sequence[str]
) -> dict[str, Any]:
    """`components` and `decomposition` of the JSON, from baseline runs with their stream seeds.

    Every one of `streams` is told apart, those `asked` for are reported.
    """
    from analysis.variance.streams import (
        UndecidableError,
        decompose,
    )

    try:
        found = decompose(runs, {stream: f"{stream}_seed" for stream in streams})
    except UndecidableError as error:
        return {"components": None, "decomposition": {"n": len(runs), "reason": f"{error}"}}
    parts = {stream: asdict(found.streams[stream]) for stream in asked}
    keys = ("sd", "ci_low", "ci_high", "share")
    details = {
        stream: {key: value for key, value in part.items() if key not in keys}
        for stream, part in parts.items()
    }
    return {
        "components": {stream: {key: part[key] for key in keys} for stream, part in parts.items()},
        "decomposition": {
            "n": found.n,
            "method": found.method,
            "rest_sd": found.rest_sd,
            "streams": details,
            "reason": _no_share({s: part for s, part in parts.items() if part["share"] is None}),
        },
    }


def _no_share(streams: Mapping[str, Mapping[str, Any]]) -> str | None:
    from analysis.variance.component import FEWEST_LEVELS

    if not streams:
        return None
    counts = (f"{each['separable']} of {each['levels']} of {s}" for s, each in streams.items())
    return (
        f"no share is quoted on fewer than {FEWEST_LEVELS} seeds whose effect can be told from that "
        f"of the other streams' seeds, and here these are {listed(counts)}"
    )

"""`sweep noise --decompose`: split the noise by stream of random numbers.

`layout_jobs` chooses the runs that tell the streams apart, `decomposed` analyses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sweep.errors import StudyError, did_you_mean, listed
from sweep.noise.results import Decomposition, NotDecomposed, StreamDecomposition
from sweep.noise.runs import BaselineRun, done_runs
from sweep.study.file import Study
from sweep.study.names import BASELINE, STREAMS
from sweep.trainers.base import RunSpec
from sweep.workload.job import Job
from sweep.workload.workload import Workload
from trainer.recipe import Seeds

if TYPE_CHECKING:
    from analysis.variance.component import MethodName

LEVELS = 4
"""Default number of seeds of each stream: the smallest one for which a share is quoted."""


@dataclass(frozen=True)
class Question:
    """The streams that `--decompose` names, and how they are to be told apart."""

    streams: tuple[str, ...]
    levels: int = LEVELS
    """Seeds of each stream that are trained."""
    inside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By stream whose seeds are numbered anew in each seed of others: these others."""
    method: MethodName | None = None
    """None: the method of moments for a balanced layout, REML for another."""


def parse_question(words: str, levels: int = LEVELS, method: MethodName | None = None) -> Question:
    """`init/order,dropout`: three streams, and order 1 of init 1 is not order 1 of init 2.

    Raises StudyError for an unknown stream or one named twice.
    """
    inside = dict[str, Sequence[str]]()
    for chain in words.split(","):
        parts = [word.strip() for word in chain.split("/")]
        inside |= {inner: parts[:i] for i, inner in enumerate(parts) if i}
    streams = parse_streams(words.replace("/", ","))
    return Question(streams=streams, levels=levels, inside=inside, method=method)


def parse_streams(words: str) -> tuple[str, ...]:
    """`init,order` as a tuple. Raises StudyError for an unknown stream or one named twice."""
    asked = tuple(word.strip() for word in words.split(","))
    for word in asked:
        if word not in STREAMS:
            raise StudyError(
                f"--decompose {words}: {word!r} is not a stream of random numbers"
                f"{did_you_mean(word, STREAMS)}; the streams are {', '.join(STREAMS)}"
            )
    if len(set(asked)) < len(asked):
        raise StudyError(f"--decompose {words}: name each stream once")
    return asked


def idle_streams(study: Study, spec: RunSpec) -> dict[str, str]:
    """The streams that make no difference between the study's runs, each with its reason."""
    held = {
        stream: f"design.vary holds it at {study.design.hold}"
        for stream in STREAMS
        if stream not in study.design.vary
    }
    return held | spec.idle_streams()


def active_streams(study: Study, spec: RunSpec) -> list[str]:
    """The streams that make a difference between the study's runs."""
    idle = idle_streams(study, spec)
    return [stream for stream in STREAMS if stream not in idle]


def layout_jobs(workload: Workload, question: Question, seeds: Sequence[int]) -> dict[str, Job]:
    """The jobs of the smallest crossed layout, by label; the study's own runs among them.

    `seeds` are the levels of every stream. Raises StudyError if there is nothing to tell apart.
    """
    from analysis.variance.streams import crossed_layout

    if question.inside:
        inner, (*_, outer) = next(iter(question.inside.items()))
        raise StudyError(
            f"--decompose {outer}/{inner}: this is for imported runs; runs that are trained here "
            f"have the same seeds of {inner} in each seed of {outer}, so write {outer},{inner}"
        )
    study, arm = workload.plan.study, workload.plan.arms[0]
    active = active_streams(study, arm.spec)
    _check(question, idle_streams(study, arm.spec), active)
    try:
        cells = crossed_layout(question.levels, len(active))
    except ValueError as error:
        raise StudyError(f"--levels {question.levels}: {error}") from error
    jobs = {}
    for cell in cells:
        chosen = {stream: seeds[index] for stream, index in zip(active, cell, strict=True)}
        base = study.design.streams(seeds[cell[0]]).model_dump()
        streams = Seeds(**{**base, **chosen})
        label = f"{BASELINE}/{'-'.join(str(getattr(streams, name)) for name in STREAMS)}"
        jobs[label] = workload.job(arm.spec.with_seeds(streams))
    return jobs


def _check(question: Question, idle: Mapping[str, str], active: Sequence[str]) -> None:
    for stream in question.streams:
        if stream in idle:
            raise StudyError(
                f"--decompose {stream}: this stream makes no difference here: {idle[stream]}"
            )
    if len(active) == 1:
        raise StudyError(
            f"--decompose {active[0]}: it is the only stream that makes a difference here, so all "
            "of the noise comes from it and there is nothing to decompose"
        )


def imported_decomposition(
    runs: Sequence[BaselineRun], columns: Sequence[str], question: Question
) -> Decomposition:
    """Decompose the noise of an imported study, which has the stream seeds in `columns`.

    Raises StudyError for a stream without a column in the imported file.
    """
    present = [stream for stream in STREAMS if _column(stream) in columns]
    for stream in question.streams:
        if stream not in present:
            have = listed(map(_column, present)) if present else "no column of that kind"
            raise StudyError(
                f"--decompose {stream}: the imported file has no column {_column(stream)}; it has "
                f"{have}"
            )
    active = [stream for stream in present if len({_seed(run, stream) for run in runs}) > 1]
    streams = list(dict.fromkeys([*active, *question.streams]))
    return decomposed(done_runs(runs), streams, question)


def decomposed(
    runs: Sequence[BaselineRun], streams: Sequence[str], question: Question
) -> Decomposition:
    """Decompose the variance of finished baseline runs.

    The analysis tells all of `streams` apart; the result has those that are asked for.
    """
    import pandas as pd

    from analysis.variance.component import MIN_LEVELS
    from analysis.variance.streams import UndecidableError, decompose

    frame = pd.DataFrame(runs, columns=list(BaselineRun._fields))
    try:
        found = decompose(
            frame,
            {stream: _column(stream) for stream in streams},
            method=question.method,
            inside=question.inside,
        )
    except UndecidableError as error:
        return NotDecomposed(n=len(runs), reason=f"{error}")
    if tied := [stream for stream in question.streams if stream not in found.streams]:
        reason = f"{listed(found.single)} all change with every run, so {tied[0]} has no share of its own"
        return NotDecomposed(n=len(runs), reason=reason)
    parts = {stream: found.streams[stream] for stream in question.streams}
    counts = {
        stream: f"{part.separable} of {part.levels}"
        for stream, part in parts.items()
        if part.separable < MIN_LEVELS
    }
    return StreamDecomposition(
        n=found.n,
        method=found.method,
        rest_sd=found.rest_sd,
        streams=parts,
        reason=_no_share(counts) if counts else None,
        inside={name: list(outer) for name, outer in found.outer.items() if name in parts},
        single=list(found.single),
    )


def _no_share(counts: Mapping[str, str]) -> str:
    """Why streams have no share; `counts` has `3 of 4` for each of them: separable of all seeds."""
    from analysis.variance.component import MIN_LEVELS

    return (
        f"a share needs {MIN_LEVELS} seeds with effects that can be told from those of the "
        f"other streams' seeds, and there are {listed(f'{n} of {s}' for s, n in counts.items())}"
    )


def _column(stream: str) -> str:
    return f"{stream}_seed"


def _seed(run: BaselineRun, stream: str) -> int:
    return int(getattr(run, _column(stream)))

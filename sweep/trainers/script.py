"""Scripts and functions of users behind the interface of `sweep.trainers.base`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import JsonValue, ValidationError

from sweep.errors import StudyError
from sweep.executors.base import Ended
from sweep.study.file import Study
from sweep.study.jobs_section import Jobs
from sweep.study.metrics_section import MetricSettings, SourceSettings
from sweep.study.mistakes import Mistake
from sweep.study.names import STREAMS
from sweep.study.parameters_section import set_parameters
from sweep.study.script_code import mentions
from sweep.study.trainer_section import ONE_SEED, STREAM_NAMES, ScriptTrainer
from sweep.trainers.base import UNKNOWN_COST, Cost, End, Inputs, RunIdentity, RunSpec, hashed
from sweep.trainers.ends import find_result, read_end
from sweep.trainers.preloads import heavy_imports
from sweep.trainers.script_mistakes import find_program, script_mistakes
from trainer.errors import RunDirectoryError
from trainer.files import write_json
from trainer.recipe import Seeds
from trainer.rundir.directory import RunDirectory
from trainer.scripts.request import MetricSource, ScriptRequest

if TYPE_CHECKING:
    from sweep.trainers.supply import Supply
    from trainer.corpora.corpus import Corpus

VERSION = 1
"""Version of what is hashed into a fingerprint."""


@dataclass(frozen=True)
class ScriptRun:
    """A run of a script; see `sweep.trainers.base.RunSpec`."""

    script: ScriptTrainer
    folder: Path
    """The folder in which it is run, absolute."""
    code: Mapping[str, str]
    """SHA-256 of its files, by their paths."""
    values: Mapping[str, JsonValue]
    """All parameters."""
    sources: Mapping[str, MetricSource]
    """Where each metric comes from. They do not belong to the fingerprint."""
    primary: str
    """The metric that verdicts are about."""
    seeds: Seeds

    @property
    def cost(self) -> Cost:
        return UNKNOWN_COST

    @property
    def identity(self) -> str:
        return json.dumps(self._identity(), sort_keys=True)

    def with_seeds(self, seeds: Seeds) -> ScriptRun:
        return replace(self, seeds=seeds)

    def idle_streams(self) -> dict[str, str]:
        used = self.script.streams
        return {name: "the script has no such stream" for name in STREAMS if name not in used}

    def parameters(self) -> dict[str, Any]:
        return {**self._identity(), "seeds": self.seeds.model_dump()}

    @property
    def stream_seeds(self) -> dict[str, int]:
        """The seeds by the names that the script has for its streams."""
        names = self.script.seed
        return {name: getattr(self.seeds, STREAM_NAMES.get(name, "init")) for name in names}

    def run_identity(self) -> RunIdentity:
        """Return the ids of this run."""
        own = {"version": VERSION, **self._identity()}
        return RunIdentity(
            run_id=hashed({**own, "seeds": self.stream_seeds}), family=hashed(own), corpus_hash=""
        )

    def write_request(self, directory: RunDirectory, identity: RunIdentity, settings: Jobs) -> None:
        request = ScriptRequest(
            command=self.script.command,
            function=self.script.function,
            folder=str(self.folder),
            environment=self.script.environment,
            parameters=dict(self.values),
            seeds=self.stream_seeds,
            metrics=dict(self.sources),
            primary=self.primary,
            flags="flags"
            if self.script.flags
            else "overrides"
            if self.script.overrides
            else "none",
            code=dict(self.code),
            processes=max(1, int(settings.gpus_per_run)),
            run_id=identity.run_id,
            family=identity.family,
            repeat_of=identity.repeat_of,
        )
        directory.path.mkdir(parents=True, exist_ok=True)
        fields = request.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        write_json(directory.script, fields)

    def find_result(self, directory: RunDirectory) -> End | None:
        return find_result(directory, self.primary)

    def read_end(self, directory: RunDirectory, ended: Ended) -> End:
        return read_end(directory, ended, self.primary)

    def _identity(self) -> dict[str, Any]:
        script = self.script.model_dump(
            mode="json", exclude_defaults=True, exclude={"code", "workdir", "pairs"}
        )
        if not self.script.takes_one_seed:
            script |= {"seed": sorted(self.script.seed)}
        return {"trainer": script, "code": dict(self.code), "parameters": dict(self.values)}


@dataclass(frozen=True)
class NoInputs:
    """The inputs of scripts, which find their data themselves; see `sweep.trainers.base.Inputs`."""

    study: Study
    supplies: Sequence[Supply] = ()

    def identify(self, specs: Sequence[RunSpec]) -> list[tuple[RunIdentity, ScriptRun]]:
        return [(spec.run_identity(), spec) for spec in map(script_run, specs)]

    def check(self, spec: RunSpec) -> None:
        """Scripts are checked when the study is read."""

    def notes(self, specs: Iterable[RunSpec]) -> list[str]:  # noqa: ARG002  (the same for all arms)
        return list(_notes(self.study))

    def prepare_large(self, make: Callable[[Supply], Corpus]) -> Inputs:  # noqa: ARG002  (none)
        return self

    def save_small(self) -> None:
        """There is nothing to write."""


class ScriptRuns:
    """See `sweep.trainers.base.Trainer`."""

    def find_mistakes(self, study: Study) -> list[Mistake]:
        return script_mistakes(study)

    def preload(self, study: Study) -> Sequence[str]:
        function = study.script.function
        return heavy_imports(function, study.script_folder) if function else ()

    def make_spec(self, study: Study, changes: Mapping[str, Any], seeds: Seeds) -> ScriptRun:
        values = set_parameters(study.parameters, changes)
        return ScriptRun(
            script=study.script,
            folder=study.script_folder,
            code=study.code,
            values=cast("dict[str, JsonValue]", values),
            sources={name: metric_source(each) for name, each in study.metrics.items()},
            primary=study.metric.name,
            seeds=seeds,
        )

    def read_run(self, directory: RunDirectory) -> tuple[RunIdentity, ScriptRun] | None:
        if not directory.script.exists():
            return None
        request = _read_request(directory)
        if request.run_id is None or request.family is None:
            return None
        identity = RunIdentity(
            run_id=request.run_id,
            family=request.family,
            corpus_hash="",
            repeat_of=request.repeat_of,
        )
        return identity, _spec_of(request)

    def find_inputs(
        self,
        study: Study,
        specs: Sequence[RunSpec],  # noqa: ARG002  (they read nothing)
        cache: Path,  # noqa: ARG002
        beside: Path,  # noqa: ARG002
        *,
        online: bool,  # noqa: ARG002
    ) -> NoInputs:
        find_program(study.script, study.script_folder)
        return NoInputs(study)


def script_run(spec: RunSpec) -> ScriptRun:
    """The run of a script. Raises StudyError for another trainer's."""
    if not isinstance(spec, ScriptRun):
        raise StudyError("this works for runs of a script only")
    return spec


def metric_source(settings: MetricSettings) -> MetricSource:
    """Where a metric comes from, as the request of a run has it."""
    place = settings.source
    if isinstance(place, SourceSettings):
        return MetricSource(
            regex=place.regex,
            take=place.take,
            step_regex=place.step_regex,
            json=place.json_,
            line=place.line,
        )
    return MetricSource(wall=place == "wall")


def _read_request(directory: RunDirectory) -> ScriptRequest:
    try:
        return ScriptRequest.model_validate_json(directory.script.read_bytes())
    except (OSError, ValidationError) as error:
        raise RunDirectoryError(f"{directory.script} cannot be read, or is damaged") from error


def _spec_of(request: ScriptRequest) -> ScriptRun:
    """The run that a request was written for."""
    names = list(request.seeds)
    streams = {STREAM_NAMES.get(name, "init"): seed for name, seed in request.seeds.items()}
    if names == [ONE_SEED]:
        streams = dict.fromkeys(STREAMS, *request.seeds.values())
    script = ScriptTrainer(
        command=request.command,
        function=request.function,
        environment=request.environment,
        flags=request.flags == "flags",
        overrides=request.flags == "overrides",
        seed=names,
    )
    return ScriptRun(
        script=script,
        folder=Path(request.folder),
        code=request.code,
        values=request.parameters,
        sources=request.metrics,
        primary=request.primary,
        seeds=Seeds(**{"init": 0, "order": 0, "dropout": 0, **streams}),
    )


def _notes(study: Study) -> Iterable[str]:
    script = study.script
    words = " ".join([*(script.command or []), *script.environment.values()])
    files = (study.script_folder / path for path in study.code)
    is_given = any(f"{{{name}}}" in words for name in script.seed)
    if script.command and not is_given and not mentions(b"SWEEP_SEED", files):
        yield (
            "Nothing in the command uses "
            + " or ".join(f"{{{name}}}" for name in script.seed)
            + ": the script has to read $SWEEP_SEED, or all seeds train the same run"
        )

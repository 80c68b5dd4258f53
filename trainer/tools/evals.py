"""Scores of runs on tasks of lm-eval (Gao et al., "A framework for few-shot language model evaluation").

Reads a `Request` as JSON on standard input. Writes lines of JSON on standard output: first which tasks
each run lacks (`{RUN_ID: [TASK, ...]}`), then a `Scored` for each of these runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import EvalError
from trainer.rundir.directory import RunDirectory
from trainer.tools.child import answer
from trainer.tools.eval_protocol import Request, Scored, ScoredTask
from trainer.weights.export import export

BATCH_SIZE = 16
"""Sequences that a model reads at once; it does not change scores, but for rounding."""
PLAIN = "none"
"""The name of no filter in lm-eval."""


def main() -> int:
    """Answer the request on standard input; returns the exit status."""
    return answer(_answer)


def _answer(content: bytes) -> None:
    request = Request.model_validate_json(content)
    with _own_output() as write:
        for value in score(request):
            write(json.dumps(value.model_dump() if isinstance(value, Scored) else value))


@contextlib.contextmanager
def _own_output() -> Iterator[Callable[[str], None]]:
    """Keep standard output for our lines: lm-eval and the libraries below it print, too."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as lines:
        os.dup2(2, 1)

        def write(line: str) -> None:
            lines.write(line + "\n")
            lines.flush()

        yield write


def score(request: Request) -> Iterator[Mapping[str, list[str]] | Scored]:
    """Yield the tasks that runs lack, by run, then the scores of each of these runs.

    Raises EvalError if lm-eval is not installed, has no such task, or cannot score a run.
    """
    harness = _Harness(request)
    identities = {name: harness.identity(name) for name in request.tasks}
    lacking = {
        each.run_id: [name for name in request.tasks if each.known.get(name) != identities[name]]
        for each in request.runs
    }
    yield {run_id: names for run_id, names in lacking.items() if names}
    for each in request.runs:
        if names := lacking[each.run_id]:
            found = harness.score(RunDirectory(Path(each.folder)), names)
            tasks = {name: harness.scored(name, identities[name], found) for name in names}
            yield Scored(run_id=each.run_id, tasks=tasks)


class _Harness:
    """lm-eval with the tasks of a request."""

    def __init__(self, request: Request) -> None:
        self._request = request
        try:
            from lm_eval.tasks import TaskManager
        except ImportError as error:
            raise EvalError(
                f"lm-eval is not installed completely here ({error}); type pip install 'gpt-sweep[evals]'"
            ) from error
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        if request.include_path and not Path(request.include_path).is_dir():
            raise EvalError(f"--include-path {request.include_path} is not a folder")
        self._version = version("lm_eval")
        self._manager = TaskManager(include_path=request.include_path)
        self._tasks = {name: self._load(name) for name in request.tasks}

    def _load(self, name: str) -> Mapping[str, Any]:
        """The tasks of this name: itself, or those of a group or tag."""
        known = self._manager.all_tasks
        if name not in known:
            near = get_close_matches(name, known, 1)
            advice = f"; did you mean {near[0]!r}?" if near else ";"
            raise EvalError(
                f"lm-eval {self._version} has no task {name!r}{advice} `lm-eval ls tasks` lists its "
                "tasks; --include-path DIR adds those of a folder"
            )
        try:
            return dict(self._manager.load([name])["tasks"])
        except Exception as error:  # tasks run code of their own, and load data sets
            raise EvalError(f"the task {name!r} cannot be loaded ({_first_line(error)})") from error

    def identity(self, name: str) -> str:
        """The hash of a task: its settings, its items, and the version of lm-eval."""
        digest = hashlib.sha256(self._version.encode())
        for task_name, task in sorted(self._tasks[name].items()):
            asked = {"limit": self._request.limit, "few_shot": self._request.few_shot}
            digest.update(f"{task_name}\n{_stable([task.dump_config(), asked])}\n".encode())
            for item in task.eval_docs:
                digest.update(_stable(item).encode())
        return digest.hexdigest()

    def score(self, run: RunDirectory, names: list[str]) -> Mapping[str, Any]:
        """The results of lm-eval for the model of a run."""
        from lm_eval import simple_evaluate

        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model"
            export(run, model, "")
            try:
                return dict(
                    simple_evaluate(
                        model=_load_model(model, run),
                        tasks=names,
                        num_fewshot=self._request.few_shot,
                        limit=self._request.limit,
                        bootstrap_iters=0,
                        log_samples=False,
                        task_manager=self._manager,
                    )
                )
            except Exception as error:  # lm-eval raises whatever its tasks and libraries do
                raise EvalError(
                    f"{', '.join(names)} cannot be scored for the run {run.path} ({_first_line(error)})"
                ) from error

    def scored(self, name: str, identity: str, found: Mapping[str, Any]) -> ScoredTask:
        """The scores on a task, or on a group and its tasks, from lm-eval's results."""
        own = {name, *self._tasks[name]}
        scores = [each for each in _scores(found) if each.task in own]
        return ScoredTask(
            identity=identity,
            lm_eval=self._version,
            values={each.label: each.value for each in scores},
            higher_is_better={each.label: each.way for each in scores if each.way is not None},
            items={
                task: each["effective"] for task, each in found["n-samples"].items() if task in own
            },
        )


class _Score(NamedTuple):
    """One number of lm-eval's results."""

    task: str
    label: str
    """TASK.METRIC, or TASK.METRIC.FILTER."""
    value: float
    way: bool | None
    """True if higher is better; None if lm-eval does not say."""


def _scores(found: Mapping[str, Any]) -> Iterator[_Score]:
    """The metrics in lm-eval's results, whose keys are `METRIC,FILTER`; without standard errors."""
    for task, results in found["results"].items():
        for key, value in results.items():
            metric, comma, filtered = key.partition(",")
            is_number = isinstance(value, (int, float)) and math.isfinite(value)
            if not comma or metric.endswith("_stderr") or not is_number:
                continue
            suffix = "" if filtered == PLAIN else f".{filtered}"
            way = found["higher_is_better"].get(task, {}).get(metric)
            yield _Score(task, f"{task}.{metric}{suffix}", float(value), way)


def _load_model(folder: Path, run: RunDirectory) -> Any:  # noqa: ANN401  (a model of lm-eval's)
    """The model of an export for lm-eval, in float32, on a GPU if there is one."""
    import torch
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=str(folder),
        backend="causal",
        max_length=run.read_request().recipe.model.context,
        device="cuda" if torch.cuda.is_available() else "cpu",
        dtype="float32",
        batch_size=BATCH_SIZE,
        trust_remote_code=True,
    )


def _stable(value: object) -> str:
    """A text that is the same for equal values in every process."""
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: object) -> str:
    return getattr(value, "__qualname__", type(value).__qualname__)


def _first_line(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return first[:200]

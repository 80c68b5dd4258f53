"""The runs of a study that are judged: their fine-tunes as jobs, and their answers as panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import NotFoundError
from sweep.judging.judge import Panel
from sweep.store.ledger import directory_name
from sweep.store.rows import RunRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.evaluation_section import InstructionEvaluation
from sweep.trainers.instruction import InstructionRun
from sweep.trainers.stored_recipes import flat_recipe
from sweep.workload.job import Job
from trainer.errors import InstructionError, RunDirectoryError
from trainer.instructions.data import InstructionData, Item
from trainer.instructions.request import read_answers
from trainer.recipe import Seeds
from trainer.rundir.directory import Result, RunDirectory
from trainer.words import with_rest

MAX_NAMED = 5


@dataclass(frozen=True)
class TunedRun:
    """A finished run, and the fine-tune that answers for it."""

    arm: str
    seed: int
    run: RunRow
    job: Job
    """The fine-tune."""

    @property
    def label(self) -> str:
        """ARM/SEED."""
        return f"{self.arm}/{self.seed}"


def find_tuned_runs(
    store: Store, study: str, setup: InstructionEvaluation, data: InstructionData
) -> list[TunedRun]:
    """The runs of a study that are done, with the jobs of their fine-tunes."""
    return [
        TunedRun(each.arm, each.seed, each.run, _job(each.run, setup, data))
        for each in store.study_runs(study)
        if each.run.state == RunState.DONE
    ]


def _job(run: RunRow, setup: InstructionEvaluation, data: InstructionData) -> Job:
    seeds = Seeds(init=run.init_seed, order=run.order_seed, dropout=run.dropout_seed)
    spec = InstructionRun(run.id, run.family, data.hash, setup.fine_tune, seeds)
    return Job(**vars(spec.run_identity()), spec=spec)


def check_weights(runs: Sequence[TunedRun], folder: Path) -> None:
    """Raise NotFoundError if the weights of some runs are not there to be fine-tuned."""
    lacking = [
        each.label
        for each in runs
        if not RunDirectory(folder / directory_name(each.run.id)).weights.exists()
    ]
    if lacking:
        raise NotFoundError(
            f"the final weights of {', '.join(with_rest(lacking, MAX_NAMED))} are not in {folder}: "
            'jobs.keep was "nothing", or `sweep gc` has deleted them. Train the study again with '
            'jobs.keep = "weights" in another folder (--runs DIR)'
        )


def check_items(
    runs: Sequence[TunedRun], folder: Path, setup: InstructionEvaluation, data: InstructionData
) -> None:
    """Raise InstructionError if an item is longer than the context of a run's model."""
    from trainer.corpora.tokenizer import load_tokenizer
    from trainer.instructions.encoding import Encoder

    models: dict[tuple[str, int], TunedRun] = {}
    for each in runs:
        recipe = flat_recipe(each.run.recipe)
        models.setdefault((recipe["data.tokenizer"], recipe["model.context"]), each)
    for (name, context), each in models.items():
        tokenizer = load_tokenizer(name, folder / directory_name(each.run.id))
        try:
            Encoder(setup, tokenizer, context).encode_all(data.items)
        except InstructionError as error:
            raise InstructionError(f"{each.label}: {error}") from error


def make_panels(runs: Sequence[TunedRun], items: Sequence[Item], folder: Path) -> list[Panel]:
    """The answers of all arms to each test item, seed by seed.

    Raises RunDirectoryError if the answers of a run cannot be read, or are of other items.
    """
    by_seed: dict[int, dict[str, Sequence[str]]] = {}
    for each in runs:
        directory = RunDirectory(folder / directory_name(each.job.run_id))
        answers = [answer.text for answer in read_answers(directory)]
        if len(answers) != len(items):
            raise RunDirectoryError(
                f"{directory.answers} has {len(answers)} answers to {len(items)} items; remove it "
                f"and {directory.result}, and judge again"
            )
        by_seed.setdefault(each.seed, {})[each.run.id] = answers
    return [
        Panel(seed, number, item, {run_id: texts[number] for run_id, texts in answers.items()})
        for seed, answers in by_seed.items()
        for number, item in enumerate(items)
    ]


def with_answers(runs: Sequence[TunedRun], folder: Path) -> list[TunedRun]:
    """The runs whose fine-tune has a result that did not diverge."""
    results = fine_tune_results(runs, folder)
    done = {run_id for run_id, result in results.items() if result.state == "done"}
    return [each for each in runs if each.run.id in done]


def fine_tune_results(runs: Sequence[TunedRun], folder: Path) -> Mapping[str, Result]:
    """The results of the fine-tunes, by the run that was fine-tuned."""
    found: dict[str, Result] = {}
    for each in runs:
        result = RunDirectory(folder / directory_name(each.job.run_id)).read_result()
        if result is not None:
            found[each.run.id] = result
    return found

"""The jobs of a search: the runs of trials that were not finished, then those of new trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sweep.queue.control import retry
from sweep.queue.queue import Queue
from sweep.searching.curves import search_curves
from sweep.searching.mirror import Mirror
from sweep.searching.optuna_study import ask
from sweep.searching.problem import Problem
from sweep.searching.pruning import Pruning
from sweep.searching.recording import NewTrial, save_trial
from sweep.searching.trials import Trial, trials_of
from sweep.store.states import FINISHED, RunState
from sweep.study.mistakes import InvalidStudyError
from sweep.trainers.base import RunSpec
from sweep.workload.job import Job
from trainer.rundir.directory import Event

MakeJob = Callable[[RunSpec], Job]


class TrialSource:
    """Gives the runs of trials to a scheduler; a `JobSource`.

    Several schedulers may work on one search: each asks for a trial when it has a free slot, and
    the store takes one trial of each number.
    """

    def __init__(
        self, queue: Queue, problems: Sequence[Problem], make_job: MakeJob, mirror: Mirror
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self._problems = problems
        self._make_job = make_job
        self._mirror = mirror
        self._given: set[str] = set()
        """Runs that the scheduler knows."""
        self._pruning = Pruning(queue.store, problems)
        self._labels: dict[str, str] = {}
        self._over = False

    @property
    def is_over(self) -> bool:
        """True if all trials have been asked for."""
        return self._over

    @property
    def labels(self) -> Mapping[str, str]:
        """TRIAL/SEED of the runs that it has given so far, by run."""
        return self._labels

    @property
    def total(self) -> int:
        """Number of runs of the whole search."""
        return sum(each.trials * each.search.seeds_per_trial for each in self._problems)

    def next(self, free: int) -> Sequence[Job]:
        """Return the runs of trials that another scheduler stored, and ask for trials if needed."""
        jobs: list[Job] = []
        known: dict[str, list[Trial]] = {}
        for problem in self._problems:
            found = known[problem.key] = trials_of(self._store, problem)
            self._mirror.write(problem, found, self._curves(problem, found))
            jobs += [job for trial in found for job in self._unknown_jobs(problem, trial)]
        while len(jobs) < free and (next_one := self._lacking(known)):
            jobs += self._ask(next_one, known[next_one.key])
            known[next_one.key] = trials_of(self._store, next_one)
        for problem in self._problems:
            found = known[problem.key]
            self._pruning.update(problem, found)
            jobs += [job for trial in found for job in self._unknown_jobs(problem, trial)]
        self._over = self._lacking(known) is None
        return jobs

    def _lacking(self, known: Mapping[str, Sequence[Trial]]) -> Problem | None:
        """The search with the fewest trials, so that arms are tuned side by side; None if all are
        complete.
        """
        lacking = [each for each in self._problems if len(known[each.key]) < each.trials]
        return min(lacking, key=lambda each: len(known[each.key]), default=None)

    def advanced(self, job: Job, event: Event) -> Sequence[str]:
        """Stop the trial of this job if the pruner says so."""
        self._pruning.advanced(job.run_id, event)
        return ()

    def finish(self) -> None:
        """Write the last results to the Optuna storage, and close it."""
        self._mirror.try_again()
        for problem in self._problems:
            found = trials_of(self._store, problem)
            self._mirror.write(problem, found, self._curves(problem, found))
        self._mirror.close()

    def _curves(self, problem: Problem, found: Sequence[Trial]) -> dict[str, dict[int, float]]:
        return (
            {}
            if problem.search.pruner == "none"
            else search_curves(self._store, found, problem.study.metric.name)
        )

    def _unknown_jobs(self, problem: Problem, trial: Trial) -> list[Job]:
        """The unfinished runs of a trial that the scheduler was not given yet."""
        unknown = [run for run in trial.runs if run.run_id not in self._given]
        fresh = [run.seed for run in unknown if run.state.is_open]
        if trial.is_over or not fresh:
            return []
        specs = problem.specs(trial.values)
        return [self._give(trial.name, seed, self._make_job(specs[seed])) for seed in sorted(fresh)]

    def _give(self, name: str, seed: int, job: Job) -> Job:
        self._given.add(job.run_id)
        self._labels[job.run_id] = f"{name}/{seed}"
        return job

    def _ask(self, problem: Problem, found: Sequence[Trial]) -> list[Job]:
        """Ask for one more trial, store it, and return its runs that are to be trained."""
        new = self._new_trial(problem, found)
        self._queue_again(new)
        if not save_trial(self._store, problem, new):
            return []  # another scheduler was quicker: the next call sees its trial
        name = problem.trial_name(new.number)
        states = self._store.states([job.run_id for job in new.jobs.values()])
        return [
            self._give(name, seed, job)
            for seed, job in new.jobs.items()
            if states[job.run_id] not in FINISHED
        ]

    def _new_trial(self, problem: Problem, found: Sequence[Trial]) -> NewTrial:
        asked = ask(problem, found, self._curves(problem, found))
        new = NewTrial(number=len(found), asked=asked, jobs={})
        try:
            specs = problem.specs(asked.values)
        except InvalidStudyError as error:
            return replace(new, refused=str(error))
        return replace(new, jobs={seed: self._make_job(spec) for seed, spec in specs.items()})

    def _queue_again(self, new: NewTrial) -> None:
        """Queue the runs of a trial, also those that an earlier search has stopped."""
        jobs = list(new.jobs.values())
        self._queue.enqueue(jobs)
        states = self._store.states([job.run_id for job in jobs])
        cancelled = [run_id for run_id, state in states.items() if state is RunState.CANCELLED]
        if cancelled:
            retry(self._store, cancelled)

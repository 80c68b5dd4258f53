"""`sweep judge`: fine-tune the runs of a study on instructions, and score their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sweep.commands.judge_setup import JudgeChoice, chosen_setup
from sweep.commands.report import print_metric
from sweep.commands.training import (
    EXIT_DONE,
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_PAUSED,
    conclude,
    open_to_train,
    print_continuation,
)
from sweep.errors import NotFoundError, StudyError
from sweep.executors.registry import slots_for
from sweep.judging.answered_runs import (
    TunedRun,
    check_items,
    check_weights,
    find_tuned_runs,
    make_panels,
    with_answers,
)
from sweep.judging.judge import Judge, Judged
from sweep.judging.recording import Session, record_scores
from sweep.judging.registry import METRIC_OF_JUDGE, make_judge
from sweep.queue.control import is_paused
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.reports.formats import DEFAULT_FORMAT, Format
from sweep.running.settings import settings_for
from sweep.running.train import train_jobs, unfinished
from sweep.store.store import Store
from sweep.study.evaluation_section import InstructionEvaluation
from sweep.study.file import Study, load_study
from sweep.terminal.console import say
from sweep.trainers.instruction import save_data
from sweep.workspace import Workspace
from trainer.instructions.data import InstructionData, read_instructions
from trainer.words import counted

_PROGRESS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """The arguments of `sweep judge`."""

    study: str | None
    choice: JudgeChoice
    slots: int | None = None
    form: Format = DEFAULT_FORMAT
    output: Path | None = None


@dataclass(frozen=True)
class Judging:
    """What is judged, and how."""

    study: Study
    setup: InstructionEvaluation
    data: InstructionData
    judge: Judge

    @property
    def session(self) -> Session:
        """What is noted beside the scores."""
        items = len(self.data.split(self.setup).test)
        metric = METRIC_OF_JUDGE[self.setup.scorer.kind]
        return Session(metric, dict(self.judge.facts), self.data.hash, self.setup.fine_tune, items)


def judge(workspace: Workspace, request: JudgeRequest, console: Console, log: Console) -> int:
    """Fine-tune what was not fine-tuned yet, score the answers, print verdicts on the scores.

    Progress goes to `log`. Returns the exit status. Raises UserError, before anything is written, if
    the study, the data or the judge is not usable.
    """
    path = workspace.study_file(request.study)
    study = load_study(path)
    if study.trainer is not None:
        raise StudyError(
            f"{path}: its runs are those of a script, whose models `sweep` cannot read; only models "
            "of the built-in trainer can be judged"
        )
    if study.jobs.executor == "ray" and not study.jobs.shared_filesystem:
        raise StudyError(
            f"{path}: fine-tunes read the weights of runs from the folder of runs, which nodes of a Ray "
            'cluster do not see with jobs.shared_filesystem = false; set jobs.executor = "local"'
        )
    setup, data_path = chosen_setup(study, path, request.choice)
    data = read_instructions(data_path)
    data.split(setup)
    judging = Judging(study, setup, data, make_judge(setup.scorer, workspace.folder))
    judging.judge.check()
    store = open_to_train(workspace, log)
    runs = find_tuned_runs(store, study.name, setup, data)
    if not runs:
        raise NotFoundError(f"no run of {study.name} is done yet; `sweep run {path}` trains them")
    _say_what_is_left_out(store, study.name, len(runs), log)
    status = _fine_tune(workspace, store, judging, runs, request.slots, log)
    if status in {EXIT_INTERRUPTED, EXIT_PAUSED}:
        return status
    answered = with_answers(runs, workspace.folder)
    if not answered:
        raise NotFoundError(f"no fine-tune of {study.name} has answers to be judged")
    judged = _score(workspace, store, judging, answered, log)
    if judged.stopped:
        return EXIT_INCOMPLETE
    row, metric = store.study(study.name), judging.session.metric
    print_metric(store, row, metric, request.form, request.output, console)
    return status


def judge_trained(workspace: Workspace, study: Study, slots: int | None, console: Console) -> int:
    """Judge a study that was just trained, as its file says; returns the exit status.

    A judge model is only asked if the file limits what it may cost.
    """
    setup = study.evaluation.instructions
    if setup and setup.scorer.kind == "openai" and setup.scorer.budget is None:
        say(
            console,
            f"To fine-tune and judge the models: sweep judge {study.name}. `sweep run` asks a judge "
            "model only if judge.budget limits its cost.",
        )
        return EXIT_DONE
    request = JudgeRequest(study=str(study.source), choice=JudgeChoice(), slots=slots)
    return judge(workspace, request, console, console)


def _fine_tune(
    workspace: Workspace,
    store: Store,
    judging: Judging,
    runs: Sequence[TunedRun],
    slots: int | None,
    log: Console,
) -> int:
    """Make the fine-tunes that have no result yet; returns the exit status."""
    missing = {job.run_id for job in unfinished(store, [each.job for each in runs])}
    to_tune = [each for each in runs if each.job.run_id in missing]
    jobs = {each.label: each.job for each in to_tune}
    if not jobs:
        return EXIT_DONE
    name = judging.study.name
    if is_paused(store, name):
        say(
            log, f"{name} is paused. Type `sweep resume {name}`, then this command again.", "yellow"
        )
        return EXIT_PAUSED
    check_weights(to_tune, workspace.folder)
    check_items(to_tune, workspace.folder, judging.setup, judging.data)
    save_data(judging.data, workspace.folder)
    places = slots_for(judging.study, slots)
    say(
        log,
        f"Fine-tuning {counted(len(jobs), 'run')} of {name} on {_amount(judging)}, "
        f"{len(places)} at a time.",
    )
    Queue(store, this_process()).enqueue(jobs.values())
    settings = settings_for(judging.study, fail_fast=False)
    summary = train_jobs(workspace, store, jobs, places, settings, log)
    if summary.interrupted:
        print_continuation(summary, len(jobs), log)
        return EXIT_INTERRUPTED
    return conclude(store, jobs, log)


def _say_what_is_left_out(store: Store, study: str, done: int, log: Console) -> None:
    planned = len(store.study_runs(study))
    if done < planned:
        words = f"{done} of {counted(planned, 'run')} of {study} are judged; the others are not done, or"
        say(log, f"{words} have diverged: `sweep status {study}` lists them.", "yellow")


def _amount(judging: Judging) -> str:
    """`935 instructions (at most 20 epochs of 117 steps; then 110 answers)`."""
    setup, split = judging.setup, judging.data.split(judging.setup)
    limit = "" if setup.stop == "never" else "at most "
    steps = counted(-(-len(split.train) // setup.batch_size), "step")
    return (
        f"{counted(len(split.train), 'instruction')} ({limit}{counted(setup.max_epochs, 'epoch')} of "
        f"{steps}; then {counted(len(split.test), 'answer')})"
    )


def _score(
    workspace: Workspace, store: Store, judging: Judging, runs: Sequence[TunedRun], log: Console
) -> Judged:
    """Score the answers and store the scores, unless some could not be asked for."""
    panels = make_panels(runs, judging.data.split(judging.setup).test, workspace.folder)
    if cost := judging.judge.announce(panels):
        say(log, cost)
    with Progress(*_PROGRESS, console=log, transient=True, disable=not log.is_terminal) as bar:
        task = bar.add_task("judging", total=None)
        judged = judging.judge.score(
            panels, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if judged.stopped:
        say(log, _stopped_words(judged), "red")
        return judged
    if judged.unreadable:
        say(
            log,
            f"{judged.unreadable} of {counted(judged.prompts, 'prompt')} got no reply that could be "
            "read; their scores are missing, not 0.",
            "yellow",
        )
    record_scores(store, workspace.folder, judging.session, runs, judged.scores)
    return judged


def _stopped_words(judged: Judged) -> str:
    asked = judged.prompts - judged.left - judged.unreadable
    return (
        f"{judged.stopped} {asked} of {counted(judged.prompts, 'prompt')} are judged and kept; no score "
        "was stored, because it would be of other items than that of other runs. The same command "
        "goes on from here."
    )

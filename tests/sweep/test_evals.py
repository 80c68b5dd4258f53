"""`sweep evals`: tasks of lm-eval as metrics, with verdicts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from sweep.errors import ExecutionError
from sweep.evals.eval_files import add_evals, drop_evals, read_evals, stored_evals
from sweep.evals.metrics import find_eval_metrics
from sweep.metrics.metric import Direction
from sweep.store.metrics import replace_metric
from sweep.verdicts.analysis_plan import Questions
from sweep.verdicts.judge import make_report
from tests.sweep.stores import Content, Trainer, lose
from trainer.rundir.directory import RunDirectory
from trainer.tools.eval_protocol import ScoredTask
from trainer.weights.pretrained import open_pretrained
from trainer.weights.weights import load_model

Run = Callable[..., subprocess.CompletedProcess[str]]
needs_harness = pytest.mark.skipif(
    find_spec("lm_eval") is None, reason="lm-eval is not installed: pip install 'gpt-sweep[evals]'"
)
TASK = """\
task: colours
dataset_path: json
dataset_kwargs:
  data_files:
    test: tasks/colours.json
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
ITEMS = [
    {"question": f"The {n} grey", "choices": [" geese", " gulls"], "answer": n % 2}
    for n in range(9)
]


def task(**values: float) -> ScoredTask:
    """Scores on the task `t`; a higher `acc` and a lower `perplexity` are better."""
    return ScoredTask(
        identity="a" * 64,
        lm_eval="0.4.13",
        values={f"t.{name}": value for name, value in values.items()},
        higher_is_better={"t.acc": True, "t.perplexity": False},
        items={"t": 9},
    )


@pytest.fixture
def scored(train: Trainer, content: Content) -> Trainer:
    """A store whose runs were scored: no-dropout is better by accuracy, clip by perplexity."""
    train(content)
    assert train.store.ledger
    for arm, run_id in train.store.run_ids("tiny"):
        directory = train.store.ledger.run(run_id)
        directory.path.mkdir(parents=True, exist_ok=True)
        noise = int(run_id[:2], 16) / 1e5
        accuracy = 0.5 + 0.3 * (arm == "no-dropout") + noise
        perplexity = 20 - 5 * (arm == "clip") + noise
        found = add_evals(
            directory, run_id, {"t": task(acc=accuracy, perplexity=perplexity, odd=1.0)}
        )
        for name, value in found.values.items():
            replace_metric(train.store, name, [run_id], {run_id: value})
    return train


def test_each_metric_of_a_task_is_judged_in_the_direction_that_lm_eval_says(
    scored: Trainer,
) -> None:
    study = scored.store.study("tiny")
    found = {
        name: make_report(scored.store, study, Questions(metric=f"evals.t.{name}"))
        for name in ("acc", "perplexity")
    }
    assert found["acc"].direction is Direction.MAXIMIZE
    assert found["perplexity"].direction is Direction.MINIMIZE
    assert found["acc"].arm("no-dropout").effect == pytest.approx(0.3, abs=0.01)
    assert found["perplexity"].arm("clip").effect == pytest.approx(-5, abs=0.01)
    assert not found["acc"].is_primary


def test_a_metric_whose_direction_nothing_says_is_not_judged(scored: Trainer) -> None:
    assert list(find_eval_metrics(scored.store, "tiny")) == ["evals.t.acc", "evals.t.perplexity"]
    with pytest.raises(
        ValueError, match=r"metric names 'evals\.t\.odd', which is no metric of the"
    ):
        make_report(scored.store, scored.store.study("tiny"), Questions(metric="evals.t.odd"))


def test_scores_on_other_tasks_stay_and_those_on_the_same_are_replaced(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    add_evals(directory, "x", {"t": task(acc=0.1), "u": task(acc=0.2)})
    add_evals(directory, "x", {"t": task(acc=0.3)})
    kept = read_evals(directory)
    assert kept is not None
    assert drop_evals(directory, "x", ["no-such"]) == kept
    assert list(drop_evals(directory, "x", ["t"]).tasks) == ["u"]
    assert {name: each.values for name, each in kept.tasks.items()} == {
        "t": {"t.acc": 0.3},
        "u": {"t.acc": 0.2},
    }


def test_a_damaged_file_has_no_scores_and_one_that_cannot_be_written_is_reported(
    tmp_path: Path,
) -> None:
    directory = RunDirectory(tmp_path)
    add_evals(directory, "x", {"t": task(acc=0.1)})
    assert list(stored_evals(directory, "x")) == [
        {"run_id": "x", "name": "evals.t.acc", "value": 0.1}
    ]
    assert list(stored_evals(directory, "another run")) == []
    (tmp_path / "evals.json").write_text("{")
    assert list(stored_evals(directory, "x")) == []
    with pytest.raises(
        ExecutionError, match=r"the scores cannot be written to .*; free some space"
    ):
        add_evals(RunDirectory(tmp_path / "missing"), "x", {})


@pytest.mark.skipif(find_spec("lm_eval") is not None, reason="lm-eval is installed here")
def test_without_lm_eval_the_command_says_how_to_install_it(folder: Path, sweep: Run) -> None:
    done = sweep(folder, "evals", "tiny", "--tasks", "piqa")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "sweep: lm-eval is not installed completely here (No module named"
    )
    assert done.stderr.endswith("type pip install 'gpt-sweep[evals]'\n")


@pytest.fixture(scope="module")
def world(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study beside a folder with a task and its items."""
    made = Path(shutil.copytree(folder, tmp_path_factory.mktemp("evals") / "copy"))
    (made / "tasks").mkdir()
    (made / "tasks" / "colours.yaml").write_text(TASK)
    (made / "tasks" / "colours.json").write_text("".join(json.dumps(each) + "\n" for each in ITEMS))
    return made


def accuracy(run: Path) -> float:
    """The accuracy on the items, by the run's own network."""
    model = load_model(open_pretrained(run))
    right = 0
    for item in ITEMS:
        scores = []
        for choice in item["choices"]:  # type: ignore[attr-defined]  (a list of texts)
            question, answer = str(item["question"]).encode(), choice.encode()
            tokens = torch.tensor([list((question + answer)[-16 - 1 :])])
            with torch.no_grad():
                logs = model(tokens[:, :-1]).log_softmax(-1)[0, -len(answer) :]
            scores.append(float(logs.gather(1, tokens[0, -len(answer) :, None]).sum()))
        right += scores.index(max(scores)) == item["answer"]
    return right / len(ITEMS)


@needs_harness
@pytest.mark.nightly
def test_tasks_are_scored_as_the_runs_own_networks_score_them_and_once(
    world: Path, sweep: Run
) -> None:
    words = ("evals", "tiny", "--tasks", "colours", "--include-path", "tasks")
    done = sweep(world, *words)
    assert done.returncode == 0, done.stderr
    assert "Scoring 6 of 6 runs on 'colours'." in done.stderr
    assert "effect = arm − baseline in 'evals.colours.acc'; positive is better." in done.stdout
    files = list(world.glob("runs/*/evals.json"))
    assert len(files) == 6
    for file in files:
        found = read_evals(RunDirectory(file.parent))
        assert found is not None
        assert found.values == {"evals.colours.acc": pytest.approx(accuracy(file.parent))}
    again = sweep(world, *words)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "All 6 runs have scores on 'colours' already." in again.stderr
    lose(world / "runs")
    assert sweep(world, "rebuild").returncode == 0
    rebuilt = sweep(world, "report", "tiny", "--metric", "evals.colours.acc")
    assert rebuilt.returncode == 0
    assert [line for line in rebuilt.stdout.splitlines() if line.startswith(" clip")] == [
        line for line in done.stdout.splitlines() if line.startswith(" clip")
    ]


@needs_harness
@pytest.mark.nightly
def test_a_task_that_changed_is_scored_again(world: Path, sweep: Run) -> None:
    (world / "tasks" / "shapes.yaml").write_text(TASK.replace("colours", "shapes"))
    (world / "tasks" / "shapes.json").write_text(json.dumps(ITEMS[0]) + "\n")
    words = ("evals", "tiny", "--tasks", "shapes", "--include-path", "tasks")
    assert sweep(world, *words).returncode == 0
    (world / "tasks" / "shapes.json").write_text(json.dumps({**ITEMS[0], "answer": 1}) + "\n")
    again = sweep(world, *words)
    assert again.returncode == 0
    assert "Scoring 6 of 6 runs on 'shapes'." in again.stderr


@needs_harness
@pytest.mark.nightly
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--tasks", "colour", "--include-path", "tasks"],
            "has no task 'colour'; did you mean 'col",
        ),
        (["--tasks", "colours"], "has no task 'colours'"),
        (["--tasks", "zzzzzzzz"], "has no task 'zzzzzzzz'; `lm-eval ls tasks` lists its tasks"),
        (["--tasks", "piqa", "--include-path", "no"], "--include-path no is not a folder"),
        (["--tasks", "broken", "--include-path", "bad"], "the task 'broken' cannot be loaded ("),
    ],
)
def test_a_task_that_cannot_be_used_is_one_sentence(
    words: list[str], sentence: str, world: Path, sweep: Run
) -> None:
    (world / "bad").mkdir(exist_ok=True)
    broken = TASK.replace("colours.json", "nothing.json").replace("task: colours", "task: broken")
    (world / "bad" / "broken.yaml").write_text(broken)
    done = sweep(world, "evals", "tiny", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1

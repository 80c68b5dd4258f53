"""`sweep judge`: fine-tunes through the queue, scores as a metric, verdicts on them."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest
import sacrebleu
from sacrebleu.metrics.chrf import CHRF

from sweep.commands.judge_setup import JudgeChoice, chosen_setup
from sweep.errors import StudyError
from sweep.judging.registry import JUDGES, METRIC_OF_JUDGE
from sweep.judging.score_files import ItemScores, RunScores, stored_metrics, write_scores
from sweep.metrics import registry
from sweep.reports.judged_text import shown_correlation
from sweep.study.file import parse_study
from sweep.study.judge_names import JudgeName
from tests.sweep.judge_server import JudgeServer, Sent
from trainer.rundir.directory import RunDirectory

KEY = "sk-secret-0123456789"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
ITEMS = [{"instruction": f"Say {n}", "input": "", "output": f"{n} Instruction"} for n in range(24)]
FEW = ("--set", "prompt=short", "--set", "answer_tokens=12", "--set", "long_items=cut")
QUICK = (*FEW, "--set", "max_epochs=4", "--set", "learning_rate=0.02", "--data", "d.json")


@pytest.fixture(scope="module")
def place(finished: tuple[Path, Done], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study and instruction data, which tests do not change."""
    copy = shutil.copytree(finished[0], tmp_path_factory.mktemp("place") / "copy")
    (copy / "d.json").write_text(json.dumps(ITEMS))
    return copy


@pytest.fixture(scope="module")
def judged(place: Path, sweep: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A copy of that folder, judged with chrF."""
    copy = shutil.copytree(place, tmp_path_factory.mktemp("judged") / "copy")
    return copy, sweep(copy, "judge", *QUICK)


@pytest.fixture
def copy(judged: tuple[Path, Done], tmp_path: Path) -> Path:
    """A copy of the judged folder, to be changed."""
    return shutil.copytree(judged[0], tmp_path / "copy")


def rows(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "runs" / "sweep.db")) as database:
        return database.execute(query).fetchall()


SCORES = "SELECT run_id, value FROM metrics WHERE name = 'instructions' ORDER BY run_id"
METRICS = "SELECT * FROM metrics WHERE name LIKE 'instruction%' ORDER BY run_id, name"
MEMBERS = "SELECT id FROM runs JOIN members ON members.run_id = runs.id ORDER BY id"
TUNED = "SELECT state FROM runs WHERE corpus_hash = '' ORDER BY id"


def test_every_run_is_fine_tuned_as_a_job_and_has_the_score_of_its_answers(
    judged: tuple[Path, Done],
) -> None:
    folder, said = judged
    assert said.returncode == 0, said.stderr
    assert (
        "Fine-tuning 6 runs of tiny on 20 instructions (at most 4 epochs of 3 steps; then 2 answers)"
        in " ".join(said.stderr.split())
    )
    assert rows(folder, TUNED) == [("done",)] * 6
    scores = dict(rows(folder, SCORES))
    assert [(each,) for each in scores] == rows(folder, MEMBERS)
    for path in folder.glob("runs/*/instructions.json"):
        answers = json.loads((path.parent / "answers.json").read_text())["answers"]
        wanted = [item["output"] for item in ITEMS[20:22]]
        each = [
            CHRF().sentence_score(answer["text"], [text]).score
            for answer, text in zip(answers, wanted, strict=True)
        ]
        base = json.loads(path.read_text())["base_id"]
        assert scores[base] == pytest.approx(sum(each) / 2)


def test_the_verdicts_on_the_scores_are_paired_and_say_that_higher_is_better(
    judged: tuple[Path, Done], sweep: Run
) -> None:
    folder, said = judged
    assert "instruction score (chrF), points of 100; positive is better" in said.stdout
    report = sweep(folder, "report", "--metric", "instructions")
    assert report.stdout == said.stdout
    assert "sweep settle clip" not in report.stdout  # it trains what the test loss needs


def test_the_report_shows_loss_against_score_and_the_noise_of_items(
    judged: tuple[Path, Done], sweep: Run
) -> None:
    said = " ".join(judged[1].stdout.split())
    assert "Test loss and score over 6 runs of all arms: correlation" in said
    assert "The verdicts hold for these 2 test items." in said
    assert "of 6 fine-tunes ended at max_epochs before the validation loss rose" in said
    report = sweep(judged[0], "report", "--metric", "instructions", "--format", "json")
    found = json.loads(report.stdout)["judged"]
    assert found["loss_and_score"]["runs"] == 6
    assert [each["arm"] for each in found["noise"]] == ["no-dropout", "clip"]
    assert found["judges"] == [{"judge": "chrf", "sacrebleu": sacrebleu.__version__}]


def test_the_scores_are_a_figure_against_the_test_loss(
    judged: tuple[Path, Done], sweep: Run, tmp_path: Path
) -> None:
    file = tmp_path / "scores.svg"
    assert sweep(judged[0], "plot", "scores", "-o", file).returncode == 0
    drawn = file.read_text()
    assert "Test loss against instruction score (chrF)" in drawn
    assert "points of 100" in drawn


def test_another_judge_scores_the_same_answers_as_another_metric(copy: Path, sweep: Run) -> None:
    said = sweep(copy, "judge", *QUICK, "--judge", "exact")
    assert (said.returncode, said.stderr) == (0, "")
    names = "SELECT DISTINCT name FROM metrics WHERE name LIKE 'instructions%' ORDER BY name"
    assert rows(copy, names) == [("instructions",), ("instructions_exact",)]


def test_the_scores_and_the_fine_tunes_survive_the_loss_of_the_database(
    copy: Path, sweep: Run
) -> None:
    assert sweep(copy, "judge", *QUICK, "--judge", "exact").returncode == 0
    before = rows(copy, METRICS), rows(copy, TUNED)
    (copy / "runs" / "sweep.db").unlink()
    said = sweep(copy, "rebuild")
    assert said.returncode == 0, said.stderr
    assert (rows(copy, METRICS), rows(copy, TUNED)) == before
    assert (
        len(before[0]) == 4 * 6
    )  # of each run two scores and its loss; of each fine-tune that loss


def test_the_loss_that_was_judged_last_survives(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    common: dict[str, Any] = {"run_id": "a", "judge": {}, "data_hash": "b", "settings": {}}
    common |= {"items": [ItemScores(scores=[])], "still_falling": False, "ended_answers": 1.0}
    for metric, loss, judged in (("instructions", 2.0, 20.0), ("instructions_exact", 1.0, 10.0)):
        scores = RunScores(metric=metric, value=50.0, loss=loss, judged=judged, **common)
        write_scores(directory, scores)
    found = {row["name"]: row["value"] for row in stored_metrics(directory, "a")}
    assert found == {"instructions": 50, "instructions_exact": 50, "instruction_loss": 2}


def test_a_study_file_can_hold_the_settings_and_nothing_is_tuned_again(
    copy: Path, sweep: Run, judged: tuple[Path, Done]
) -> None:
    file = copy / "s.toml"
    section = (
        '[evaluation.instructions]\ndata = "d.json"\nprompt = "short"\nanswer_tokens = 12\n'
        'long_items = "cut"\nmax_epochs = 4\nlearning_rate = 0.02\n'
    )
    file.write_text(file.read_text() + section)
    said, run = sweep(copy, "judge", file), sweep(copy, "run", file)
    assert (said.returncode, said.stdout, said.stderr) == (0, judged[1].stdout, "")
    assert run.returncode == 0
    assert run.stdout.startswith("All 6 runs of tiny are done")
    assert run.stdout.endswith(said.stdout)


def test_each_judge_has_a_maker_and_a_metric() -> None:
    assert set(get_args(JudgeName)) == set(JUDGES) == set(METRIC_OF_JUDGE)
    assert set(METRIC_OF_JUDGE.values()) == set(registry.SCORES)


def test_without_data_nothing_is_tuned(place: Path, sweep: Run) -> None:
    said = sweep(place, "judge")
    assert said.returncode == 2
    assert "s.toml has no [evaluation.instructions], so the instruction data is unkn" in said.stderr
    assert len(said.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("promt=short", "did you mean 'prompt'?"),
        ("judge.modle=x", "did you mean 'judge.model'?"),
        ("judge=x", "write KEY=VALUE with a field of [evaluation.instructions]"),
        ("prompt", "--set 'prompt': write KEY=VALUE with a field of [evaluation.instructions] (tr"),
        (f"{'x' * 9999}=1", f"--set '{'x' * 59}…: write KEY=VALUE with a field"),
        ("judge.requests_per_minute=1e-300", "should be greater than or equal to 0.001"),
        ("prompt=long", "prompt: Input should be 'alpaca' or 'short'"),
        (f"prompt={'[' * 9999}", "prompt: Input should be 'alpaca' or 'short'"),
        ("batch_size=0", "batch_size: Input should be greater than or equal to 1"),
        ("judge.base_url=ftp://x", "'ftp://x' must begin with http:// or https://"),
        ("train_share=0.95", "leave nothing for validation"),
    ],
)
def test_a_wrong_setting_is_named(content: dict[str, Any], change: str, message: str) -> None:
    study = parse_study(content, "s.toml")
    choice = JudgeChoice(data=Path("d.json"), changes=[change])
    with pytest.raises(StudyError) as error:
        chosen_setup(study, Path("s.toml"), choice)
    assert message in str(error.value)
    assert str(error.value).startswith(("--set", "[evaluation.instructions]"))


def test_options_change_what_the_study_file_says(content: dict[str, Any]) -> None:
    content["evaluation"] = {"instructions": {"data": "a.json", "judge": {"model": "m"}}}
    study = parse_study(content, "in/s.toml")
    setup, data = chosen_setup(study, Path("in/s.toml"), JudgeChoice())
    assert (setup.scorer.kind, data) == ("chrf", Path("in/a.json"))
    choice = JudgeChoice(Path("b.json"), "openai", ["judge.repeats=3", "max_epochs=2"])
    changed, data = chosen_setup(study, Path("in/s.toml"), choice)
    assert (changed.max_epochs, data) == (2, Path("b.json"))
    assert (changed.scorer.kind, changed.scorer.model, changed.scorer.repeats) == ("openai", "m", 3)


def test_an_item_longer_than_the_context_fails_with_a_sentence(copy: Path, sweep: Run) -> None:
    said = sweep(copy, "judge", "--data", "d.json", "--slots", "1")
    assert said.returncode == 2
    assert "and the model has 16 positions" in said.stderr
    assert "Traceback" not in said.stderr


def test_runs_that_are_not_done_are_left_out_and_counted(copy: Path, sweep: Run) -> None:
    with closing(sqlite3.connect(copy / "runs" / "sweep.db")) as database, database:
        database.execute(
            "UPDATE runs SET state = 'failed' WHERE id = (SELECT MAX(run_id) FROM members)"
        )
    said = sweep(copy, "judge", *QUICK)
    assert "5 of 6 runs of tiny are judged; the others are not done, or have div" in said.stderr


def test_a_paused_study_is_left_alone(copy: Path, sweep: Run) -> None:
    with closing(sqlite3.connect(copy / "runs" / "sweep.db")) as database, database:
        database.execute("UPDATE studies SET paused = 1")
    said = sweep(copy, "judge", *QUICK, "--set", "batch_size=4")
    assert (said.returncode, said.stdout) == (3, "")
    assert "tiny is paused. Type `sweep resume tiny`, then this command again." in said.stderr


def test_weights_that_are_gone_are_named(copy: Path, sweep: Run) -> None:
    for path in copy.glob("runs/*/weights.safetensors"):
        path.unlink()
    said = sweep(copy, "judge", *QUICK, "--set", "batch_size=4")
    assert said.returncode == 2
    assert "the final weights of baseline/1, baseline/2" in said.stderr


def test_a_judge_model_is_asked_once_and_its_key_is_nowhere(
    copy: Path, sweep: Run, environment: dict[str, str]
) -> None:
    with JudgeServer() as server:
        options = ("--judge", "openai", "--set", f"judge.base_url={server.url}")
        words = ("judge", *QUICK, *options, "--set", "judge.model=m")
        variables = {**environment, "OPENAI_API_KEY": KEY}
        said, again = (sweep(copy, *words, variables=variables) for _ in range(2))
        assert len(server.asked) == 2 * 2 * 2  # items, seeds and repeats
    assert said.returncode == again.returncode == 0, said.stderr
    assert said.stderr.startswith(f"Asking m at {server.url} 8 times: about ")
    assert (again.stdout, again.stderr) == (said.stdout, "")
    assert "instruction score of a judge model" in said.stdout
    assert "Bias of the judge by the place of an answer" in said.stdout
    files = [path.read_bytes() for path in copy.rglob("*") if path.is_file()]
    assert not any(KEY in text for text in (said.stdout, said.stderr))
    assert not any(KEY.encode() in content for content in files)


def test_a_judge_model_that_refuses_the_key_leaves_the_scores_as_they_were(
    copy: Path, sweep: Run, environment: dict[str, str]
) -> None:
    before = rows(copy, SCORES)
    with JudgeServer(lambda _asked: Sent("", 401)) as server:
        options = ("--judge", "openai", "--set", f"judge.base_url={server.url}")
        words = ("judge", *QUICK, *options, "--set", "judge.model=m")
        said = sweep(copy, *words, variables={**environment, "OPENAI_API_KEY": KEY})
    assert said.returncode == 1
    assert "refuses the key in $OPENAI_API_KEY" in said.stderr
    assert rows(copy, SCORES) == before


def test_without_a_key_nothing_is_tuned_or_asked(place: Path, sweep: Run) -> None:
    said = sweep(place, "judge", *QUICK, "--judge", "openai", "--set", "judge.model=m")
    assert said.returncode == 2
    assert "the environment variable OPENAI_API_KEY does not hold the key" in said.stderr


def test_a_correlation_is_not_rounded_to_a_perfect_one() -> None:
    assert [shown_correlation(r) for r in (-0.93, -0.99986, 1.0)] == ["-0.93", "-0.9999", "+1.0000"]

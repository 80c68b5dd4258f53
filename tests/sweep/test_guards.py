"""Guards: other metrics of the runs, each with a bound, from the study file to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep.commands.import_ import ImportRequest
from sweep.design.arms import make_plan
from sweep.errors import ResultsError
from sweep.importing.metric_words import parse_metrics
from sweep.importing.settings import Settings
from sweep.reports.verdict_json import report_json
from sweep.reports.verdict_text import report_document
from sweep.study.file import parse_study
from sweep.study.mistakes import InvalidStudyError
from sweep.verdicts.analysis_plan import Questions
from sweep.verdicts.judge import make_report
from tests.sweep.importer import Importer
from tests.sweep.stores import Trainer, usual

Content = dict[str, Any]
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "published"


def plan_of(content: Content):  # noqa: ANN201  (a Plan)
    return make_plan(parse_study(content, "s.toml"), "s.toml")


@pytest.mark.parametrize(
    ("analysis", "sentence"),
    [
        (
            {"guards": {"token_per_second": "-5%"}},
            "analysis.guards names 'token_per_second', which is no metric of the study; did you mean",
        ),
        (
            {"guards": {"tokens_per_second": "slow"}},
            "analysis.guards.tokens_per_second: 'slow' is no bound; write how much worse",
        ),
        (
            {"guards": {"tokens_per_second": "+5%"}},
            "'+5%' asks for an improvement: higher is better for tokens_per_second",
        ),
        ({"guards": {"test_loss": "-0.002"}}, "asks for an improvement: lower is better"),
        ({"guards": {"test_loss": "%"}}, "'%' is no bound"),
        ({"guards": {"tokens_per_second": "-100%"}}, "nothing can be lower by 100% or more"),
        ({"primary": "speed"}, "analysis.primary names 'speed', which is no metric of the study"),
        (
            {"primary": "tokens_per_second", "exchange": [0.5]},
            "analysis.exchange is about the test loss; leave out analysis.primary",
        ),
    ],
)
def test_an_impossible_guard_is_refused_in_one_sentence(
    content: Content, analysis: Content, sentence: str
) -> None:
    content["analysis"] |= analysis
    with pytest.raises(InvalidStudyError) as refused:
        plan_of(content)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_guards_and_the_primary_metric_belong_to_the_plan(content: Content) -> None:
    before = plan_of(content)
    content["analysis"]["guards"] = {"test_loss": 0.002}
    guarded = plan_of(content)
    content["analysis"]["primary"] = "tokens_per_second"
    assert len({before.hash, guarded.hash, plan_of(content).hash}) == 3
    assert guarded.content()["analysis"]["guards"] == {"test_loss": "0.002"}


def outcome(arm: str, seed: int) -> Content:
    """`no-dropout` is 1% faster, `clip` 20% slower; both have a lower loss."""
    speed = {"no-dropout": 1.01, "clip": 0.8}.get(arm, 1.0) * 170 + (len(arm) * seed) % 3 / 10
    return {**usual(arm, seed), "tokens_per_second": speed}


@pytest.fixture
def guarded(train: Trainer, content: Content) -> Trainer:
    content["design"]["seeds"] = 4
    content["analysis"]["guards"] = {"tokens_per_second": "-5%", "parameters": "0%"}
    train(content, outcome)
    return train


def test_each_arm_is_shown_to_be_not_worse_or_worse_in_the_table(guarded: Trainer) -> None:
    table = guarded.table()
    (header,) = (line for line in table.splitlines() if " verdict " in line)
    places = [header.index(title) for title in ("verdict", "training speed", "parameters")]
    assert places == sorted(places)
    figures = [line.split() for line in table.splitlines() if "%" in line and "<0.001" in line]
    assert [row[3] for row in figures if row[:2] == ["training", "speed"]] == ["+1.0%", "-20.0%"]
    assert [row[-1] for row in figures] == ["worse", "worse"]
    assert "Guards: 'tokens_per_second' lower by at most 5%; 'parameters' higher by" in table
    assert (
        "Better in 'test_loss' and not worse in 'tokens_per_second' and 'parameters': no-dropout."
        in table
    )


def test_json_has_the_figures_of_each_guard(guarded: Trainer) -> None:
    report = guarded.report()
    speed, parameters = report["guards"]
    assert (speed["metric"], speed["bound"], speed["change"]) == ("tokens_per_second", "-5%", -0.05)
    arms = {arm["arm"]: arm.get("guards", {}) for arm in report["arms"]}
    assert arms["baseline"] == {}
    assert arms["no-dropout"]["tokens_per_second"]["state"] == "not worse"
    assert arms["clip"]["tokens_per_second"]["state"] == "worse"
    assert arms["clip"]["tokens_per_second"]["p_worse"] < 0.05
    assert arms["clip"]["parameters"]["method"] == "exact"
    assert parameters["direction"] == "minimize"


def test_csv_has_a_column_for_each_figure_of_a_guard(guarded: Trainer) -> None:
    document = report_document(make_report(guarded.store, guarded.store.study("tiny")))
    states = [record["guard_tokens_per_second_state"] for record in document.records]
    assert states == [None, "not worse", "worse"]


def test_another_metric_is_judged_on_request_and_said_to_be_another(guarded: Trainer) -> None:
    asked = Questions(metric="tokens_per_second")
    report = make_report(guarded.store, guarded.store.study("tiny"), asked)
    assert [arm.result.verdict for arm in report.arms] == [None, "better", "worse"]
    said = "\n".join(part for part in report_document(report).parts if isinstance(part, str))
    assert "in training speed, tokens per second; positive is better." in said
    assert "'tokens_per_second' is not the study's primary metric, which is 'test_loss'" in said
    assert report_json(report)["primary"] == "test_loss"
    assert report.analysis.smallest_effect == 0


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Questions(metric="loss"), "metric names 'loss', which is no metric of the study"),
        (Questions(guards={"speed": "1%"}), "guard names 'speed', which is no metric of the study"),
        (Questions(guards={"test_loss": "x"}), "guard test_loss: 'x' is no bound"),
    ],
)
def test_a_question_about_an_unknown_metric_is_refused(
    guarded: Trainer, asked: Questions, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        make_report(guarded.store, guarded.store.study("tiny"), asked)


def test_a_metric_that_no_run_has_is_refused_on_request(train: Trainer, content: Content) -> None:
    train(content, lambda arm, seed: {**usual(arm, seed), "bits_per_byte": None})
    with pytest.raises(ResultsError, match="no run has the metric bits_per_byte"):
        make_report(train.store, train.store.study("tiny"), Questions(metric="bits_per_byte"))
    asked = Questions(guards={"bits_per_byte": "1%"})
    with pytest.raises(ResultsError, match="no run has the metric bits_per_byte"):
        make_report(train.store, train.store.study("tiny"), asked)


def test_speed_can_be_the_claim_with_a_guard_on_the_loss(train: Trainer, content: Content) -> None:
    content["design"]["seeds"] = 4
    content["analysis"] |= {"primary": "tokens_per_second", "guards": {"test_loss": "0.002"}}
    train(content, outcome)
    report = train.report()
    assert (report["metric"], report["direction"]) == ("tokens_per_second", "maximize")
    assert [arm["verdict"] for arm in report["arms"]] == [None, "better", "worse"]
    assert (
        "Better in 'tokens_per_second' and not worse in 'test_loss': no-dropout." in train.table()
    )


def imported(importer: Importer, file: Path, metric: str, **settings: Any) -> str:  # noqa: ANN401
    return importer.request(
        ImportRequest(
            files=[file], study="x", metrics=parse_metrics([metric]), settings=Settings(**settings)
        )
    )


def test_a_speed_record_is_not_worse_and_faster_as_its_authors_concluded(tmp_path: Path) -> None:
    if not PUBLISHED.exists():
        pytest.skip("the published results lie outside the repository, in ../shared/data: absent")
    importer = Importer(tmp_path)
    imported(importer, PUBLISHED / "mudd_time.csv", "seconds=loss")
    guards = {"val_loss": "+0.002"}
    said = imported(importer, PUBLISHED / "mudd.csv", "val_loss=loss", guards=guards)
    assert "60 new values of 'val_loss' (lower is better) for its runs." in said
    arms = importer.arms()
    for arm in ("mudd-v2-1415", "mudd-v3-1415"):
        assert arms[arm]["verdict"] == "better"
        assert arms[arm]["guards"]["val_loss"]["state"] == "not worse"
    assert arms["mudd-v1-1415"]["guards"]["val_loss"]["state"] == "open"
    assert arms["baseline-1430"]["guards"]["val_loss"]["state"] == "worse"


FILE = "arm,seed,accuracy,seconds\n" + "".join(
    f"{arm},{seed},{accuracy + seed / 1000},{seconds + seed % 3}\n"
    for arm, accuracy, seconds in (("baseline", 0.8, 100), ("new", 0.9, 101))
    for seed in range(1, 6)
)


def test_several_metrics_of_a_file_are_imported_at_once(tmp_path: Path) -> None:
    importer = Importer(tmp_path)
    (tmp_path / "r.csv").write_text(FILE)
    words = parse_metrics(["accuracy:maximize", "seconds"])
    guards = {"seconds": "+5%"}
    request = ImportRequest(
        files=[tmp_path / "r.csv"], study="x", metrics=words, settings=Settings(guards=guards)
    )
    importer.request(request)
    assert (importer.report()["metric"], importer.report()["direction"]) == ("accuracy", "maximize")
    assert importer.arms()["new"]["verdict"] == "better"
    assert importer.arms()["new"]["guards"]["seconds"]["state"] == "not worse"
    assert "nothing new" in importer.request(request)


@pytest.mark.parametrize(
    ("words", "guards", "sentence"),
    [
        (["accuracy:maximize", "second"], {}, "no column 'second' for --metric; did you mean"),
        (["accuracy:maximize"], {"seconds": "1%"}, "--guard names 'seconds', which is no metric"),
        (["accuracy:maximize", "time=seconds"], {}, "whether a higher 'time' is better"),
    ],
)
def test_a_metric_that_an_import_cannot_have_is_refused(
    tmp_path: Path, words: list[str], guards: dict[str, str], sentence: str
) -> None:
    importer = Importer(tmp_path)
    (tmp_path / "r.csv").write_text(FILE)
    request = ImportRequest(
        files=[tmp_path / "r.csv"],
        study="x",
        metrics=parse_metrics(words),
        settings=Settings(guards=guards or None),
    )
    with pytest.raises(ResultsError, match=sentence):
        importer.request(request)


def test_a_further_metric_of_other_runs_is_refused(tmp_path: Path) -> None:
    importer = Importer(tmp_path)
    (tmp_path / "r.csv").write_text(FILE)
    imported(importer, tmp_path / "r.csv", "accuracy:maximize")
    (tmp_path / "s.csv").write_text("arm,seed,memory\nbaseline,1,5\nnew,9,5\n")
    with pytest.raises(ResultsError, match="row 2, arm 'new', seed 9, is no run of 'x'"):
        imported(importer, tmp_path / "s.csv", "memory")

"""A report says how many of its runs had results before the plan was made."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from sweep.reports.formats import FORMATS
from sweep.reports.verdict_json import report_json
from sweep.reports.verdict_text import preamble, report_document
from sweep.store.schema import plans
from sweep.verdicts.judge import make_report
from tests.sweep.stores import Content, Trainer, changed, usual

LINE = "{} of 6 runs existed before this plan: their results could be known when it was made."


def report(train: Trainer, study: str) -> dict[str, Any]:
    return report_json(make_report(train.store, train.store.study(study)))


def lines(train: Trainer, study: str) -> list[str]:
    return preamble(make_report(train.store, train.store.study(study)))


def existed(train: Trainer, study: str) -> tuple[int, int, dict[str, int]]:
    found = report(train, study)["plan"]["existed"]
    return found["runs"], found["of"], found["by_arm"]


def nothing(_arm: str, _seed: int) -> dict[str, Any]:
    return {}


def test_a_study_of_new_runs_has_no_note_on_existing_runs(train: Trainer, content: Content) -> None:
    for _ in range(2):  # the second time all of its runs are done
        train(content)
        assert existed(train, "tiny") == (0, 6, {})
        assert not any("existed" in line for line in lines(train, "tiny"))


def test_a_copy_under_another_name_says_that_its_runs_existed(
    train: Trainer, content: Content
) -> None:
    train(content)
    train(changed(content, "name", "copy"))
    assert existed(train, "copy") == (6, 6, {"baseline": 2, "no-dropout": 2, "clip": 2})
    assert [arm["n_existed"] for arm in report(train, "copy")["arms"]] == [2, 2, 2]
    assert LINE.format(6) in lines(train, "copy")
    assert existed(train, "tiny") == (0, 6, {})


def test_runs_that_had_no_result_yet_do_not_count(train: Trainer, content: Content) -> None:
    train(content, lambda arm, seed: usual(arm, seed) if arm == "baseline" else {"fail": True})
    train(changed(content, "name", "copy"), nothing)
    assert existed(train, "copy") == (2, 6, {"baseline": 2})
    assert LINE.format(2) in lines(train, "copy")


def test_a_later_plan_of_the_study_keeps_what_existed_and_adds_its_own_new_runs(
    train: Trainer, content: Content
) -> None:
    train(content)
    train(changed(content, "name", "copy"))
    train(changed(changed(content, "name", "copy"), "design/seeds", 4))
    assert existed(train, "copy") == (6, 12, {"baseline": 2, "no-dropout": 2, "clip": 2})


def test_runs_of_another_study_that_a_later_plan_takes_in_are_counted(
    train: Trainer, content: Content
) -> None:
    train(changed(changed(content, "name", "other"), "design/seeds", 4))
    small = changed(changed(content, "design/seeds", [11, 12]), "name", "copy")
    train(small)
    assert existed(train, "copy")[0] == 0
    train(changed(small, "design/seeds", [1, 2, 11, 12]))
    assert existed(train, "copy") == (6, 12, {"baseline": 2, "no-dropout": 2, "clip": 2})


def test_runs_of_an_arm_that_is_added_again_existed(train: Trainer, content: Content) -> None:
    train(content)
    without = {**content, "interventions": {**content["interventions"]}}
    clip = without["interventions"].pop("clip")
    train(without)
    back = {**without, "interventions": {**without["interventions"], "back": clip}}
    train(back)
    assert existed(train, "tiny") == (2, 6, {"back": 2})


def test_results_in_run_directories_count_although_the_database_was_lost(
    train: Trainer, content: Content
) -> None:
    assert train.store.ledger
    plan = train(content, nothing)
    first = train.store.run_ids("tiny")[0][1]
    directory = train.store.ledger.run(first)
    directory.path.mkdir(parents=True)
    directory.result.write_text("{}")
    assert plan.study.name == "tiny"
    train(changed(content, "name", "copy"), nothing)
    assert existed(train, "copy") == (1, 6, {"baseline": 1})


def test_a_plan_of_an_older_version_says_nothing_nor_do_those_after_it(
    train: Trainer, content: Content
) -> None:
    train(content)
    with train.store.write() as connection:
        old = dict(connection.execute(select(plans.c.content)).scalar_one())
        del old["existed"]
        connection.execute(update(plans).values(content=old))
    train(changed(content, "analysis/alpha", 0.01))
    assert report(train, "tiny")["plan"]["existed"] is None
    assert {arm["n_existed"] for arm in report(train, "tiny")["arms"]} == {None}
    assert not any("existed" in line for line in lines(train, "tiny"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_runs_that_existed(
    train: Trainer, content: Content, name: str
) -> None:
    train(content)
    train(changed(content, "name", "copy"))
    written = FORMATS[name].write(
        report_document(make_report(train.store, train.store.study("copy")))
    )
    said = {"csv": "n_existed", "json": '"existed": {'}
    assert said.get(name, LINE.format(6)) in " ".join(written.split())

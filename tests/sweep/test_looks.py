"""Looks at a study are on record, and its report says which verdicts rest on what."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, select, update

from sweep.store.schema import members, plans, runs
from sweep.verdicts.judge import make_report
from tests.sweep.importer import PAIRED, Importer, csv
from tests.sweep.stores import Content, Trainer, changed, usual

SEEDS = "design/seeds"


def noisy(arm: str, seed: int) -> dict[str, Any]:
    """`clip` is far better; `no-dropout` shows nothing."""
    effect = {"clip": -0.3}.get(arm, 0.0)
    wobble = 0.0 if arm == "baseline" else ((seed * 7 + len(arm)) % 5 - 2) / 50
    return {"test_loss": usual("baseline", seed)["test_loss"] + effect + wobble}


def nothing(_arm: str, _seed: int) -> dict[str, Any]:
    return {}


def basis(train: Trainer, study: str = "tiny") -> dict[str, tuple[str, int]]:
    rows = make_report(train.store, train.store.study(study)).judgement.arms[1:]
    return {row.arm: (row.basis or "", row.n_planned or 0) for row in rows}


def looks(train: Trainer) -> list[dict[str, Any]]:
    with train.store.begin() as connection:
        query = select(plans.c.content).order_by(plans.c.stored)
        return [content["looks"] for content in connection.execute(query).scalars()]


def planned(*arms: str, seeds: int) -> dict[str, tuple[str, int]]:
    return dict.fromkeys(arms, ("planned", seeds))


BOTH = ("no-dropout", "clip")


def test_an_extension_after_a_look_leaves_decided_arms_and_judges_the_others_by_e_values(
    train: Trainer, content: Content
) -> None:
    train(changed(content, SEEDS, 4), noisy)
    assert basis(train) == planned(*BOTH, seeds=4)
    assert "Verdicts rest on the planned 4 seeds.\n" in train.table()
    train(changed(content, SEEDS, 9), noisy)
    assert basis(train) == {"no-dropout": ("looks", 4), "clip": ("planned", 4)}
    assert (
        "Verdicts rest on the planned 4 seeds: clip; on e-values over 9 seeds (p = 2 / e-value), "
        "which hold at every look: no-dropout.\n"
    ) in train.table()
    look = {"seeds": [[1, 4]], "baseline": [[1, 4]], "seen": [[1, 4]], "later_plans": 0}
    assert looks(train) == [{}, dict.fromkeys(BOTH, look)]
    assert train.report()["plan"]["looks"].keys() == set(BOTH)


def test_the_first_look_stays_the_look_of_all_later_plans(train: Trainer, content: Content) -> None:
    for seeds in (3, 5, 7):
        train(changed(content, SEEDS, seeds), noisy)
    assert basis(train)["no-dropout"] == ("looks", 3)


def test_an_extension_before_any_result_is_no_look(train: Trainer, content: Content) -> None:
    train(changed(content, SEEDS, 3), nothing)
    train(changed(content, SEEDS, 5), noisy)
    assert basis(train) == planned(*BOTH, seeds=5)


def test_results_of_the_baseline_alone_are_no_look(train: Trainer, content: Content) -> None:
    train(changed(content, SEEDS, 3), lambda arm, s: noisy(arm, s) if arm == "baseline" else {})
    train(changed(content, SEEDS, 5), noisy)
    assert basis(train) == planned(*BOTH, seeds=5)


def test_an_arm_that_is_added_after_a_look_has_its_own(train: Trainer, content: Content) -> None:
    both = {**content, "interventions": dict(content["interventions"])}
    clip = both["interventions"].pop("clip")
    train(changed(both, SEEDS, 3), noisy)
    both["interventions"]["clip"] = clip
    train(changed(both, SEEDS, 5), noisy)
    assert basis(train) == {"no-dropout": ("looks", 3), "clip": ("planned", 5)}


def test_a_renamed_arm_keeps_its_look(train: Trainer, content: Content) -> None:
    train(changed(content, SEEDS, 3), noisy)
    renamed = {**content, "interventions": dict(content["interventions"])}
    renamed["interventions"]["other"] = renamed["interventions"].pop("no-dropout")
    train(changed(renamed, SEEDS, 5), noisy)
    assert basis(train)["other"] == ("looks", 3)


def test_going_back_to_the_seeds_of_the_look_is_the_look(train: Trainer, content: Content) -> None:
    for seeds in (3, 5, 3):
        train(changed(content, SEEDS, seeds), noisy)
    assert basis(train) == planned(*BOTH, seeds=3)


def test_a_smaller_plan_after_a_look_is_no_fixed_plan(train: Trainer, content: Content) -> None:
    for seeds in (3, 5):  # the plan of three seeds is made before any result
        train(changed(content, SEEDS, seeds), noisy if seeds == 5 else nothing)
    train(changed(content, SEEDS, 3), noisy)
    assert set(basis(train).values()) == {("looks", 0)}


def test_an_arm_that_comes_back_has_the_look_that_it_had(train: Trainer, content: Content) -> None:
    train(changed(content, SEEDS, 3), noisy)
    without = {**content, "interventions": dict(content["interventions"])}
    del without["interventions"]["no-dropout"]
    train(changed(without, SEEDS, 4), noisy)
    train(changed(content, SEEDS, 5), noisy)
    assert basis(train)["no-dropout"] == ("looks", 3)


def test_a_plan_that_comes_back_after_another_one_is_not_new(
    train: Trainer, content: Content
) -> None:
    train(changed(content, SEEDS, 3), nothing)
    train(changed(content, SEEDS, 5), noisy)
    trial = changed(changed(content, SEEDS, 5), "baseline/model/init_std", 0.5)
    train(trial, noisy)
    train(changed(content, SEEDS, 3), noisy)
    assert set(basis(train).values()) == {("looks", 0)}
    train(changed(content, SEEDS, 5), noisy)
    assert basis(train) == planned(*BOTH, seeds=5)


def test_an_extended_copy_has_no_fixed_verdict_either(train: Trainer, content: Content) -> None:
    train(changed(content, SEEDS, 4), noisy)
    train(changed(changed(content, "name", "copy"), SEEDS, 4), noisy)
    train(changed(changed(content, "name", "copy"), SEEDS, 9), noisy)
    assert set(basis(train, "copy").values()) == {("looks", 0)}


def test_verdicts_of_a_copy_under_another_name_rest_on_e_values_alone(
    train: Trainer, content: Content
) -> None:
    train(changed(content, SEEDS, 4), noisy)
    train(changed(changed(content, "name", "copy"), SEEDS, 4), noisy)
    assert set(basis(train, "copy").values()) == {("looks", 0)}
    assert basis(train) == planned(*BOTH, seeds=4)


def test_verdicts_before_the_planned_seeds_have_ended_are_marked(
    train: Trainer, content: Content
) -> None:
    train(changed(content, SEEDS, 5), lambda arm, seed: noisy(arm, seed) if seed < 5 else {})
    table = train.table()
    assert set(basis(train).values()) == {("provisional", 5)}
    assert "better (provisional)" in table
    assert "Verdicts rest provisionally on those of the planned 5 seeds that have ended.\n" in table
    assert "3 runs are still to be trained: these verdicts are provisional.\n" in table


def test_a_later_import_with_more_seeds_is_a_second_look(importer: Importer) -> None:
    flat = [("flat", s, 2.5 + s / 100 + (-1) ** s / 500) for s in range(1, 5)]
    importer(csv([*PAIRED, *flat]))
    assert {row["basis"] for row in importer.report()["arms"][1:]} == {"planned"}
    assert "Verdicts rest" not in importer.table()
    more = [(arm, s + 4, loss) for arm, s, loss in [*PAIRED, *flat]]
    importer(csv(more))
    found = importer.arms()
    assert (found["clip"]["basis"], found["clip"]["n_planned"]) == ("planned", 4)
    assert (found["flat"]["basis"], found["flat"]["n_planned"]) == ("looks", 4)


def test_later_imports_without_pairs_are_tested_at_a_part_of_alpha(importer: Importer) -> None:
    def runs(first: int, last: int) -> str:
        numbers = range(first, last + 1)
        base = [("baseline", f"b{s}", 2.5 + s % 5 / 100) for s in numbers]
        return csv([*base, *(("x", f"x{s}", 2.49 + s * 2 % 7 / 100) for s in numbers)])

    importer(runs(1, 5))
    for last, part in ((10, 1 / 4), (15, 1 / 8)):
        importer(runs(last - 4, last))
        found = importer.arms()["x"]
        assert (found["basis"], found["alpha_share"], found["n_planned"]) == ("looks", part, 5)
        assert f"on all runs, tested at alpha / {1 / part:g} as a later look" in importer.table()


def test_intervals_without_bounds_are_null_in_json_and_unbounded_in_the_table(
    train: Trainer, content: Content
) -> None:
    train(changed(changed(content, SEEDS, 2), "name", "first"), noisy)
    train(changed(content, SEEDS, 2), noisy)
    (arm,) = (each for each in train.report()["arms"] if each["arm"] == "no-dropout")
    assert (arm["ci_low"], arm["ci_high"]) == (None, None)
    assert "unbounded" in train.table()


def test_looks_at_plans_of_an_older_version_are_found_by_times(
    train: Trainer, content: Content
) -> None:
    train(changed(content, SEEDS, 3), noisy)
    train(changed(content, SEEDS, 5), noisy)
    with train.store.write() as connection:
        rows = connection.execute(select(plans).order_by(plans.c.stored)).mappings().all()
        for when, row in enumerate(rows, 1):
            old = {key: value for key, value in row["content"].items() if key != "looks"}
            values = {"content": old, "stored": 100.0 * when}
            connection.execute(update(plans).where(plans.c.hash == row["hash"]).values(**values))
        finished = case((members.c.seed <= 3, 150.0), else_=250.0)
        of_run = select(finished).where(members.c.run_id == runs.c.id).limit(1).scalar_subquery()
        connection.execute(update(runs).values(finished=of_run))
    assert basis(train) == {"no-dropout": ("looks", 3), "clip": ("planned", 3)}
    with train.store.write() as connection:
        connection.execute(update(runs).values(finished=250.0))
    assert basis(train) == planned(*BOTH, seeds=5)

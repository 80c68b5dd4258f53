"""`sweep export --best`: the runs of the best arm as folders, and as models of a collection."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sweep.errors import StudyError
from sweep.reports.best_arm_text import best_arm_lines
from sweep.verdicts.best_arm import BestArm, find_best_arm
from sweep.verdicts.judge import make_report
from tests.sweep.model_hub import FULL, TOKEN, ModelHub
from tests.sweep.stores import Content, Trainer, changed, usual
from tests.trainer.fake_hub import serve

Run = Callable[..., subprocess.CompletedProcess[str]]
BETTER_BY = {"no-dropout": -0.2, "clip": -0.1}
"""How far the losses of arms lie below the baseline's, in a study that is decided."""


def judged(train: Trainer, content: Content, shifts: dict[str, float]) -> BestArm | None:
    """The best arm of a study whose arms differ by this from the baseline, with a little noise."""

    def outcome(arm: str, seed: int) -> dict[str, Any]:
        loss = 2.5 + seed / 100 + shifts.get(arm, 0.0) + (len(arm) * seed) % 5 / 10_000
        speed = 50.0 if arm == "no-dropout" else 100.0
        return {**usual(arm, seed), "test_loss": loss, "tokens_per_second": speed + seed / 10}

    train(changed(content, "design/seeds", 6), outcome)
    return find_best_arm(make_report(train.store, train.store.study("tiny")))


def lines(train: Trainer, best: BestArm) -> str:
    return " ".join(best_arm_lines(make_report(train.store, train.store.study("tiny")), best))


def test_the_best_arm_has_the_largest_effect_of_those_that_are_better(
    train: Trainer, content: Content
) -> None:
    best = judged(train, content, BETTER_BY)
    assert best is not None
    assert (best.arm.name, best.also_better, best.is_baseline) == ("no-dropout", ["clip"], False)
    assert lines(train, best).startswith(
        "The best arm of tiny by its verdicts is 'no-dropout', whose effect is the largest of those "
        "that are better than the baseline (-0.2"
    )
    assert "It was not tested against the others of these, 'clip'." in lines(train, best)


def test_a_guard_speaks_against_a_better_arm(train: Trainer, content: Content) -> None:
    content["analysis"]["guards"] = {"tokens_per_second": "-5%"}
    best = judged(train, content, BETTER_BY)
    assert best is not None
    assert (best.arm.name, best.guarded) == ("clip", ["no-dropout"])
    assert "Better, but not by its guards: 'no-dropout'." in lines(train, best)


def test_the_baseline_is_best_if_no_change_is_shown_to_be_better(
    train: Trainer, content: Content
) -> None:
    best = judged(train, content, {"no-dropout": 0.2, "clip": 0.0})
    assert best is not None
    assert (best.arm.name, best.is_baseline) == ("baseline", True)
    assert "is 'baseline', the baseline: no change was shown to be better." in lines(train, best)


def test_undecided_arms_are_named_and_not_chosen(train: Trainer, content: Content) -> None:
    content["analysis"]["smallest_effect"] = 1e-7
    best = judged(train, content, {"no-dropout": -0.1, "clip": 0.0})
    assert best is not None
    assert (best.arm.name, best.undecided) == ("no-dropout", ["clip"])
    assert "Undecided, and so not chosen: 'clip'." in lines(train, best)


def test_no_arm_is_best_before_there_is_a_verdict(train: Trainer, content: Content) -> None:
    train(changed(content, "design/seeds", 1))
    assert find_best_arm(make_report(train.store, train.store.study("tiny"))) is None


def test_a_factorial_has_no_best_arm(train: Trainer, content: Content) -> None:
    train(changed(content, "design/kind", "factorial"))
    with pytest.raises(StudyError, match="tiny: a factorial has verdicts on effects and none on"):
        find_best_arm(make_report(train.store, train.store.study("tiny")))


@pytest.fixture(scope="module")
def decided(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study, with losses by which no-dropout is best."""
    made = Path(shutil.copytree(folder, tmp_path_factory.mktemp("decided") / "copy"))
    with sqlite3.connect(made / "runs" / "sweep.db") as database:
        arms = (
            "SELECT run_id FROM members JOIN arms ON arms.id = arm_id WHERE name = ? AND seed = ?"
        )
        for arm, loss in {"baseline": 3.0, "no-dropout": 2.5, "clip": 3.1}.items():
            for seed in (1, 2):
                change = f"UPDATE runs SET test_loss = ? WHERE id IN ({arms})"  # noqa: S608
                database.execute(change, (loss + seed / 1000, arm, seed))
    return made


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of a hub, and its address."""
    folder = tmp_path_factory.mktemp("hub")
    with serve(folder, ModelHub) as address:
        yield folder, address


@pytest.fixture
def online(environment: dict[str, str], hub: tuple[Path, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a command that is logged in to the hub."""
    kept = {name: value for name, value in environment.items() if not name.startswith("HF_")}
    return {
        **kept,
        "HF_ENDPOINT": hub[1],
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
    }


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_best_arm_is_written_and_pushed_as_a_collection_also_when_repeated(
    decided: Path, hub: tuple[Path, str], online: dict[str, str], sweep: Run, tmp_path: Path
) -> None:
    for number in (1, 2):
        to = tmp_path / f"models-{number}"
        words = ("export", "tiny", "--best", "--to", to, "--push", "me/Tiny")
        done = sweep(decided, *words, variables=online)
        assert (done.returncode, done.stderr) == (0, "")
        said = done.stdout.splitlines()
        assert said[0].startswith(
            "The best arm of tiny by its verdicts is 'no-dropout', the only one that is better than "
            "the baseline (-0.5"
        )
        assert said[1:] == [
            f"Written to {to}: seed-1, seed-2. transformers loads each as it is.",
            "Uploading 2 models, me/Tiny-seed-1, me/Tiny-seed-2, for the collection 'Tiny'.",
            f"Uploaded to {hub[1]}/me/Tiny-seed-1.",
            f"Uploaded to {hub[1]}/me/Tiny-seed-2.",
            f"Listed in {hub[1]}/collections/me/tiny-{'0' * 24}.",
        ]
        for seed in (1, 2):
            assert "model.safetensors" in content_of(to / f"seed-{seed}")
            uploaded = content_of(hub[0] / "me" / f"Tiny-seed-{seed}")
            assert uploaded == content_of(to / f"seed-{seed}")
            assert f"# tiny/no-dropout/{seed}\n".encode() in uploaded["README.md"]
    [collection] = json.loads((hub[0] / "collections.json").read_bytes()).values()
    assert [each["id"] for each in collection["items"]] == ["me/Tiny-seed-1", "me/Tiny-seed-2"]
    assert collection["description"] == ("The arm no-dropout of the study tiny, a model per seed.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--push", f"me/{FULL}"],
            "'me/full-seed-1' at {hub} refused with status 403; the model is",
        ),
        (
            ["--push", "a/b/c"],
            "--push: Repo id must be in the form 'repo_name' or 'namespace/repo_na",
        ),
    ],
)
def test_an_upload_that_the_hub_refuses_is_one_sentence(
    words: list[str],
    sentence: str,
    decided: Path,
    online: dict[str, str],
    sweep: Run,
    tmp_path: Path,
) -> None:
    done = sweep(decided, "export", "--best", "--to", tmp_path / "m", *words, variables=online)
    assert done.returncode == 2
    assert done.stderr.startswith(f"sweep: {sentence.format(hub=online['HF_ENDPOINT'])}")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_verdict_nothing_is_exported(folder: Path, sweep: Run, tmp_path: Path) -> None:
    """The finished study has too little noise or too few seeds for any verdict."""
    done = sweep(folder, "export", "--best", "--to", tmp_path / "models")
    assert done.returncode == 1
    assert done.stdout.startswith("No arm of tiny has a verdict yet, so that none is the best.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "m"], "name a run, as ARM/SEED; or a study, with --best"),
        (
            ["tiny", "--best", "--study", "tiny", "--to", "m"],
            "--best takes one study: leave out tiny",
        ),
        (["no-study", "--best", "--to", "m"], "no study 'no-study'"),
    ],
)
def test_a_contradictory_command_is_refused(
    words: list[str], sentence: str, folder: Path, sweep: Run
) -> None:
    done = sweep(folder, "export", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (folder / "m").exists()

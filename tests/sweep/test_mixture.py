"""A study with arms that train on mixtures of corpora."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.errors import StudyError
from sweep.workload.corpora import find_entries
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import read_plan
from trainer.corpora.mixture import folders_of
from trainer.errors import UserError

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def study(tmp_path: Path, study_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study that tests on one text and has another one beside it."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        words = " ".join(f"{name} sentence {number}." for number in range(300))
        (tmp_path / f"{name}.txt").write_text(words)
    return write_study(tmp_path / "s.toml", study_text, '"one.txt" = 0.7, "two.txt" = 0.3')


def write_study(path: Path, text: str, shares: str) -> Path:
    data = "[baseline.data]\ncorpus = 'one.txt'\n\n[baseline.model]"
    mixed = f'[interventions.mixed]\nbecause = "x"\nset = {{ "data.mixture" = {{ {shares} }} }}\n'
    path.write_text(
        text.replace("[baseline.model]", data, 1).replace("[design]", f"{mixed}\n[design]")
    )
    return path


def workload(study: Path) -> Workload:
    return make_workload(read_plan(study), study.parent / "runs" / "cache")


def ids(found: Workload) -> dict[tuple[str, int], str]:
    return {place: job.run_id for place, job in found.jobs().items()}


def test_the_content_of_the_corpora_and_their_shares_identify_a_run(
    study: Path, study_text: str
) -> None:
    before = ids(workload(study))
    (study.parent / "two.txt").rename(study.parent / "moved.txt")
    moved = write_study(study, study_text, '"moved.txt" = 0.3, "one.txt" = 0.7')
    assert ids(workload(moved)) == before
    other = ids(workload(write_study(study, study_text, '"moved.txt" = 0.4, "one.txt" = 0.6')))
    changed = {place for place in before if before[place] != other[place]}
    assert changed == {("mixed", 1), ("mixed", 2)}


def test_a_mixture_of_the_corpus_alone_is_the_baseline(study: Path, study_text: str) -> None:
    with pytest.raises(StudyError, match="arm 'mixed' is the same as arm 'baseline'"):
        workload(write_study(study, study_text, '"one.txt" = 1.0'))


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ('"one.txt" = 0.7', "mixture: the shares of a mixture add up to 1, and these to 0.7"),
        ('"one.txt" = "all"', "the share of 'one.txt' is 'all', which is not a number"),
        (
            '"one.txt" = 0.5, "thre.txt" = 0.5',
            "data.mixture: data.corpus = 'thre.txt': there is no such",
        ),
    ],
)
def test_a_mixture_that_cannot_be_drawn_is_refused_with_its_place(
    study: Path, study_text: str, shares: str, words: str
) -> None:
    with pytest.raises(UserError) as refused:
        workload(write_study(study, study_text, shares))
    assert words in str(refused.value)


def test_it_is_set_by_an_override_and_in_a_table(study: Path) -> None:
    plan = read_plan(study, {"data.mixture": {"two.txt": 1.0}})
    assert plan.arms[0].spec.parameters()["data"]["mixture"] == {"two.txt": 1.0}
    flat = study.read_text()
    study.write_text(
        flat.replace('"data.mixture" = {', "data = { mixture = {").replace("} }", "} } }")
    )
    assert study.read_text() != flat
    assert read_plan(study).arms[-1].spec.parameters()["data"]["mixture"] == {
        "one.txt": 0.7,
        "two.txt": 0.3,
    }


def test_a_saved_mixture_names_the_corpora_that_it_reads(study: Path) -> None:
    cache = study.parent / "runs" / "cache"
    found = workload(study)
    found.inputs.save_small()
    entries = {entry.folder: entry.info for entry in find_entries(cache)}
    mixed = found.jobs()["mixed", 1].corpus_hash
    *parts, last = folders_of("bytes", mixed, cache)
    assert {last, *parts} == entries.keys()
    described = entries[last]
    assert described
    assert described.needs == {
        info.hash for path, info in entries.items() if info and path in parts
    }
    assert (described.hash, described.tested_on) == (mixed, found.jobs()["baseline", 1].corpus_hash)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_mixture_is_trained_on_listed_and_kept_with_its_corpora(study: Path, sweep: Run) -> None:
    folder, cache = study.parent, study.parent / "runs" / "cache"
    assert "Mixture: " in sweep(folder, "plan", "s.toml").stdout
    done = sweep(folder, "run", "s.toml")
    assert done.returncode == 0, done.stderr
    listed = json.loads(sweep(folder, "data", "list", "--format", "json").stdout)
    by_name = {entry["corpus"]: entry for entry in listed}
    (mixed,) = by_name.keys() - {"one.txt", "two.txt"}
    assert sorted(part["share"] for part in by_name[mixed]["mixture"]) == [0.3, 0.7]
    assert "mixture" not in by_name["one.txt"]
    folders = folders_of("bytes", by_name[mixed]["hash"], cache)
    assert {path.name for path in folders} == {path.name for path in cache.iterdir()} - {"hub.json"}
    assert folders[-1].name == Path(by_name[mixed]["folder"]).name
    assert "There is nothing to free" in sweep(folder, "gc", "--corpora").stdout
    run = workload(study).jobs()["mixed", 1].run_id
    exported = sweep(folder, "export", run[:12], "--to", "model")
    assert exported.returncode == 0, exported.stderr
    card = (folder / "model" / "README.md").read_text()
    assert "70% `one.txt`, 30% `two.txt`; tested on `one.txt`, bytes tokens" in card
    compared = json.loads(sweep(folder, "compare", "baseline", "mixed", "--format", "json").stdout)
    assert len(compared["chunks"]) == 2, "both were tested on the same text"
    removed = sweep(folder, "data", "remove", "two.txt").stdout
    assert "The results of 2 runs of tiny stay" in " ".join(removed.split())

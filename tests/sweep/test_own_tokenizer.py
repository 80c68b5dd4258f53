"""A study with a tokenizer of one's own: its content identifies the runs, and not its path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sweep.errors import StudyError
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import read_plan
from tests.trainer.own_tokenizers import neox, roberta, write
from trainer.corpora.tokenizer import load_tokenizer

GEESE = "".join(f"The {i} grey geese gather;  {i * i} fly, {i % 7} feed.\n" for i in range(999))


@pytest.fixture
def study(tmp_path: Path, study_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study in a folder that is not the working directory, with a tokenizer beside it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "geese.txt").write_text(GEESE)
    write(roberta(), folder / "tok")
    return write_study(folder / "s.toml", study_text, "tok/tokenizer.json")


def write_study(path: Path, text: str, tokenizer: str, more: str = "") -> Path:
    data = f"[baseline.data]\ncorpus = 'geese.txt'\ntokenizer = '{tokenizer}'\n\n[baseline.model]"
    path.write_text(text.replace("[baseline.model]", data, 1) + more)
    return path


def workload(study: Path, cache: Path) -> Workload:
    return make_workload(read_plan(study), cache)


def ids(found: Workload) -> list[str]:
    return [job.run_id for job in found.jobs().values()]


@pytest.mark.slow
def test_a_tokenizer_that_is_moved_is_the_same_and_another_one_is_not(
    study: Path, study_text: str, tmp_path: Path
) -> None:
    before = ids(workload(study, tmp_path / "cache"))
    (study.parent / "tok").rename(study.parent / "elsewhere")
    for word in ("elsewhere/tokenizer.json", "elsewhere", str(study.parent / "elsewhere")):
        assert ids(workload(write_study(study, study_text, word), tmp_path / "cache")) == before
    write(neox(), study.parent / "elsewhere")
    assert not set(ids(workload(study, tmp_path / "cache"))) & set(before)


def test_the_corpus_keeps_the_tokenizer_and_needs_the_file_no_more(
    study: Path, tmp_path: Path
) -> None:
    made = workload(study, tmp_path / "cache")
    made.inputs.save_small()
    [corpus] = [supply.corpus for supply in made.inputs.supplies]
    name = corpus.info.tokenizer
    assert name.startswith("file-400-2-")
    shutil.rmtree(study.parent / "tok")
    kept = load_tokenizer(name, tmp_path / "cache" / corpus.info.folder)
    text = (kept.decode(corpus.train.tolist()) + kept.decode(corpus.test.tolist())).decode()
    assert text.replace("</s>", "") == GEESE
    assert corpus.byte_lengths[corpus.train].sum() + corpus.byte_lengths[corpus.test].sum() == len(
        GEESE
    )


def test_an_intervention_may_set_it_as_a_field_or_in_a_table(
    study: Path, study_text: str, tmp_path: Path
) -> None:
    more = """
[interventions.mine]
because = "x"
set = { "data.tokenizer" = "tok" }
[interventions.other]
because = "x"
set = { data = { tokenizer = "other" } }
"""
    write(neox(), study.parent / "other")
    plan = read_plan(write_study(study, study_text, "bytes", more))
    names = {
        arm.name: arm.spec.parameters()["data"]["tokenizer"].rpartition("-")[0] for arm in plan.arms
    }
    assert (names["baseline"], names["mine"], names["other"]) == ("", "file-400-2", "file-403-0")
    assert len(plan.study.tokenizers) == 2
    make_workload(plan, tmp_path / "cache")


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        ("tok2/tokenizer.json", "[baseline.data] data.tokenizer = 'tok2/tokenizer.json': there is"),
        (
            "geese.txt",
            "[baseline.data] data.tokenizer = 'geese.txt' is not a tokenizer.json of Hugg",
        ),
        (
            "gpt3",
            "line 6: baseline.data.tokenizer: 'gpt3' is not a tokenizer; use bytes, gpt2, bpe-N for",
        ),
    ],
)
def test_what_is_no_tokenizer_is_refused_with_the_place(
    tokenizer: str, words: str, study: Path, study_text: str
) -> None:
    with pytest.raises(StudyError) as refused:
        read_plan(write_study(study, study_text, tokenizer))
    assert str(refused.value).startswith(f"{study}: {words}")


def test_an_override_may_name_a_tokenizer(study: Path, study_text: str) -> None:
    write_study(study, study_text, "bytes")
    plan = read_plan(study, {"data.tokenizer": "tok"})
    assert plan.arms[0].spec.parameters()["data"]["tokenizer"].startswith("file-400-2-")

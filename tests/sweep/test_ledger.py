"""The names of the ledger's files, and the identity of a run that an old directory lacks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweep.design.plan import Plan
from sweep.store.ledger import directory_name, study_file
from sweep.trainers.builtin import GptRun
from sweep.trainers.inputs import GptInputs
from sweep.trainers.supply import Supply
from sweep.upkeep.rebuild import read_job
from sweep.workload.workload import Workload
from trainer.rundir.directory import RunDirectory
from trainer.rundir.request import Request

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("corpus", ["python-stdlib", "texts.jsonl"])
@pytest.mark.parametrize("weights", [None, "e" * 64])
def test_a_run_whose_request_has_no_family_is_of_the_family_that_its_study_gives_it(
    plan: Plan, tmp_path: Path, corpus: str, weights: str | None
) -> None:
    recipe = plan.arms[0].spec.recipe
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"corpus": corpus})})
    supplies = {recipe.data: Supply(recipe.data, None, "c" * 64, None, saved=True)}
    begun = SimpleNamespace(folder="gpt2", hash=weights)
    job = Workload(plan, GptInputs(tmp_path, supplies, {None: begun} if weights else {})).job(
        GptRun(recipe)
    )
    request = Request(recipe=recipe, corpus_hash="c" * 64, weights_hash=weights)
    directory = RunDirectory(tmp_path / directory_name(job.run_id))
    directory.write_request(request)
    found = read_job(directory)
    assert found is not None
    assert (found.run_id, found.family) == (job.run_id, job.family)


def test_a_study_of_any_name_has_a_plain_file_name() -> None:
    names = ["tiny", "ſtudy", "試" * 64, "A" * 64, "a" * 64, "../../etc/passwd", "x\n\u202e<b>"]
    files = [study_file(name) for name in names]
    assert len(set(files)) == len(names)
    for file in files:
        assert len(file.encode()) <= 80
        assert file.isascii()
        assert not set(file) & set("/\\\n\0<>:*?")

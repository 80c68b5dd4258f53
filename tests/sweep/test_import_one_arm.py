"""Files with one arm: their noise is what they are for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.errors import ResultsError
from tests.analysis.test_variance import PASTES
from tests.sweep.importer import Importer
from tests.sweep.said import content

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def test_a_file_without_an_arm_is_one_arm_if_that_is_said(importer: Importer) -> None:
    file = "loss,seed\n3.1,1\n3.2,2\n"
    with pytest.raises(ResultsError, match="or --column arm=- if all rows are one arm"):
        importer(file)
    said = importer(file, columns={"arm": "-"})
    assert "the study has one arm: 'baseline' is the baseline." in said
    assert "The study has one arm, and nothing to compare it with" in importer.table()


@pytest.mark.slow
def test_casks_inside_batches_of_paste_are_decomposed_from_a_file(
    tmp_path: Path, sweep: Run
) -> None:
    # lme4, Pastes: sds 1.2874, 2.9041, 0.8234. Casks are called a, b, c in each batch.
    rows = [
        f"{'ABCDEFGHIJ'[i // 6]},{'abc'[i % 6 // 2]},{i},{strength}"
        for i, strength in enumerate(PASTES)
    ]
    (tmp_path / "pastes.csv").write_text("\n".join(["batch,cask,assay,strength", *rows]))
    fields = {"arm": "-", "loss": "strength", "init_seed": "batch", "order_seed": "cask"}
    words = [f"--column={key}={name}" for key, name in {**fields, "dropout_seed": "assay"}.items()]
    done = sweep(tmp_path, "import", "pastes.csv", "--study", "pastes", *words)
    assert done.returncode == 0, done.stderr
    words = ["--decompose", "init/order,dropout", "--format", "json"]
    found = content(sweep(tmp_path, "noise", "pastes", *words))
    sds = [part["sd"] for part in found["components"].values()]
    assert sds == pytest.approx([1.2874, 2.9041, 0.8234], abs=5e-5)
    assert found["decomposition"]["inside"] == {"order": ["init"]}
    text = sweep(tmp_path, "noise", "pastes", "--decompose", "init/order", "--method", "ML").stdout
    assert "order is nested: its seeds are other ones in each seed of init." in text
    assert "(maximum likelihood)" in text

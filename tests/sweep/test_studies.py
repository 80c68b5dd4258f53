"""The studies in studies/ train on a CPU on real files, shortened by `--override`.

Their corpora are not prepared, and one seed is trained.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
STUDIES = Path(__file__).parents[2] / "studies"
SMALL = {
    "model.layers": 1,
    "model.heads": 2,
    "model.width": 16,
    "model.context": 4,
    "train.batch_size": 6,
    "train.tokens": 6 * 4 * 20,  # the fewest steps of which a twentieth is a step of warm-up
    "evaluation.chunks": 2,
    "evaluation.chunk_tokens": 64,
}
FINEWEB = {
    "data.corpus": "fineweb.parquet",
    "data.subset": "none",
    "data.max_tokens": "none",
    "evaluation.start_token": 0,
}


def write_fineweb(path: Path, rows: int) -> None:
    """Write a parquet file with FineWeb's columns (see its card on the hub) and random words."""
    rng = random.Random(1)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(500)]
    texts = [" ".join(rng.choices(words, k=rng.randint(20, 200))) for _ in range(rows)]
    columns = {
        "text": texts,
        "id": [f"<urn:uuid:{row}>" for row in range(rows)],
        "dump": ["CC-MAIN-2024-10"] * rows,
        "url": [f"https://example.org/{row}" for row in range(rows)],
        "date": ["2024-03-01T00:00:00Z"] * rows,
        "file_path": ["s3://commoncrawl/crawl-data/x.warc.gz"] * rows,
        "language": ["en"] * rows,
        "language_score": [0.9] * rows,
        "token_count": [len(text) // 4 for text in texts],
    }
    pq.write_table(pa.table(columns), path, row_group_size=100)


def shorten(folder: Path, name: str) -> Path:
    """A copy of a study that trains one seed."""
    text = (STUDIES / name).read_text()
    seeds = next(line for line in text.splitlines() if line.startswith("seeds = "))
    (folder / name).write_text(text.replace(seeds, "seeds = 1"))
    return folder / name


def overridden(fields: dict[str, Any]) -> list[str]:
    return [word for key, value in fields.items() for word in ("--override", f"{key}={value}")]


def run_arms(sweep: Run, folder: Path, study: Path, fields: dict[str, Any]) -> dict[str, float]:
    """Run a study; the test loss of each arm."""
    done = sweep(folder, "run", study.name, *overridden(fields))
    assert done.returncode == 0, done.stderr
    content = json.loads(sweep(folder, "report", "--format", "json").stdout)
    assert content["overrides"] == fields
    assert [arm["n_done"] for arm in content["arms"]] == [1] * len(content["arms"])
    return {arm["arm"]: arm["mean"] for arm in content["arms"]}


@pytest.mark.nightly
def test_the_fineweb_studies_train_on_a_parquet_of_its_columns(
    tmp_path: Path,
    sweep: Run,
    environment: dict[str, str],
    gpt2_vocabulary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(environment, "TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    write_fineweb(tmp_path / "fineweb.parquet", 300)
    one, eight = (shorten(tmp_path, f"gpt2_fineweb{end}.toml") for end in ("_one_gpu", ""))
    losses = run_arms(sweep, tmp_path, one, SMALL | FINEWEB)
    assert len(losses) == 9
    assert all(10 < loss < 11 for loss in losses.values())  # log 50,257 = 10.8
    assert losses["float32"] == pytest.approx(losses["baseline"], abs=0.01)
    assert losses["lr-schedule"] < losses["baseline"] - 0.05
    again = sweep(tmp_path, "run", eight.name, *overridden(SMALL | FINEWEB))
    assert "All 9 runs of gpt2-fineweb are done: nothing to train." in again.stdout


@pytest.mark.nightly
def test_the_shakespeare_study_trains_on_real_english(
    tmp_path: Path, sweep: Run, shakespeare: Path
) -> None:
    (tmp_path / "shakespeare.txt").symlink_to(shakespeare)
    losses = run_arms(sweep, tmp_path, shorten(tmp_path, "shakespeare.toml"), SMALL)
    assert len(losses) == 7
    assert all(3 < loss < 5.6 for loss in losses.values())  # log 257 = 5.5
    [corpus] = json.loads(sweep(tmp_path, "data", "list", "--format", "json").stdout)
    assert corpus["files"] == ["shakespeare.txt"]
    assert corpus["train_tokens"] + corpus["test_tokens"] == 1_115_394 + 2

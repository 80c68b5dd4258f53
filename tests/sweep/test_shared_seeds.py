"""Imported runs that share init or order seeds: never more seeds than there are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sweep.noise.measure import measure_noise
from sweep.noise.results import stored_noise
from sweep.noise.runs import imported_runs
from sweep.reports.noise_text import noise_document
from tests.sweep.importer import Importer, csv

HEADER = "arm,init_seed,order_seed,loss"


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def crossed(*arms: str, orders: int = 4, nested: bool = False) -> list[tuple[object, ...]]:
    """Runs of 4 inits x 4 orders with an intraclass correlation of 0.9; no effects."""
    generator = np.random.default_rng(3)
    rows: list[tuple[object, ...]] = []
    for arm in arms:
        inits = generator.normal(0, 0.9**0.5, 4)
        for i in range(4):
            for j in range(orders):
                loss = 3.0 + 0.01 * (inits[i] + 0.1**0.5 * generator.standard_normal())
                rows.append((arm, i + 1, 10 * i + j if nested else j + 1, f"{loss:.6f}"))
    return rows


def test_sixteen_runs_of_four_inits_are_called_four_seeds(importer: Importer) -> None:
    importer(csv(crossed("baseline", "clip", nested=True), HEADER))
    text = importer.table()
    assert "Runs share init seeds: 16 runs are 4 independent seeds." in text
    assert "over 16 runs with 4 independent seeds (95% interval of the sd " in text
    assert "16 seeds" not in text
    row = importer.arms()["clip"]
    assert (row["n_done"], row["n_independent"], row["n_shared"]) == (16, 4, 4)
    assert row["df"] == 3
    assert importer.report()["shared_streams"] == ["init_seed"]


def test_crossed_inits_and_orders_are_named_both(importer: Importer) -> None:
    importer(csv(crossed("baseline", "clip"), HEADER))
    assert "Runs share init and order seeds: 16 runs are 4 independent seeds." in importer.table()
    assert importer.report()["noise"]["shared"]["n_independent"] == 4


def test_two_orders_are_two_seeds_however_many_inits_there_are(importer: Importer) -> None:
    importer(csv(crossed("baseline", "clip", orders=2), HEADER))
    assert "8 runs are 2 independent seeds." in importer.table()
    assert importer.report()["noise"]["shared"]["streams"][0] == "order_seed"


def test_the_noise_of_sixteen_runs_of_four_inits_is_that_of_their_layout(
    importer: Importer,
) -> None:
    importer(csv(crossed("baseline", "clip"), HEADER))
    with importer.workspace.open() as store:
        found = measure_noise(imported_runs(store, store.study("x")))
    noise = found.noise
    assert (noise.n, noise.n_independent, noise.counted) == (16, 4, 4)
    # Four values bound an sd from above by 3.7 times, sixteen by 1.5.
    assert noise.ci_high > 2.5 * noise.sd
    assert found.paired_differences.arms[0].n == 4
    assert found.as_json()["n_independent"] == 4
    assert stored_noise(json.loads(json.dumps(found.as_json()))) == noise
    text = noise_document(found).parts[0]
    assert "the baseline over 16 runs with 4 independent seeds" in str(text)


def test_a_seed_beside_init_seeds_is_a_stream_too(importer: Importer) -> None:
    importer(csv(crossed("baseline", "clip"), "arm,init_seed,seed,loss"))
    assert "16 runs are 4 independent seeds." in importer.table()
    assert importer.report()["shared_streams"] == ["init_seed", "order_seed"]


def test_runs_with_one_seed_for_all_streams_are_as_many_seeds_as_before(importer: Importer) -> None:
    rows = [
        (arm, i, i, 3 + i / 100 + (arm == "clip") * i / 500)
        for arm in ("baseline", "clip")
        for i in range(5)
    ]
    importer(csv(rows, HEADER))
    assert "independent seeds" not in importer.table()
    assert importer.report()["noise"]["shared"] is None
    assert importer.arms()["clip"]["n_independent"] == 5

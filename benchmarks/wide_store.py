"""Make a store of very many finished runs, without training any."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert

from sweep.store.schema import arms, chunk_losses, curves, members, plans, runs, studies
from sweep.store.store import Store
from sweep.store.url import store_url
from trainer.recipe import Recipe

POINTS = 20
"""Points of a run's curve, and chunks of its test text."""


def fill(folder: Path, number: int, wide: int, seeds: int = 100) -> None:
    """A store of `number` finished runs in studies of `wide` runs each."""
    with Store(store_url(None, folder), create=True) as store:
        for first in range(0, number, wide):
            _fill_study(store, f"study-{first // wide}", range(first, first + wide), seeds)


def _fill_study(store: Store, name: str, numbers: range, seeds: int) -> None:
    recipe = Recipe.model_validate({"seeds": {"init": 1, "order": 1, "dropout": 1}})
    fields = json.loads(recipe.model_dump_json())
    about = {key: value for key, value in json.loads(recipe.canonical()).items() if key != "seeds"}
    rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in (runs, curves, chunk_losses)}
    with store.write() as connection:
        names = ["baseline", *(f"arm-{arm}" for arm in range(1, len(numbers) // seeds))]
        _insert_plan(connection, name, dict.fromkeys(names, about))
        arm_ids = _insert_arms(connection, name, names)
        joined = []
        for position, number in enumerate(numbers):
            arm, seed = divmod(position, seeds)
            run_id = hashlib.sha256(str(number).encode()).hexdigest()
            rows[runs].append(_run(run_id, fields, arm, seed))
            rows[curves] += [_point(run_id, step) for step in range(POINTS)]
            rows[chunk_losses] += [
                {"run_id": run_id, "chunk": chunk, "loss": 2.5 + chunk / 100}
                for chunk in range(POINTS)
            ]
            joined.append({"arm_id": arm_ids[arm], "seed": seed, "run_id": run_id})
        for table, some in rows.items():
            connection.execute(insert(table), some)
        connection.execute(insert(members), joined)


def _insert_plan(connection: Connection, name: str, recipes: dict[str, Any]) -> None:
    analysis = {"alpha": 0.05, "correction": "holm", "smallest_effect": 0.01}
    design = {"seeds": [], "vary": ["dropout", "init", "order"], "hold": 0}
    content = {"study": name, "analysis": analysis, "arms": recipes, **design}
    study = {"name": name, "path": f"{name}.toml", "plan_hash": "0" * 64}
    connection.execute(insert(studies).values(**study, last_run=time.time()))
    connection.execute(insert(plans).values(study=name, hash="0" * 64, content=content, stored=0.0))


def _insert_arms(connection: Connection, study: str, names: list[str]) -> list[int]:
    """The ids that they are given."""
    ids = []
    for position, arm in enumerate(names):
        values = {"study": study, "name": arm, "position": position}
        made = connection.execute(insert(arms).values(**values, interventions=[], changes={}))
        ids += made.inserted_primary_key or ()
    return ids


def _point(run_id: str, step: int) -> dict[str, Any]:
    losses = {"loss": 3.0, "learning_rate": 1e-3, "grad_norm": 1.0, "tokens_per_second": 1e5}
    return {"run_id": run_id, "step": step, "clipped": 0.0, "skipped": 0, **losses}


def _run(run_id: str, fields: dict[str, Any], arm: int, seed: int) -> dict[str, Any]:
    noise = int(run_id[:8], 16) / 2**32
    return {
        "id": run_id,
        "recipe": fields,
        "corpus_hash": "c" * 64,
        "family": hashlib.sha256(str(arm).encode()).hexdigest(),
        "init_seed": seed,
        "order_seed": seed,
        "dropout_seed": seed,
        "state": "done",
        "test_loss": 2.5 + arm / 1e4 + 0.02 * noise + seed / 1e3,
        "bits_per_byte": 3.6,
        "steps": 1000,
        "tokens": 10**6,
        "tokens_per_second": 1e5,
        "started": 1.7e9,
        "first_step": 1.7e9,
        "finished": 1.7e9 + 60,
        "provenance": {"device": "x" * 300, "versions": {"torch": "2"}, "threads": 1},
    }

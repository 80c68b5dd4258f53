"""Models that are no arm of a study, on the text that it tests with: lines to compare with.

They are no part of its family and get no verdict. A loss is shown for as long as the study tests
on the text that it was measured on.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import delete, insert, select

from sweep.errors import NotFoundError, StudyError, did_you_mean, listed
from sweep.store.rows import ReferenceRow, StudyRow
from sweep.store.schema import arms, planned_runs, references, runs
from sweep.store.store import Store
from sweep.study.file import BASELINE
from sweep.terminal.printable import shown
from trainer.recipe import METRIC_VERSION, Recipe

LONGEST_NAME = 64


@dataclass(frozen=True)
class Exam:
    """What the models of a study are tested on, by the plan that was last run."""

    recipe: Recipe
    """Of the baseline; its seeds are of no account."""
    corpus_hash: str

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that a loss depends on, beside the model."""
        recipe = self.recipe
        parts = {
            "corpus": self.corpus_hash,
            "tokenizer": recipe.data.tokenizer,
            "context": recipe.model.context,
            "evaluation": recipe.evaluation.model_dump(mode="json", exclude_defaults=True),
            "metric": METRIC_VERSION,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def find_exam(store: Store, study: StudyRow) -> Exam | None:
    """What a study tests with; None where nobody knows, because its results come from elsewhere."""
    if study.imported:
        return None
    query = (
        select(runs.c.corpus_hash)
        .select_from(planned_runs)
        .where(arms.c.study == study.name, arms.c.name == BASELINE)
        .limit(1)
    )
    with store.begin() as connection:
        corpus_hash = connection.execute(query).scalar_one_or_none()
    if corpus_hash is None:  # the folders of its runs were lost, and the database was rebuilt
        return None
    fields = store.plan(study).arms[BASELINE]
    seeds = {"init": 0, "order": 0, "dropout": 0}
    recipe = Recipe.model_validate_json(json.dumps({**fields, "seeds": seeds}))
    return Exam(recipe, corpus_hash)


def require_exam(store: Store, study: StudyRow) -> Exam:
    """The same, or StudyError."""
    exam = find_exam(store, study)
    if exam is None:
        raise StudyError(
            f"nobody knows here what text {shown(study.name)} tests with: its results were "
            "imported, or its runs are lost; run a study file of your own (`sweep init` writes one)"
        )
    return exam


def check_name(store: Store, study: StudyRow, name: str) -> None:
    """Raise StudyError for what no line of a report can be called."""
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise StudyError(
            f"a report cannot call a model {shown(name)}: a name has 1 to {LONGEST_NAME} "
            "characters, all of them printable; give it another with --name NAME"
        )
    if name in {arm.name for arm in store.arms(study.name)}:
        raise StudyError(
            f"{shown(study.name)} has an arm {shown(name)}; give the model another name with "
            "--name NAME"
        )


def save_reference(store: Store, study: str, exam: Exam, values: dict[str, Any]) -> None:
    """Store the loss of a model on an exam, in the place of an earlier one. Raises StoreError."""
    key = (
        (references.c.study == study)
        & (references.c.test_text == exam.hash)
        & (references.c.weights_hash == values["weights_hash"])
    )
    row = {"study": study, "test_text": exam.hash, "evaluated": time.time(), **values}
    with store.write() as connection:
        connection.execute(delete(references).where(key))
        connection.execute(insert(references).values(row))
        store.write_down(connection, study)


def remove_reference(store: Store, study: str, name: str) -> None:
    """Forget the models of that name. Raises NotFoundError when there is none."""
    ours = references.c.study == study
    with store.write() as connection:
        known = set(connection.execute(select(references.c.name).where(ours)).scalars())
        if name not in known:
            raise NotFoundError(
                f"{shown(study)} has no reference {shown(name)}{did_you_mean(name, known)} (it "
                f"has: {listed(sorted(known))})"
            )
        connection.execute(delete(references).where(ours, references.c.name == name))
        store.write_down(connection, study)


def study_references(store: Store, study: StudyRow) -> list[ReferenceRow]:
    """The models that a study can be compared with, the best one first."""
    exam = find_exam(store, study)
    if exam is None:
        return []
    query = (
        select(references)
        .where(references.c.study == study.name, references.c.test_text == exam.hash)
        .order_by(references.c.test_loss, references.c.weights_hash)
    )
    with store.begin() as connection:
        return [ReferenceRow(**row) for row in connection.execute(query).mappings()]

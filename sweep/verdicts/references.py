"""References: models that are no arm of a study, measured on its test text.

They do not count in the study's family and get no verdict. A report shows them as long as the
study tests on the text that they were measured on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import delete, insert, select

from sweep.errors import NotFoundError, StudyError, did_you_mean, listed
from sweep.store.rows import ReferenceRow, StudyRow
from sweep.store.schema import arms, planned_runs, references, runs
from sweep.store.store import Store
from sweep.study.names import BASELINE
from sweep.terminal.printable import shown
from sweep.trainers.stored_recipes import is_script
from trainer.recipe import METRIC_VERSION, Recipe

MAX_NAME_LENGTH = 64


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A model that is no arm, evaluated on the study's test text. It gets no verdict."""

    model: ReferenceRow
    effect: float | None
    """Its loss minus the baseline's mean, nats per token; None if the baseline has no mean yet."""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def mean_loss(self) -> float:
        """Test loss, nats per token."""
        return self.model.test_loss


@dataclass(frozen=True)
class EvaluationSetup:
    """Test text and settings of a study's evaluation, by the plan that was last run."""

    recipe: Recipe
    """The baseline's recipe. Its seeds do not matter."""
    corpus_hash: str

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything but the model that a test loss depends on."""
        recipe = self.recipe
        parts = {
            "corpus": self.corpus_hash,
            "tokenizer": recipe.data.tokenizer,
            "context": recipe.model.context,
            "evaluation": recipe.evaluation.model_dump(
                mode="json", exclude_defaults=True, exclude={"average_last"}
            ),
            "metric": METRIC_VERSION,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def find_setup(store: Store, study: StudyRow) -> EvaluationSetup | None:
    """How a study evaluates; None if it was imported, trains a script, or its runs are lost."""
    if study.imported or is_script(store.plan(study).arms[BASELINE]):
        return None
    query = (
        select(runs.c.corpus_hash)
        .select_from(planned_runs)
        .where(arms.c.study == study.name, arms.c.name == BASELINE)
        .limit(1)
    )
    with store.begin() as connection:
        corpus_hash = connection.execute(query).scalar_one_or_none()
    if corpus_hash is None:  # the database was rebuilt without the folders of its runs
        return None
    fields = store.plan(study).arms[BASELINE]
    seeds = {"init": 0, "order": 0, "dropout": 0}
    recipe = Recipe.model_validate_json(json.dumps({**fields, "seeds": seeds}))
    return EvaluationSetup(recipe, corpus_hash)


def require_setup(store: Store, study: StudyRow) -> EvaluationSetup:
    """How a study evaluates. Raises StudyError if it trains a script, was imported or lost its runs."""
    setup = find_setup(store, study)
    if setup is None and not study.imported and is_script(store.plan(study).arms[BASELINE]):
        raise StudyError(
            f"{shown(study.name)} trains a script, and has no test text for a GPT-2; "
            "a study without [trainer] has one"
        )
    if setup is None:
        raise StudyError(
            f"the test text of {shown(study.name)} is unknown: its results were imported, or its "
            "runs are lost; run a study file of your own (`sweep init` writes one)"
        )
    return setup


def check_name(store: Store, study: StudyRow, name: str) -> None:
    """Raise StudyError if a reference of the study cannot have this name."""
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise StudyError(
            f"a report cannot call a model {shown(name)}: a name has 1 to {MAX_NAME_LENGTH} "
            "characters, all of them printable; give it another with --name NAME"
        )
    if name in {arm.name for arm in store.arms(study.name)}:
        raise StudyError(
            f"{shown(study.name)} has an arm {shown(name)}; give the model another name with "
            "--name NAME"
        )


def save_reference(store: Store, row: ReferenceRow) -> None:
    """Store the loss of a model; it replaces an earlier one of the same weights and test text.

    Raises StoreError.
    """
    same = (
        (references.c.study == row.study)
        & (references.c.test_text == row.test_text)
        & (references.c.weights_hash == row.weights_hash)
    )
    with store.write() as connection:
        connection.execute(delete(references).where(same))
        connection.execute(insert(references).values(vars(row)))
        store.write_study_file(connection, row.study)


def remove_reference(store: Store, study: str, name: str) -> None:
    """Remove the models of that name. Raises NotFoundError if there is none."""
    ours = references.c.study == study
    with store.write() as connection:
        known = set(connection.execute(select(references.c.name).where(ours)).scalars())
        if name not in known:
            raise NotFoundError(
                f"{shown(study)} has no reference {shown(name)}{did_you_mean(name, known)} (it "
                f"has: {listed(sorted(known))})"
            )
        connection.execute(delete(references).where(ours, references.c.name == name))
        store.write_study_file(connection, study)


def study_references(store: Store, study: StudyRow) -> list[ReferenceRow]:
    """References measured on the test text of a study, the lowest loss first."""
    setup = find_setup(store, study)
    if setup is None:
        return []
    query = (
        select(references)
        .where(references.c.study == study.name, references.c.test_text == setup.hash)
        .order_by(references.c.test_loss, references.c.weights_hash)
    )
    with store.begin() as connection:
        return [ReferenceRow(**row) for row in connection.execute(query).mappings()]

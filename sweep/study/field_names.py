"""Find the field that an unknown name means: by its meaning first, then by its spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from sweep.errors import nearest
from sweep.study.other_names import OTHER_NAMES, Meaning

NAME = "NAME"
"""Stands for a name that the study chooses: `interventions.NAME.set`."""
GENERIC = {"name", "kind", "set"}
"""Fields whose name elsewhere means something else."""
SHORTEST_MISSPELT = 5
"""Letters of the shortest name of another tool that is recognised although it is misspelt."""


@dataclass(frozen=True)
class Suggestion:
    """What an unknown name may mean."""

    fields: tuple[str, ...] = ()
    """The fields, as in the study file: `baseline.optimizer.learning_rate`."""
    certain: bool = False
    """True if the name means them; False if it only looks similar."""
    note: str = ""
    """How the values correspond; or why there is no such field."""
    is_table: bool = False
    """True if the first of the fields is a table of others."""

    def words(self) -> str:
        """The end of a sentence; empty if nothing was found."""
        if not self.fields:
            return f"; {self.note}" if self.note else ""
        named = " or ".join(repr(field) for field in self.fields)
        if not self.certain:
            return f"; did you mean {named}?"
        if self.is_table:
            return f"; the table is [{self.fields[0]}]"
        return f"; the field is {named}" + (f" ({self.note})" if self.note else "")


def suggest(keys: Sequence[str], model: type[BaseModel]) -> Suggestion:
    """What the unknown field at the end of `keys` may mean; `model` is the whole study."""
    *parents, name = keys
    table = model_at(parents, model)
    above = "".join(f"{parent}." for parent in parents)
    siblings = {field: above + field for field in (table.model_fields if table else ())}
    everywhere = {field: field.rpartition(".")[2] for field in all_fields(model)}
    found = _by_meaning(name, siblings, everywhere) or _by_spelling(name, siblings, everywhere)
    is_table = bool(found.fields) and model_at(found.fields[0].split("."), model) is not None
    return replace(found, is_table=is_table)


def _by_meaning(
    name: str, siblings: Mapping[str, str], everywhere: Mapping[str, str]
) -> Suggestion | None:
    small = snake_case(name)
    if small in siblings:
        return Suggestion((siblings[small],))
    same = tuple(field for field, leaf in everywhere.items() if leaf == small)
    if same and small not in GENERIC:
        return Suggestion(same, certain=True)
    return _meant(OTHER_NAMES[small], siblings, everywhere) if small in OTHER_NAMES else None


def _by_spelling(
    name: str, siblings: Mapping[str, str], everywhere: Mapping[str, str]
) -> Suggestion:
    small = snake_case(name)
    if (near := nearest(small, siblings)) is not None:
        return Suggestion((siblings[near],))
    if (near := nearest(small, everywhere.values())) is not None:
        return Suggestion(tuple(field for field, leaf in everywhere.items() if leaf == near)[:2])
    if len(small) >= SHORTEST_MISSPELT and (near := nearest(small, OTHER_NAMES)) is not None:
        return _meant(OTHER_NAMES[near], siblings, everywhere)
    return Suggestion()


def _meant(
    meaning: Meaning, siblings: Mapping[str, str], everywhere: Mapping[str, str]
) -> Suggestion:
    """The suggestion of another tool's name; a field beside the unknown one comes first."""
    if meaning.field is None:
        return Suggestion(certain=True, note=meaning.note)
    if meaning.field in siblings:
        fields = [siblings[meaning.field]]
    else:
        fields = [each for each in everywhere if f".{each}".endswith(f".{meaning.field}")]
    return Suggestion(tuple(fields[:1]), certain=True, note=meaning.note)


def all_fields(model: type[BaseModel], above: str = "") -> list[str]:
    """Every table and field, as `design` and `design.seeds`."""
    fields: list[str] = []
    for name, info in model.model_fields.items():
        inner, is_named = _inner(info.annotation)
        fields.append(above + name)
        if inner is not None:
            fields += all_fields(inner, f"{above}{name}.{NAME}." if is_named else f"{above}{name}.")
    return fields


def model_at(keys: Sequence[str], model: type[BaseModel]) -> type[BaseModel] | None:
    """The model with the fields below `keys`; None if the value there has no fields."""
    parts = iter(keys)
    for name in parts:
        field = model.model_fields.get(name)
        inner, is_named = _inner(field.annotation if field else None)
        if inner is None:
            return None
        if is_named:
            next(parts, None)
        model = inner
    return model


def is_union_at(keys: Sequence[str], model: type[BaseModel]) -> bool:
    """True if the value at `keys` is a table or something else, such as a number."""
    above = model_at(keys[:-1], model) if keys else None
    field = above.model_fields.get(keys[-1]) if above else None
    annotation = field.annotation if field else None
    branches = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return len({*branches} - {NoneType}) > 1 and _model_of(annotation) is not None


def snake_case(name: str) -> str:
    """`learningRate`, `learning-rate` and `Learning rate` as `learning_rate`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip(" -"))
    return re.sub(r"[\s_-]+", "_", words).lower()


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:  # noqa: ANN401  (a type)
    """The model of a field, if it has one; and whether the field is a table of many by name."""
    is_named = get_origin(annotation) is dict
    if is_named:
        annotation = get_args(annotation)[1]
    return _model_of(annotation), is_named


def _model_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  (a type)
    """The model that a type is, or that one branch of a union is."""
    branches = (
        get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    )
    models = (each for each in branches if isinstance(each, type) and issubclass(each, BaseModel))
    return next(models, None)

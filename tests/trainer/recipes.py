"""Recipes from a few fields, and why one is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from trainer.recipe import Recipe

SEEDS = {"init": 1, "order": 2, "dropout": 3}


def make(**sections: Any) -> Recipe:  # noqa: ANN401  (as a study file has it)
    return Recipe.model_validate({"seeds": SEEDS, **sections})


def refusal(**sections: Any) -> str:  # noqa: ANN401  (as a study file has it)
    with pytest.raises(ValidationError) as refused:
        make(**sections)
    return str(refused.value)

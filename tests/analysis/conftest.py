"""Small studies as data frames."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

Study = Callable[..., pd.DataFrame]


def _study(arms: Mapping[str, Sequence[float]], first_seed: int = 1) -> pd.DataFrame:
    rows = [
        {"arm": arm, "seed": seed, "loss": loss, "status": "done"}
        for arm, losses in arms.items()
        for seed, loss in enumerate(losses, start=first_seed)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "loss", "status"])


@pytest.fixture(scope="session")
def study() -> Study:
    """Make runs from {arm: losses of seeds 1, 2, ...}, all of them done."""
    return _study


@pytest.fixture(scope="session")
def reference() -> pd.DataFrame:
    """The published single-run results: eight interventions, seven baseline runs."""
    root = Path(__file__).resolve().parents[2]
    path = root.parent / "shared" / "data" / "reference_interventions.csv"
    if not path.exists():
        pytest.skip("the reference results lie outside the repository, in ../shared/data: absent")
    return pd.read_csv(path).assign(status="done")

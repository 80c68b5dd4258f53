"""`sweep stack` of an imported study."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.conftest import Run
from tests.sweep.said import content


@pytest.mark.slow
def test_the_stack_of_an_imported_study_is_predicted_but_not_trained(
    tmp_path: Path, sweep: Run
) -> None:
    rows = [
        f"{arm},{seed},{3 + effect + seed / 100 + seed % 2 * wobble}"
        for arm, effect, wobble in (
            *(("baseline", 0.0, 0.0), ("a", -0.2, 0.01), ("b", -0.1, 0.02)),
            *(("c", 0.1, 0.03), ("d", 0.0, 0.02)),
        )
        for seed in range(1, 6)
    ]
    (tmp_path / "r.csv").write_text("\n".join(["arm,seed,loss", *rows]))
    assert sweep(tmp_path, "import", "r.csv", "--study", "theirs").returncode == 0
    found = content(sweep(tmp_path, "stack", "theirs", "--format", "json"))
    assert [member["arm"] for member in found["members"]] == ["a", "b"]
    assert found["predicted"]["unshrunk"] < found["predicted"]["effect"] < -0.25
    assert found["confirmed"] is None
    assert found["reason"] == (
        "theirs was imported, so nothing can be trained, and it is unknown which of its arms "
        "exclude each other"
    )

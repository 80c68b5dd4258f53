"""The studies in studies/examples/ train to a verdict, shortened."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.study.file import load_study

Run = Callable[..., subprocess.CompletedProcess[str]]
EXAMPLES = Path(__file__).parents[2] / "studies" / "examples"
SHORT = {
    "numpy_mlp": ("steps=50", ()),
    "torch_classifier": ("steps=50", ("torch",)),
    "transformers_trainer": ("max_steps=10", ("transformers", "accelerate")),
}
"""By name: an override that shortens the study's runs, and packages that its script needs."""


def test_every_example_is_tested_and_has_four_interventions() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.toml")) == sorted(SHORT)
    for name in SHORT:
        study = load_study(EXAMPLES / f"{name}.toml")
        assert len(study.interventions) == 4
        assert study.name == name.replace("_", "-")
        assert not any(
            line.startswith(("import sweep", "from sweep"))
            for line in (EXAMPLES / f"{name}.py").read_text().splitlines()
        )


@pytest.mark.parametrize(
    "name",
    [
        name if name == "numpy_mlp" else pytest.param(name, marks=pytest.mark.nightly)
        for name in SHORT
    ],
)
def test_an_example_trains_to_a_verdict(tmp_path: Path, sweep: Run, name: str) -> None:
    override, packages = SHORT[name]
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed here")
    shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    text = (EXAMPLES / f"{name}.toml").read_text()
    seeds = next(line for line in text.splitlines() if line.startswith("seeds = "))
    (tmp_path / "s.toml").write_text(text.replace(seeds, "seeds = 2"))
    done = sweep(tmp_path, "run", "s.toml", "--override", override)
    assert (done.returncode, done.stderr) == (0, "")
    assert "10/10" in done.stdout
    report = sweep(tmp_path, "report", "--format", "json")
    assert report.returncode == 0, report.stderr
    verdicts = {each["arm"]: each["verdict"] for each in json.loads(report.stdout)["arms"]}
    assert verdicts.pop("baseline") is None
    assert verdicts.keys() == load_study(tmp_path / "s.toml").interventions.keys()
    assert None not in verdicts.values()

"""An installation, from a wheel and editable, beside packages with the names of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sources import PACKAGES, ROOT
from tests.sweep.collisions import CHECK, write_modules

pytestmark = pytest.mark.slow

TOP_LEVEL = """
from importlib.util import find_spec
print([name for name in {names} if find_spec(name)])
"""
NOTEBOOK = f"""
import sweep
from sweep.analysis.verdict import Plan, judge
from sweep.errors import NotFoundError
runs = sweep.load("tiny")
plan = Plan(arms=("no-dropout", "clip"), smallest_effect=0.01)
print(len(runs), judge(runs, plan)["clip"].n_done)
try:
    sweep.load("gone")
except NotFoundError as error:
    print(error)
{CHECK}
"""
BUILD_TIME_LIMIT = 600


@dataclass(frozen=True)
class Installation:
    """An environment with `sweep`, and the packages that it needs from the environment of the tests."""

    folder: Path
    variables: dict[str, str]

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def call(self, cwd: Path, *words: str, path: str = "") -> str:
        """The output of a program of this environment, which must end well without an error."""
        program, *rest = words
        done = subprocess.run(
            [str(self.folder / "bin" / program), *rest],
            cwd=cwd,
            env={**self.variables, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        return done.stdout


def pip(*words: object) -> None:
    """Run the pip of the tests' environment, without network."""
    command = [sys.executable, "-m", "pip", *map(str, words)]
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command,
        env={name: value for name, value in environment.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=BUILD_TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installation(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
) -> Installation:
    folder = tmp_path_factory.mktemp(request.param)
    made = Installation(folder / "environment", environment)
    venv.create(made.folder)
    (made.packages / "needed.pth").write_text(sysconfig.get_path("purelib"))
    # What PyPI's `trainer` installs, and a distribution whose name is a package of ours, too.
    (made.packages / "trainer").mkdir()
    (made.packages / "trainer" / "__init__.py").write_text("from trainer.trainer import Trainer\n")
    (made.packages / "trainer" / "trainer.py").write_text("class Trainer: pass\n")
    checkout = folder / "checkout"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, checkout / package)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, checkout)
    # An older version has left its packages in the folder that setuptools builds in.
    (checkout / "build" / "lib" / "model").mkdir(parents=True)
    (checkout / "build" / "lib" / "model" / "__init__.py").touch()
    install = ("--python", made.folder / "bin" / "python", "install", "--no-deps")
    if request.param == "editable":
        pip(*install, "--no-build-isolation", "-e", checkout)
    else:
        pip("wheel", "--no-deps", "--no-build-isolation", "-w", folder, checkout)
        pip(*install, next(folder.glob("*.whl")))
    return made


def test_an_installation_takes_one_name(installation: Installation, tmp_path: Path) -> None:
    names = [*PACKAGES, "tests", "benchmarks", "docs", "studies"]
    found = installation.call(tmp_path, "python", "-c", TOP_LEVEL.format(names=names))
    assert found == "['trainer', 'sweep']\n"  # PyPI's and ours


def test_modules_of_the_user_are_imported_as_without_sweep(
    installation: Installation, tmp_path: Path
) -> None:
    for name in ("model", "analysis"):  # folders without an __init__.py
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").touch()
    (tmp_path / "train.py").write_text(
        "import sweep, model.net, analysis.net, trainer\nprint(trainer.Trainer.__module__)\n"
    )
    assert installation.call(tmp_path, "python", "train.py") == "trainer.trainer\n"


@pytest.mark.nightly
def test_a_study_is_trained_reported_and_loaded_beside_other_packages_of_these_names(
    installation: Installation, tmp_path: Path, study_text: str
) -> None:
    project = write_modules(tmp_path / "project")
    (project / "trainer" / "__init__.py").touch()  # or else Python itself prefers PyPI's
    (project / "s.toml").write_text(study_text)
    path = str(project)
    assert "  doctor " in installation.call(project, "sweep", "--help", path=path)
    said = installation.call(project, "sweep", "doctor", path=path)
    assert "not used: `model` at" in " ".join(said.split())
    assert "Ready" in said
    assert "no-dropout" in installation.call(project, "sweep", "run", "s.toml", path=path)
    report = installation.call(project, "sweep", "report", path=path)
    assert "Reproducible to the last bit" in report
    assert installation.call(project, "python", "-m", "sweep", "report") == report
    assert installation.call(project, "python", "-c", NOTEBOOK).splitlines() == [
        "6 2",
        "runs/sweep.db has no study 'gone' (it has: tiny)",
        "user user user",
    ]

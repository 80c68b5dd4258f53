"""What an installation has: `sweep`, with the other packages inside it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.sources import PACKAGES, ROOT, SOURCES

SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def installed_name(folder: Path) -> str:
    """`sweep.model` for the folder `model`."""
    name = ".".join(folder.relative_to(ROOT).parts)
    return name if name.partition(".")[0] == "sweep" else f"sweep.{name}"


def test_every_folder_of_modules_is_installed_inside_sweep() -> None:
    there = {installed_name(path.parent) for path in SOURCES}
    assert sorted(there) == SETUPTOOLS["packages"]  # pyproject.toml lists them, sorted


def test_every_folder_of_modules_is_a_package() -> None:
    assert [path for path in SOURCES if not (path.parent / "__init__.py").exists()] == []


def test_the_folders_at_the_top_are_those_that_are_mapped() -> None:
    mapped = {f"sweep.{package}": package for package in PACKAGES if package != "sweep"}
    assert SETUPTOOLS["package-dir"] == mapped


def test_every_file_of_sweep_that_is_no_module_is_installed() -> None:
    patterns = SETUPTOOLS["package-data"]
    others = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.*")
        if path.suffix != ".py" and path.parent.name != "__pycache__"
    ]
    assert {"template.toml", "py.typed"} <= {path.name for path in others}
    for path in others:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        assert any(path.match(pattern) for pattern in patterns[package]), path

"""A folder with modules of a user's own that have the names of our packages."""

from __future__ import annotations

from pathlib import Path

CHECK = """
import model, trainer.sub, analysis
print(model.WHOSE, trainer.sub.WHOSE, analysis.WHOSE)
"""
"""Prints `user user user` where these modules are the user's."""


def write_modules(folder: Path) -> Path:
    """A module, a package without `__init__.py`, and a package; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text("WHOSE = 'user'\nclass GPT: pass\n")
    (folder / "trainer").mkdir()
    (folder / "trainer" / "sub.py").write_text("WHOSE = 'user'\n")
    (folder / "analysis").mkdir()
    (folder / "analysis" / "__init__.py").write_text("WHOSE = 'user'\n")
    return folder


def write_shadows(folder: Path) -> None:
    """Modules with the names of ones that we import from elsewhere; each fails when imported."""
    for name in ("queue", "datasets", "tokenizers", "code", "random", "rich"):
        (folder / f"{name}.py").write_text(f"raise RuntimeError('the {name} of the user')\n")

"""A study's function and its modules are checked by their text; nothing is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.study.local_modules import local_files
from sweep.study.script_code import find_code
from sweep.study.trainer_section import ScriptTrainer
from sweep.trainers.function_check import why_no_function
from sweep.trainers.preloads import heavy_imports

TRAIN = "def train(parameters, seed, run_dir, report):\n    return {}\n"


@pytest.mark.parametrize(
    "text",
    [
        TRAIN,
        "def train(*all): ...",
        "def train(a, b, c, d, e=1, *, f=2): ...",
        "train = print",
        "from other import train",
        "import other as train",
        "from other import *",
        "def __getattr__(name): ...",
        "try:\n    from other import train\nexcept ImportError:\n    train = None",
        "if True:\n    def train(a, b, c, d): ...",
        "@wrapped\ndef train(a): ...",
        "with open('x') as train: ...",
    ],
)
def test_a_function_that_may_be_called_is_let_through(tmp_path: Path, text: str) -> None:
    (tmp_path / "fit.py").write_text(text)
    assert why_no_function("fit:train", tmp_path) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def trian(a, b, c, d): ...", "fit.py has no function 'train'; did you mean 'trian'?"),
        ("", "fit.py has no function 'train'"),
        ("def f():\n    def train(a, b, c, d): ...", "fit.py has no function 'train'"),
        (
            "def train(lr, seed): ...",
            "train(lr, seed) is called as train(parameters, seed, run_dir, report); give it these",
        ),
        ("def train(a, b, c, d, e): ...", "train(a, b, c, d, e) is called as"),
        ("def train(*, parameters, seed): ...", "is called as"),
        ("def train(:", "fit.py, line 1: invalid syntax"),
        ("\x00", "fit.py: source code string cannot contain null bytes"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_before_anything_runs(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "fit.py").write_text(text)
    refused = why_no_function("fit:train", tmp_path)
    assert refused is not None
    assert said in refused
    assert "\n" not in refused


@pytest.mark.parametrize("text", ["raise SystemExit", "import os; os.abort()"])
def test_nothing_of_the_module_runs_when_it_is_checked(tmp_path: Path, text: str) -> None:
    (tmp_path / "fit.py").write_text(f"{text}\n{TRAIN}")
    assert why_no_function("fit:train", tmp_path) is None


def test_the_code_of_a_run_has_the_modules_of_the_folder_that_are_imported(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    files = {
        "fit.py": f"import os, numpy\nfrom parts import net\nexec(open('config.py').read())\n{TRAIN}",
        "parts/__init__.py": "",
        "parts/net.py": "from .layers import Layer\nimport absent",
        "parts/layers.py": "import fit",
        "config.py": "",
        "unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    used = sorted(files.keys() - {"unused.py"})
    assert (
        sorted(
            str(each.relative_to(tmp_path)) for each in local_files(tmp_path / "fit.py", tmp_path)
        )
        == used
    )
    for settings in (
        ScriptTrainer(function="fit:train"),
        ScriptTrainer(command=["python", "fit.py"]),
    ):
        assert sorted(find_code(settings, tmp_path)) == used
    (tmp_path / "parts/layers.py").write_text("import unused")
    assert "unused.py" in find_code(ScriptTrainer(function="fit:train"), tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os", ()),
        ("import torch.nn as nn", ("torch", "torch.optim")),
        ("import net", ("numpy",)),
        ("from transformers import Trainer", ("transformers", "transformers.trainer")),
        ("from transformers import AutoTokenizer", ("transformers",)),
        ("import pandas", ()),
    ],
)
def test_heavy_modules_are_imported_once_unless_the_user_has_a_module_of_that_name(
    tmp_path: Path, text: str, found: tuple[str, ...]
) -> None:
    (tmp_path / "fit.py").write_text(f"{text}\n{TRAIN}")
    (tmp_path / "net.py").write_text("import numpy as np")
    (tmp_path / "pandas.py").write_text("")
    assert heavy_imports("fit:train", tmp_path) == found

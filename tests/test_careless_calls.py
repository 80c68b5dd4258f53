"""No code, pickle or shell command that somebody else wrote is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import SOURCES, imports, name, nodes

CARELESS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "yaml",
    "code",
}
"""Modules that run what they read."""
FOR_ITS_ERROR = {"trainer/weights/nanogpt.py": {"pickle"}}
"""Modules that import one of these for the type of its error only."""
RUNNING = {"eval", "exec", "compile", "system", "popen", "getoutput", "getstatusoutput"}
"""Functions that run text."""


def careless_calls(path: Path) -> Iterator[str]:
    """Calls that run text as code, or through a shell, or load a pickle."""
    for node in nodes(path):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        telling = {"weights_only", "shell", "allow_pickle"}
        words = {kw.arg: ast.unparse(kw.value) for kw in node.keywords if kw.arg in telling}
        if isinstance(called, ast.Name) and called.id in RUNNING:
            yield called.id
        elif isinstance(called, ast.Attribute) and called.attr in {*RUNNING, "load"}:
            whose = ast.unparse(called.value)
            if called.attr in RUNNING and whose in {"os", "subprocess", "builtins"}:
                yield f"{whose}.{called.attr}"
            if (whose, called.attr) == ("torch", "load") and words.get("weights_only") != "True":
                yield "torch.load"
        if words.get("shell", "False") != "False" or words.get("allow_pickle", "False") != "False":
            yield ast.unparse(called)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_is_run_that_somebody_else_wrote(path: Path) -> None:
    found = {module.partition(".")[0] for module in imports(path)} & CARELESS
    assert found <= FOR_ITS_ERROR.get(name(path), set())
    assert not list(careless_calls(path))


def test_what_runs_text_or_loads_a_pickle_would_be_found(tmp_path: Path) -> None:
    careless = tmp_path / "careless.py"
    careless.write_text(
        "eval(x)\nos.system(x)\nsubprocess.run(x, shell=True)\ntorch.load(x)\n"
        "torch.load(x, weights_only=False)\nnumpy.load(x, allow_pickle=True)\n"
        "model.eval()\nre.compile(x)\ntorch.load(x, weights_only=True)\nsubprocess.run([x])\n"
    )
    found = ["eval", "os.system", "subprocess.run", "torch.load", "torch.load", "numpy.load"]
    assert list(careless_calls(careless)) == found
